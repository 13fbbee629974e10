"""Labelling functions: what each votes on and what it abstains on, and functions of users."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError, IacfilterError
from iacfilter_hpc.labelling import user_functions
from iacfilter_hpc.labelling.functions import FUNCTIONS, LabellingFunction, literal_of, votes_of
from iacfilter_hpc.labelling.user_functions import all_functions, read_patterns
from iacfilter_hpc.samples.smells import BY_NAME
from tests.samples.made import sample

SECRET, COMMENT, HTTP, CRYPTO = (
    "hard_coded_secret",
    "suspicious_comment",
    "use_of_http",
    "weak_cryptography_algorithms",
)
EXAMPLES = {
    "placeholder": (SECRET, "db_password: changeme", "db_password: 'hq7Gz2'"),
    "variable_reference": (SECRET, "password => $db_password,", "password => 'secret',"),
    "template_expression": (SECRET, 'token: "{{ vault_token }}"', "token: plain"),
    "random_literal": (SECRET, "api_key = 'x8Kq2LmZ91vP'", "api_key = 'development'"),
    "credential_literal": (SECRET, "password 'ohai2'", "password: yes"),
    "user_literal": (SECRET, "username: deploy", 'username: "{{ user }}"'),
    "url_with_password": (HTTP, "http://bob:hunter2@db.acme.com/", "http://db.acme.com/"),
    "empty_value": (SECRET, "password: ''", "password: 'a'"),
    "switch_value": (SECRET, "update_password: on_create", "password: swordfish"),
    "path_value": (SECRET, "key: /etc/ssl/private/site.pem", "key: site"),
    "url_value": (SECRET, "token_url: https://login.acme.com/", "token: abc"),
    "checksum_or_cache_key": (SECRET, "checksum: sha256:ab12", "password: ab12"),
    "about_a_secret": (SECRET, "password_length: 12", "password: 12ab"),
    "keyword_in_prose": (SECRET, "- name: set the password of root", "root_password: tiger"),
    "marker_word": (COMMENT, "# TODO: drop this", "# drops this"),
    "admitted_defect": (COMMENT, "# this is a workaround", "# this works"),
    "issue_link": (COMMENT, "# see https://github.com/a/b/issues/12", "# see the manual"),
    "word_in_prose": (COMMENT, "# log debug messages", "# FIXME: log debug messages"),
    "documentation_comment": (COMMENT, "# @param debug whether to", "# whether to"),
    "local_url": (HTTP, "url: http://localhost:8080/", "url: http://acme.com/"),
    "url_in_comment": (HTTP, "# see http://acme.com/", "url: http://acme.com/"),
    "namespace": (HTTP, 'xmlns="http://maven.apache.org"', "http://maven.apache.org"),
    "example_host": (HTTP, "http://repo.example.com/", "http://repo.acme.com/"),
    "templated_host": (HTTP, 'url: "http://{{ host }}/"', 'url: "http://acme.com/{{ a }}"'),
    "protocol_word": (HTTP, "scheme: http", "http://acme.com/"),
    "downloaded_file": (HTTP, "http://acme.com/tool-1.2.tar.gz", "http://acme.com/tool"),
    "package_source": (HTTP, "baseurl=http://yum.acme.com/el7", "home: http://acme.com/"),
    "public_address": (HTTP, "http://acme.com/", "http://10.1.2.3/"),
    "algorithm_in_a_name": (CRYPTO, "package { 'ruby-md5sum': }", "hash: md5"),
    "hashed_password": (CRYPTO, 'md5("${password}")', "package 'md5'"),
}
"""By function: a smell, a line that it votes on, and one that it abstains on."""


def on(smell: str, content: str, file: str = "site/tasks/main.yml") -> dict[str, str]:
    one = replace(sample(1, smell=smell), content=content, file=file)
    return dict(votes_of(FUNCTIONS, one))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.name)
def test_each_votes_on_its_own_and_abstains_elsewhere(function: LabellingFunction) -> None:
    assert function.about.endswith(".")
    assert set(function.smells) <= set(BY_NAME)
    if function.name == "test_fixture":
        assert on(SECRET, "a: b", "site/molecule/default/vars.yml")["test_fixture"] == "FP"
        assert "test_fixture" not in on(SECRET, "a: b", "site/latest/attestation.yml")
        return
    smell, held, abstained = EXAMPLES[function.name]
    assert on(smell, held)[function.name] == function.vote
    assert function.name not in on(smell, abstained)
    other = next(name for name in (SECRET, COMMENT) if name not in (function.smells or (SECRET,)))
    assert not function.smells or function.name not in on(other, held)


def test_names_are_one_each() -> None:
    names = [function.name for function in FUNCTIONS]
    assert len(set(names)) == len(names)
    assert set(EXAMPLES) | {"test_fixture"} == set(names)


@pytest.mark.parametrize(
    ("line", "literal"),
    [
        ("password: 's3cret'  # not real", "s3cret"),
        ('"password" => "a b",', "a b"),
        ("password lookup('x')", None),
        ("password => hiera('x'),", None),
        ("default['a']['password'] = 'tiger'", "tiger"),
        ("password: s3cret", "s3cret"),
        ('password: "{{ x }}"', None),
        ("user 'root'", "root"),
        ("default[:mysql][:password] = 'tiger'", "tiger"),
        ("$profile::db::password = 'tiger'", "tiger"),
    ],
)
def test_literals_are_told_from_expressions(line: str, literal: str | None) -> None:
    one = replace(sample(1, smell=SECRET), content=line)
    assert literal_of(one) == literal


def test_a_line_of_a_megabyte_takes_no_time() -> None:
    for text in ("a" * 2**20, "http://" * 2**17, "password=" + " " * 2**20, "{{" * 2**19):
        for smell in (SECRET, COMMENT, HTTP, CRYPTO):
            on(smell, text)


YAML = """
functions:
  - name: our_vault
    about: The value is a path of our vault.
    vote: FP
    smells: [Hardcoded secret, sec_https]
    content: 'vault:[\\w/]+'
    file: ^roles/
