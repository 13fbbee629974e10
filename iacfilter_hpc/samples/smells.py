"""The nine security smells of GLITCH, by every name that reports and oracles give them.

Source: Saavedra and Ferreira, GLITCH, ASE 2022 (10.1145/3551349.3556945): its codes, the words of
its replication package, and the categories of its oracles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Smell:
    """One smell: our name, a title for people, GLITCH's codes, and other words for it."""

    name: str
    title: str
    codes: tuple[str, ...]
    words: tuple[str, ...]


SMELLS = (
    Smell(
        "hard_coded_secret",
        "hard-coded secret",
        # a user or a password is reported under its own code, in 2022 under sec_hard_secr as well
        ("sec_hard_secr", "sec_hard_pass", "sec_hard_user"),
        ("hardcoded-secret", "Hard-coded secret", "Hard-coded password", "Hard-coded user"),
    ),
    Smell(
        "suspicious_comment",
        "suspicious comment",
        ("sec_susp_comm",),
        ("suspicious comment",),
    ),
    Smell(
        "weak_cryptography_algorithms",
        "weak cryptography",
        ("sec_weak_crypt",),
        (
            "weak cryptography algorithms",
            "Use of weak cryptography algorithms",
            "Weak Crypto Algorithm",
            "Use of weak crypto algorithm",
        ),
    ),
    Smell(
        "use_of_http",
        "use of HTTP",
        ("sec_https",),
        ("use of http", "Use of HTTP without SSL/TLS", "Use of HTTP without TLS"),
    ),
    Smell("admin_by_default", "admin by default", ("sec_def_admin",), ("admin by default",)),
    Smell("empty_password", "empty password", ("sec_empty_pass",), ("empty password",)),
    Smell(
        "unrestricted_ip_address",
        "unrestricted IP address",
        ("sec_invalid_bind",),
        ("Unrestricted IP Address", "Invalid IP address binding"),
    ),
    Smell(
        "no_integrity_check", "no integrity check", ("sec_no_int_check",), ("no integrity check",)
    ),
    Smell(
        "missing_default_case",
        "missing default case",
        ("sec_no_default_switch",),
        ("Missing Default in Case Statement", "Missing default case statement"),
    ),
)

NAMES = tuple(smell.name for smell in SMELLS)
FILTERED = NAMES[:4]
"""The smells that are wrong often enough to be worth a filter (IntelliSA, arXiv 2601.14595)."""


def smell_of_code(code: str) -> str | None:
    """The smell that a code of GLITCH stands for, None if it is none of ours."""
    return _BY_CODE.get(code)


def smell_of_words(words: str) -> str | None:
    """The smell that words of the replication package or an oracle stand for, None if unknown.

    Case, hyphens and punctuation do not matter; our own names and GLITCH's codes are words too.
    """
    return _BY_WORDS.get(_plain(words))


def title_of(name: str) -> str:
    """A smell's title; of a name that is none of ours, the name in words."""
    return _TITLES.get(name, name.replace("_", " "))


def _plain(words: str) -> str:
    return re.sub(r"[\W_]+", "", words).lower()


_BY_CODE = {code: smell.name for smell in SMELLS for code in smell.codes}
_BY_WORDS = {
    _plain(words): smell.name
    for smell in SMELLS
    for words in (smell.name, smell.title, *smell.codes, *smell.words)
}
_TITLES = {smell.name: smell.title for smell in SMELLS}
