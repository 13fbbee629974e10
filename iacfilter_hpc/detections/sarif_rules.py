"""The nine smells as rules of a SARIF log: descriptions, CWE, level and severity.

The CWE numbers are those of GLITCH's own messages. Levels and severities are this project's: no
analysis of a single line can know what is behind it. Source of the fields: OASIS SARIF 2.1.0,
section 3.49; `security-severity`, `help` and `tags` as GitHub code scanning reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from iacfilter_hpc.detections.prompt import MEANINGS
from iacfilter_hpc.detections.smells import NAMES, title_of

Level = Literal["error", "warning", "note"]

OTHER_RULE = "other_smell"
"""Stands for every code of GLITCH that is none of the nine smells."""


@dataclass(frozen=True, slots=True)
class Grade:
    """How bad a smell is: SARIF's level, and a score from 0 to 10 as in CVSS."""

    level: Level
    severity: float
    cwe: int


GRADES = {
    "hard_coded_secret": Grade("error", 7.5, 798),
    "suspicious_comment": Grade("warning", 2.0, 546),
    "weak_cryptography_algorithms": Grade("warning", 5.9, 327),
    "use_of_http": Grade("warning", 5.9, 319),
    "admin_by_default": Grade("warning", 5.5, 250),
    "empty_password": Grade("error", 8.0, 258),
    "unrestricted_ip_address": Grade("warning", 5.3, 284),
    "no_integrity_check": Grade("warning", 6.5, 353),
    "missing_default_case": Grade("warning", 3.0, 478),
}


def rule_of(smell: str | None) -> tuple[str, int]:
    """Id and index of the rule of a smell."""
    return (OTHER_RULE, len(NAMES)) if smell is None else (smell, NAMES.index(smell))


def level_of(smell: str | None) -> Level:
    """The level of a smell's rule."""
    return "note" if smell is None else GRADES[smell].level


def rules() -> list[dict[str, object]]:
    """Every rule, at the index that `rule_of` answers."""
    return [*(_rule(name) for name in NAMES), _OTHER]


def _rule(smell: str) -> dict[str, object]:
    meaning, grade = MEANINGS[smell], GRADES[smell]
    link = f"https://cwe.mitre.org/data/definitions/{grade.cwe}.html"
    return {
        "id": smell,
        "name": "".join(word.capitalize() for word in smell.split("_")),
        "shortDescription": {"text": _sentence(title_of(smell))},
        "fullDescription": {"text": meaning.smell},
        "help": {"text": f"It is real where {meaning.tp} It is a false alarm where {meaning.fp}"},
        "helpUri": link,
        "defaultConfiguration": {"level": grade.level},
        "properties": {
            "tags": ["security", f"external/cwe/cwe-{grade.cwe}"],
            "security-severity": f"{grade.severity:.1f}",
        },
    }


_OTHER: dict[str, object] = {
    "id": OTHER_RULE,
    "name": "OtherSmell",
    "shortDescription": {"text": "Another smell that GLITCH reports"},
    "fullDescription": {"text": "GLITCH reports a smell that is none of the nine security smells."},
    "help": {"text": "It is passed on as it is. The property code has GLITCH's own name for it."},
    "helpUri": "https://github.com/sr-lab/GLITCH",
    "defaultConfiguration": {"level": "note"},
    "properties": {"tags": ["glitch"]},
}


def _sentence(title: str) -> str:
    return title[0].upper() + title[1:]
