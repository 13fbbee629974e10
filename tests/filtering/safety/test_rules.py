"""Rules of .iacfilter.yaml: what they keep, and every mistake named with its line at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.filtering.safety.rules import FILE, Rules, find_rules

RULES = """\
never-suppress:
  - name: production
    path: group_vars/production/*
  - name: customers
    smell: Hard-coded secret
    pattern: (?i)customer
live-credentials: false
"""


def rules(folder: Path, text: str) -> Rules:
    (folder / FILE).write_text(text)
    return find_rules(folder, None)


@pytest.mark.parametrize(
    ("smell", "file", "text", "name"),
    [
        ("use_of_http", "group_vars/production/db/main.yml", "x", "production"),
        ("use_of_http", "group_vars/test/main.yml", "x", None),
        ("hard_coded_secret", "a.yml", "password of CUSTOMER 7", "customers"),
        ("use_of_http", "a.yml", "password of customer 7", None),
        ("hard_coded_secret", "a.yml", "password", None),
    ],
)
def test_all_that_a_rule_names_must_hold(
    tmp_path: Path, smell: str, file: str, text: str, name: str | None
) -> None:
    found = rules(tmp_path, RULES)
    kept = found.rule_for(smell, file, ("", text))
    assert (kept and kept.name) == name
    assert not found.keeps_credentials and found.path == tmp_path / FILE


def test_a_bare_name_is_a_file_in_any_folder(tmp_path: Path) -> None:
    found = rules(tmp_path, "never-suppress: [{name: v, path: vault.yml}]")
    assert found.rule_for("use_of_http", "roles/x/vars/vault.yml", ())
    assert not found.rule_for("use_of_http", "vault.yml/main.yml", ())


def test_without_a_file_the_shipped_rule_holds(tmp_path: Path) -> None:
    assert find_rules(tmp_path, None) == Rules()
    assert find_rules(tmp_path, None).keeps_credentials
    assert rules(tmp_path, "").keeps_credentials
    assert rules(tmp_path, "never-suppress: []").keeps_credentials


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    wrong = """\
never-suppress:
  - name: a
  - {name: b, smell: bad_luck}
  - name: c
    pattern: "("
  - path: x
  - name: d
    paht: x
live-credentials: maybe
more: 1
"""
    with pytest.raises(ConfigError) as caught:
        rules(tmp_path, wrong)
    place = tmp_path / FILE
    lines = caught.value.message.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        f"{place}:{number}:" for number in (2, 3, 5, 6, 8, 9, 10)
    ]
    assert "would keep everything: it needs smell, path or pattern" in lines[0]
    assert '"bad_luck": it is no smell; there are hard_coded_secret, ' in lines[1]
    assert "it is no regular expression: missing )" in lines[2]
    assert lines[3].endswith("never-suppress.3.name is missing")
    assert lines[4].endswith("never-suppress.4.paht is not a setting of it")
    assert lines[6].endswith("more is not a setting of it")
    assert caught.value.hint and caught.value.hint.startswith("a rule has a name")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_a_hostile_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.iacfilter\.yaml:2: rules have no aliases"):
        rules(tmp_path, BOMB)
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        rules(tmp_path, "#" * 2**19)
    with pytest.raises(ConfigError, match="is not YAML"):
        rules(tmp_path, "a: [")
    (tmp_path / FILE).unlink()
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(ConfigError, match="is no regular file"):
        find_rules(tmp_path, None)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(RULES)
    with pytest.raises(ConfigError, match="none cannot be read: No such file"):
        find_rules(tmp_path, tmp_path / "none")
    (tmp_path / "mine.yaml").write_text("live-credentials: true")
    assert find_rules(tmp_path, tmp_path / "mine.yaml").rules == ()
