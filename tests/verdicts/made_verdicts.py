"""A repository of our own writing, with a report about it and verdicts on it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from iacfilter_hpc.verdicts.finding import Place
from iacfilter_hpc.verdicts.records import append
from iacfilter_hpc.verdicts.repository import find_verdicts
from iacfilter_hpc.verdicts.verdict import Decision, Verdict
from tests.glitch.made_decisions import write_all

FILE = "scripts/roles/x/tasks/main.yml"
"""The script of made_decisions, from the repository's root."""
HTTP, SECRET, COMMENT, AGAIN = (
    Place("use_of_http", FILE, 4),
    Place("hard_coded_secret", FILE, 9),
    Place("suspicious_comment", FILE, 10),
    Place("use_of_http", FILE, 13),
)
AT = "2026-01-31T12:00:00Z"


def git(folder: Path, *words: str) -> str:
    """What git prints; it knows nobody, and no settings of this machine."""
    named = ("-c", "user.name=a", "-c", "user.email=a@a.example", "-c", "core.autocrlf=false")
    done = subprocess.run(
        ["git", "-C", str(folder), *named, *words], capture_output=True, text=True, check=True
    )
    return done.stdout


def make_repository(folder: Path) -> Path:
    """The scripts' folder of a repository; the report about it is glitch.csv beside it."""
    _, scripts = write_all(folder)
    git(folder, "init", "-q", "-b", "main")
    return scripts.folder


def judge(
    scripts: Path,
    place: Place,
    decision: Decision,
    *,
    by: str = "ada",
    at: str = AT,
    note: str | None = None,
) -> Verdict:
    """Keep a person's verdict on a place as it is now."""
    kept = find_verdicts(scripts)
    (found,) = kept.repository.findings([place])
    verdict = verdict_on(found, decision, by=by, at=at, note=note)
    append(kept.path, verdict)
    return verdict


def verdict_on(
    found: object, decision: Decision, *, by: str = "ada", at: str = AT, note: str | None = None
) -> Verdict:
    from dataclasses import asdict

    return Verdict(**asdict(found), decision=decision, by=by, at=at, note=note)  # type: ignore[call-overload]