"""


def test_users_add_patterns_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "functions.yaml"
    path.write_text(YAML)
    (made,) = read_patterns(path)
    functions = all_functions([made])
    assert functions[-1].name == "our_vault" and functions[-1].smells[-1] == HTTP
    one = replace(sample(1, smell=HTTP), content="x: VAULT:db/root", file="roles/a.yml")
    assert votes_of(functions, one)["our_vault"] == "FP"
    assert "our_vault" not in votes_of(functions, replace(one, file="site/roles/a.yml"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "is not a mapping with the one key functions"),
        ("functions: {", r":1: not YAML: "),
        (YAML.replace("vote: FP", "vote: maybe"), r"functions\.0\.vote is \"maybe\""),
        (YAML.replace("about", "abuot"), r"functions\.0\.abuot is not known"),
        (YAML.replace("our_vault", "placeholder"), "there is another function placeholder"),
        (YAML.replace("[\\w/]+", "[\\w/"), r"functions\.0\.content is no regular expression"),
        ("functions: [{name: a, about: b, vote: TP}]", "it would hold for all"),
        (YAML.replace("The value is a path of our vault.", "2026-01-01"), 'about is "2026-01-01"'),
    ],
)
def test_wrong_yaml_is_told(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "functions.yaml"
    path.write_text(text)
    if "2026" in text:
        # YAML makes a date of it, which is text all the same
        assert read_patterns(path)[0].about == "2026-01-01"
        return
    with pytest.raises(DataError, match=problem):
        read_patterns(path)


class EntryPoint:
    """What importlib.metadata finds of an installed package."""

    def __init__(self, name: str, value: object) -> None:
        self.name, self.value, self._found = name, "package:thing", value

    def load(self) -> object:
        return self._found


def test_packages_register_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = LabellingFunction(name="mine", about="Mine.", vote="TP", content="x")
    found = [EntryPoint("mine", mine)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found)
    assert all_functions()[-1] is mine
    found.append(EntryPoint("other", mine))
    with pytest.raises(IacfilterError, match="package:thing is no LabellingFunction named other"):
        user_functions.registered_functions()
