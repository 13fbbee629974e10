"""Smells: the security smells of GLITCH, one row each. To add one is to add a row.

A row says by which names reports and oracles call a smell, how bad it is, and what it means. All
else follows: import, the flags' choices, prompts and the rules of a SARIF log.
Source of names and codes: Saavedra and Ferreira, GLITCH, ASE 2022 (10.1145/3551349.3556945): its
codes, the words of its replication package, and the categories of its oracles. The CWE numbers are
those of GLITCH's own messages. Levels and severities are this project's: no analysis of a single
line can know what is behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Smell:
    """One smell.

    `codes` are GLITCH's, `words` what else it is called. `meaning` says what it is, `tp` and `fp`
    what makes a report of it right or wrong: sentences of the prompt, on which trained models rest.
    `level` is SARIF's, `severity` a score from 0 to 10 as in CVSS. `is_filtered`: it is wrong often
    enough to be worth a filter, and imported unless others are asked for. `is_of_a_block`: it is
    reported where a block begins, in words that stand in a later line of it.
    """

    name: str
    title: str
    codes: tuple[str, ...]
    words: tuple[str, ...]
    cwe: int
    level: Level
    severity: float
    meaning: str
    tp: str
    fp: str
    is_filtered: bool = False
    is_of_a_block: bool = False


# A changed title, meaning, tp or fp is another prompt: models that were trained before would be
# asked in words that they do not know.
SMELLS = (
    Smell(
        name="hard_coded_secret",
        title="hard-coded secret",
        # a user or a password is reported under its own code, in 2022 under sec_hard_secr as well
        codes=("sec_hard_secr", "sec_hard_pass", "sec_hard_user"),
        words=("hardcoded-secret", "Hard-coded secret", "Hard-coded password", "Hard-coded user"),
        cwe=798,
        level="error",
        severity=7.5,
        meaning="A credential is written into the code as a literal, so whoever can read the "
        "repository can use it.",
        tp="the literal itself is a password, token or private key that grants access.",
        fp="only the name looks secret. The value is a path, a mode, a switch, an empty default or "
        "a reference to a vault.",
        is_filtered=True,
    ),
    Smell(
        name="suspicious_comment",
        title="suspicious comment",
        codes=("sec_susp_comm",),
        words=("suspicious comment",),
        cwe=546,
        level="warning",
        severity=2.0,
        meaning="A comment admits that something is broken, unfinished or insecure and has been "
        "left that way.",
        tp="the author records a defect, a workaround or missing work that still concerns this "
        "code.",
        fp="a word such as debug, issue or ticket occurs, yet the comment only explains how the "
        "code works.",
        is_filtered=True,
    ),
    Smell(
        name="weak_cryptography_algorithms",
        title="weak cryptography",
        codes=("sec_weak_crypt",),
        words=(
            "weak cryptography algorithms",
            "Use of weak cryptography algorithms",
            "Weak Crypto Algorithm",
            "Use of weak crypto algorithm",
        ),
        cwe=327,
        level="warning",
        severity=5.9,
        meaning="Broken algorithms such as MD5, SHA-1 or RC4 protect passwords, certificates or "
        "connections.",
        tp="the setting makes the system rely on the weak algorithm for protection.",
        fp="the algorithm is merely part of a name, such as a package or a file, or nothing relies "
        "on it for protection.",
        is_filtered=True,
    ),
    Smell(
        name="use_of_http",
        title="use of HTTP",
        codes=("sec_https",),
        words=("use of http", "Use of HTTP without SSL/TLS", "Use of HTTP without TLS"),
        cwe=319,
        level="warning",
        severity=5.9,
        meaning="Data or software travels over a plain connection, where others can read or "
        "replace it.",
        tp="the address is contacted over the network without TLS.",
        fp="nothing is fetched or sent there in the clear. The address is an identifier such as a "
        "namespace, or only a pattern to match.",
        is_filtered=True,
    ),
    Smell(
        name="admin_by_default",
        title="admin by default",
        codes=("sec_def_admin",),
        words=("admin by default",),
        cwe=250,
        level="warning",
        severity=5.5,
        meaning="A user, a role or a service gets full rights of the system where fewer would do.",
        tp="the setting really gives an account or a process the rights of root or an "
        "administrator.",
        fp="the word names something else, such as a contact, a path or a group without such "
        "rights.",
    ),
    Smell(
        name="empty_password",
        title="empty password",
        codes=("sec_empty_pass",),
        words=("empty password",),
        cwe=258,
        level="error",
        severity=8.0,
        meaning="An account can be entered with a password of no characters.",
        tp="the empty value is the password that the system will take.",
        fp="the value is filled in elsewhere, or being empty switches the login by password off.",
    ),
    Smell(
        name="unrestricted_ip_address",
        title="unrestricted IP address",
        codes=("sec_invalid_bind",),
        words=("Unrestricted IP Address", "Invalid IP address binding"),
        cwe=284,
        level="warning",
        severity=5.3,
        meaning="A service listens on every network interface, or a rule lets every address in.",
        tp="the address opens a service or a port to networks that need no access to it.",
        fp="the address opens nothing: it is a default route, an example, or a rule that denies.",
    ),
    Smell(
        name="no_integrity_check",
        title="no integrity check",
        codes=("sec_no_int_check",),
        words=("no integrity check",),
        cwe=353,
        level="warning",
        severity=6.5,
        meaning="Something is downloaded and used, and nothing checks that it is what its author "
        "made.",
        tp="software or data is fetched here without a checksum or a signature, or the check is "
        "off.",
        fp="a checksum or signature is verified nearby, or nothing is downloaded on this line.",
        is_of_a_block=True,
    ),
    Smell(
        name="missing_default_case",
        title="missing default case",
        codes=("sec_no_default_switch",),
        words=("Missing Default in Case Statement", "Missing default case statement"),
        cwe=478,
        level="warning",
        severity=3.0,
        meaning="A choice between cases has no branch for a value that nobody thought of.",
        tp="a value outside the listed cases leaves the system without a setting or a protection.",
        fp="the cases are complete, or doing nothing is right for every other value.",
        is_of_a_block=True,
    ),
)

BY_NAME = {smell.name: smell for smell in SMELLS}
NAMES = tuple(BY_NAME)
FILTERED = tuple(smell.name for smell in SMELLS if smell.is_filtered)
"""The smells that are wrong often enough to be worth a filter (IntelliSA, arXiv 2601.14595)."""
# from the table, so that whoever adds a row has no message to correct
COUNT_IN_WORDS = {9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}.get(
    len(SMELLS), str(len(SMELLS))
)
"""How many smells there are, for messages: none of the nine."""


def smell_of_code(code: str) -> str | None:
    """The smell that a code of GLITCH stands for, None if it is none of ours."""
    # by the letter, unlike words: codes come from GLITCH itself, words from people
    return _BY_CODE.get(code)


def smell_of_words(words: str) -> str | None:
    """The smell that words of the replication package or an oracle stand for, None if unknown.

    Case, hyphens and punctuation do not matter; our own names and GLITCH's codes are words too.
    """
    return _BY_WORDS.get(_plain(words))


def title_of(name: str) -> str:
    """A smell's title; of a name that is none of ours, the name in words."""
    smell = BY_NAME.get(name)
    return name.replace("_", " ") if smell is None else smell.title


def _plain(words: str) -> str:
    return re.sub(r"[\W_]+", "", words).lower()


# not at the top: they need the table, and _plain
_BY_CODE = {code: smell.name for smell in SMELLS for code in smell.codes}
_BY_WORDS = {
    _plain(words): smell.name
    for smell in SMELLS
    for words in (smell.name, smell.title, *smell.codes, *smell.words)
}
