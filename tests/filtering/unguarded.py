"""Flags with which iacfilter-filter removes whatever the model says, to test the rest of it."""

from __future__ import annotations

from pathlib import Path

from iacfilter_hpc.samples.smells import NAMES

NO_RULES = Path(__file__).parent / "no_rules.yaml"
"""Switches the shipped rule off."""
SAID_OF_IT = "switches off that what looks like a live credential is kept"


def unguarded() -> list[str]:
    """The flags."""
    smells = [word for name in NAMES for word in ("--yes-remove", name)]
    minimum = ["--min-train-tp", "0", "--min-validation-tp", "0", "--max-removed", "1"]
    minimum += ["--min-smell-recall", "0"]
    return ["--allow-tiny", *minimum, *smells, "--rules", str(NO_RULES)]


def other_warnings(warnings: list[str]) -> list[str]:
    """Warnings but the one that these flags give."""
    return [warning for warning in warnings if not warning.endswith(SAID_OF_IT)]
