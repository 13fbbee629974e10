"""Verdict: what a person has decided about a finding, as one line of a file of verdicts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TypeVar

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.runs.record_schema import kind_of
from iacfilter_hpc.samples.sample import Label
from iacfilter_hpc.verdicts.finding import Finding


class Decision(StrEnum):
    """What a person says of a finding."""

    TP = "TP"
    FP = "FP"
    UNSURE = "unsure"


LABEL: dict[Decision, Label] = {Decision.TP: "TP", Decision.FP: "FP"}
"""The label that a decision is; being unsure is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Finding):
    """Decision of a person: who, when (UTC, ISO 8601), and a note of theirs."""

    decision: Decision
    by: str
    at: str
    note: str | None = None


Remembered = TypeVar("Remembered", bound=Finding)

FINDING = kind_of(Finding, error=DataError)
VERDICT = kind_of(Verdict, error=DataError)
AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def now() -> str:
    """This second, as verdicts have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def problems_of(found: Finding) -> list[str]:
    """What is wrong with the values of a record whose fields are of the right types."""
    problems = []
    if not re.fullmatch(r"[0-9a-f]{32}", found.fingerprint):
        problems.append("fingerprint is not of 32 hex digits")
    path = PurePosixPath(found.file)
    if path.is_absolute() or ".." in path.parts or "\0" in found.file:
        problems.append(f"file is {found.file!a}, which is not below the repository's root")
    if isinstance(found, Verdict) and not AT.fullmatch(found.at):
        problems.append(f"at is {found.at!a}, not a time such as 2026-01-31T12:00:00Z")
    if isinstance(found, Verdict) and not found.by.strip():
        problems.append("by names nobody")
    return problems


def line_of(found: Finding) -> str:
    """A record as one line of JSON, with its line end."""
    # ASCII: no direction mark or line separator of a script shall hide anything in a diff
    return json.dumps(asdict(found), allow_nan=False) + "\n"


def newest(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The newest verdict of each finding; of one second, the one that stands last."""
    found: dict[tuple[str, str], Verdict] = {}
    for each in verdicts:
        before = found.get(each.key)
        # by time and not by line: a merge puts the lines of one branch below those of the other
        if before is None or each.at >= before.at:
            found[each.key] = each
    return list(found.values())


STRONGEST = (Decision.TP, Decision.UNSURE, Decision.FP)
"""What one who has found something real says goes before what another takes for false."""


def strongest(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict on a line of which GLITCH has said several things; None if there is none."""
    return min(verdicts, key=lambda verdict: STRONGEST.index(verdict.decision), default=None)


def agreement(verdicts: Iterable[Verdict], chosen: Verdict) -> float:
    """The share of people whose newest verdict, of these on one finding, is the chosen one."""
    of_person: dict[str, Verdict] = {}
    for each in sorted(verdicts, key=lambda verdict: verdict.at):
        of_person[each.by] = each
    return sum(each.decision == chosen.decision for each in of_person.values()) / len(of_person)
