"""Literal credentials: planted ones are found in every technology, references are not."""

from __future__ import annotations

import time

import pytest

from iacfilter_hpc.filtering.safety.credentials import LONGEST, Excerpt, find_credential
from iacfilter_hpc.filtering.safety.guard import NAMES_ARE_BARE
from iacfilter_hpc.filtering.safety.token_formats import FORMATS, token_in
from tests.filtering import planted


def found_in(line: str, technology: str = "ansible", is_secret: bool = True) -> str | None:
    return find_credential(
        Excerpt(line=line, names_bare=technology in NAMES_ARE_BARE, is_secret=is_secret)
    )


@pytest.mark.parametrize("technology", planted.CREDENTIALS)
def test_planted_credentials_are_found_and_references_are_not(technology: str) -> None:
    lines = list(planted.credentials(technology))
    assert len(lines) == 40
    assert [line for line in lines if not found_in(line, technology)] == []
    none = planted.SECRETS_THAT_ARE_NONE[technology]
    assert [line for line in none if found_in(line, technology)] == []


@pytest.mark.parametrize("technology", planted.CREDENTIALS)
def test_other_smells_hold_none(technology: str) -> None:
    comments = [f"# {text}" for texts in planted.COMMENTS.values() for text in texts]
    lines = [
        form[technology].replace("@@", text)
        for form, table in (
            (planted.URL_LINES, planted.HTTP),
            (planted.CRYPTO_LINES, planted.WEAK_CRYPTO),
        )
        for texts in table.values()
        for text in texts
    ]
    lines += comments
    assert [line for line in lines if found_in(line, technology, is_secret=False)] == []


@pytest.mark.parametrize(
    ("line", "technology"),
    [
        ("dbpassword: mysupersecretpassword", "ansible"),
        ("  password '123456'", "chef"),
        ('  admin_password = "AdminPassword123!"', "terraform"),
        ("password: {{ vault | default('hunter2') }}", "ansible"),
        ("password: ${DB_PASSWORD:-hunter2}", "ansible"),
        ('pass = ENV.fetch("DB_PASS", "hunter2")', "chef"),
        ("  password %q(hunter2)", "chef"),
        ("  root_pass = 'MyPa$$word_Has-Special'", "chef"),
        ("  password: $ecret!23", "ansible"),
        ("password: '{{ user }}-hunter2000'", "ansible"),
        ("password: hunter2 # {{ vaulted later }}", "ansible"),
        ("    dbPassword: hunter2", "ansible"),
        ("    passphrase: correct horse battery staple", "ansible"),
        ("GRANT ALL ON *.* TO 'app' IDENTIFIED BY 'hunter2';", "ansible"),
        ("  password: $6$rounds=656000$saltsalt$abcdefghijkl", "ansible"),
        ("  password: 2023", "ansible"),
        ("  url: https://files.example/x?token=abcdef123456", "ansible"),
        ("  value: q7Wc9ZtR2mKx4PvB8nLs", "ansible"),
    ],
)
def test_odd_forms_of_credentials(line: str, technology: str) -> None:
    assert found_in(line, technology)


@pytest.mark.parametrize(
    ("line", "technology"),
    [
        ("password: !vault |", "ansible"),
        ("password: '{{ env }}-{{ name }}'", "ansible"),
        ("password: <your password>", "ansible"),
        ("password: '********'", "ansible"),
        ("password: @PASSWORD@", "ansible"),
        ("force_password_change: true", "ansible"),
        ("password_min_length: 12", "ansible"),
        ("token_url: https://sso.example/oauth/token", "ansible"),
        ("  password => $facts['password'],", "puppet"),
        ("  password my_password", "chef"),
        ('  password => "$db_password",', "puppet"),
        ('  password => "${db::password}",', "puppet"),
        ("  password = local.password", "terraform"),
        (f"  checksum: sha256:{'9f86d081884c7d659a2feaa0c55ad015' * 2}", "ansible"),
        ("  key: ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDaXPC9elM5uFuGvOCI5pqiPTi", "ansible"),
        ("# the password is kept in the vault of the team", "ansible"),
        ("# Token: used by the runner to register itself", "ansible"),
        ("  - bypass: always-on", "ansible"),
    ],
)
def test_what_is_no_credential(line: str, technology: str) -> None:
    assert found_in(line, technology) is None


def test_a_value_stands_below_its_name() -> None:
    heredoc = ["#!/bin/sh", *["echo"] * 7, "export AWS_SECRET_ACCESS_KEY=abcdef0123", "EOF"]
    assert find_credential(Excerpt(line="user_data = <<EOF", below=heredoc))
    assert not find_credential(Excerpt(line="user_data = <<EOF", below=["echo", "EOF", *heredoc]))
    block = ["    hunter2", "next: password=x"]
    assert find_credential(Excerpt(line="  password: |", below=block))
    assert not find_credential(Excerpt(line="  password: |", below=["    {{ vaulted }}"]))
    assert find_credential(Excerpt(line="  passwords:", below=["    - hunter2"], is_secret=True))
    assert not find_credential(Excerpt(line="  passwords:", below=["next: 1"], is_secret=True))


def test_a_value_stands_apart_from_its_name() -> None:
    """As a variable's default, and as an environment's list."""
    variable = ['variable "db_password" {', "  type = string"]
    default = Excerpt(line='  default = "hunter2"', above=variable, names_bare=True)
    assert find_credential(default)
    assert not find_credential(Excerpt(line='  default = ""', above=variable, names_bare=True))
    assert find_credential(Excerpt(line="  value: hunter2", above=["- name: DB_PASSWORD"]))
    assert not find_credential(Excerpt(line="  value: hunter2", above=["- name: DB_HOST"]))
    below = ["  type = string", '  default = "hunter2"', "}"]
    assert find_credential(Excerpt(line=variable[0], below=below, is_secret=True))


def test_what_glitch_quotes_counts_too() -> None:
    """Of a value of several lines only the first is reported."""
    assert find_credential(Excerpt(line="options:", detail="password:'hunter2'"))


def test_tokens_of_known_formats() -> None:
    key = "-----BEGIN RSA " + "PRIVATE KEY-----"
    assert token_in(f"key = <<{key}") == "private key"
    assert token_in("gh" + "p_" + "a" * 36) == "GitHub token"
    assert token_in("-----BEGIN CERTIFICATE-----") is None
    assert len(FORMATS) > 25


@pytest.mark.parametrize(
    "piece",
    [
        "password",
        "password_",
        "{{",
        "a/",
        "://",
        "mysql ",
        "secret=",
        "\\",
        "basic {{ ",
        "default:",
    ],
)
def test_hostile_lines_take_no_time(piece: str) -> None:
    for start in ("", "password: ", "password = '", "htpasswd -b"):
        line = (start + piece * LONGEST)[:LONGEST]
        began = time.perf_counter()
        find_credential(Excerpt(line=line))
        assert time.perf_counter() - began < 2


def test_a_line_too_long_to_look_through_is_kept() -> None:
    assert found_in("x" * (LONGEST + 1)) == "a line too long to look through"
