"""The question about a detection: what the smell is, where it was reported, the code, `Answer:`.

What is the same for all samples comes first, so that its tokens can be shared. Label, source,
confidence and repository are no part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iacfilter_hpc.samples.smells import title_of

TASK = (
    "A static analyser reported a possible security smell in a file written for Ansible, Chef or "
    "Puppet. Check the report against the code."
)
REPLY = (
    "Judge what the reported line does, not which words it contains. Reply with one word: TP if "
    "the report is right, FP if it is a false alarm."
)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a smell is, and what makes a report of it right or wrong."""

    smell: str
    tp: str
    fp: str


MEANINGS = {
    "hard_coded_secret": _Meaning(
        "A credential is written into the code as a literal, so whoever can read the repository "
        "can use it.",
        "the literal itself is a password, token or private key that grants access.",
        "only the name looks secret. The value is a path, a mode, a switch, an empty default or a "
        "reference to a vault.",
    ),
    "suspicious_comment": _Meaning(
        "A comment admits that something is broken, unfinished or insecure and has been left that "
        "way.",
        "the author records a defect, a workaround or missing work that still concerns this code.",
        "a word such as debug, issue or ticket occurs, yet the comment only explains how the code "
        "works.",
    ),
    "weak_cryptography_algorithms": _Meaning(
        "Broken algorithms such as MD5, SHA-1 or RC4 protect passwords, certificates or "
        "connections.",
        "the setting makes the system rely on the weak algorithm for protection.",
        "the algorithm is merely part of a name, such as a package or a file, or nothing relies on "
        "it for protection.",
    ),
    "use_of_http": _Meaning(
        "Data or software travels over a plain connection, where others can read or replace it.",
        "the address is contacted over the network without TLS.",
        "nothing is fetched or sent there in the clear. The address is an identifier such as a "
        "namespace, or only a pattern to match.",
    ),
    "admin_by_default": _Meaning(
        "A user, a role or a service gets full rights of the system where fewer would do.",
        "the setting really gives an account or a process the rights of root or an administrator.",
        "the word names something else, such as a contact, a path or a group without such rights.",
    ),
    "empty_password": _Meaning(
        "An account can be entered with a password of no characters.",
        "the empty value is the password that the system will take.",
        "the value is filled in elsewhere, or being empty switches the login by password off.",
    ),
    "unrestricted_ip_address": _Meaning(
        "A service listens on every network interface, or a rule lets every address in.",
        "the address opens a service or a port to networks that need no access to it.",
        "the address opens nothing: it is a default route, an example, or a rule that denies.",
    ),
    "no_integrity_check": _Meaning(
        "Something is downloaded and used, and nothing checks that it is what its author made.",
        "software or data is fetched here without a checksum or a signature, or the check is off.",
        "a checksum or signature is verified nearby, or nothing is downloaded on this line.",
    ),
    "missing_default_case": _Meaning(
        "A choice between cases has no branch for a value that nobody thought of.",
        "a value outside the listed cases leaves the system without a setting or a protection.",
        "the cases are complete, or doing nothing is right for every other value.",
    ),
}


def build_prompt(smell: str, file: str, line: int, first: int, context: Sequence[str]) -> str:
    """The prompt of one detection; `context` are the lines of the file from line `first`.

    `smell` is one of detections.smells.NAMES.
    """
    meaning = MEANINGS[smell]
    code = "\n".join(
        f"{'>>' if number == line else '  '} {number:>3}  {text}".rstrip()
        for number, text in enumerate(context, first)
    )
    return (
        f"{TASK}\n\n"
        f"Smell: {title_of(smell)}. {meaning.smell}\n"
        f"TP: {meaning.tp}\n"
        f"FP: {meaning.fp}\n\n"
        f"{REPLY}\n\n"
        f"File: {file}\n"
        f"Reported line: {line}\n\n"
        f"{code}\n\n"
        "Answer:"
    )
