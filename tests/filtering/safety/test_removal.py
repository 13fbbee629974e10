"""A report of which a smell, or too much, would go is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.filtering.safety.guard import SafetyOptions
from iacfilter_hpc.filtering.safety.removal import spare
from iacfilter_hpc.glitch.decisions import DecidedRow, Tally
from iacfilter_hpc.glitch.reasons import Cause
from iacfilter_hpc.glitch.report import Detection
from iacfilter_hpc.glitch.rows import Row, Span

HTTP, COMMENT = "use_of_http", "suspicious_comment"


def row(smell: str, decision: str | None) -> DecidedRow:
    found = Detection(1, "a.yml", 1, "code", smell, "", "")
    p_tp = {"TP": 0.9, "FP": 0.1, None: None}[decision]
    return DecidedRow(Row(found, Span(0, 0, b"")), "a.yml", None, p_tp, decision)  # type: ignore[arg-type]


def rows(**counts: tuple[int, int, int]) -> list[DecidedRow]:
    """So many judged TP, judged FP and not judged of each smell."""
    return [
        row(smell, decision)
        for smell, each in counts.items()
        for decision, count in zip(("TP", "FP", None), each, strict=True)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({HTTP: (0, 4, 0), COMMENT: (4, 4, 0)}, {}),
        ({HTTP: (0, 5, 0), COMMENT: (4, 4, 0)}, {HTTP: Cause.WHOLE_SMELL}),
        ({HTTP: (0, 5, 9), COMMENT: (4, 4, 0)}, {HTTP: Cause.WHOLE_SMELL}),
        ({HTTP: (1, 50, 0), COMMENT: (20, 4, 0)}, {}),
        ({HTTP: (2, 8, 0)}, {}),
        ({HTTP: (1, 5, 0)}, {HTTP: Cause.TOO_MANY}),
        ({HTTP: (1, 8, 0), COMMENT: (0, 1, 0)}, {HTTP: Cause.TOO_MANY, COMMENT: Cause.TOO_MANY}),
        ({HTTP: (0, 4, 0)}, {}),
        ({HTTP: (0, 4, 0), COMMENT: (0, 4, 0)}, {HTTP: Cause.TOO_MANY, COMMENT: Cause.TOO_MANY}),
    ],
)
def test_a_whole_smell_and_too_large_a_share_stay(
    counts: dict[str, tuple[int, int, int]], kept: dict[str, Cause]
) -> None:
    judged = rows(**counts)
    tally = Tally()
    tally.add(judged)
    found = spare(tally, SafetyOptions())
    assert {smell: reason.cause for smell, reason in found.reasons.items()} == kept
    applied = found.applied(judged)
    assert len(applied) == len(judged)
    for before, after in zip(judged, applied, strict=True):
        if before.decision == "FP" and before.smell in kept:
            assert after.reason is not None and after.decision is after.p_tp is None
        else:
            assert after == before


def test_a_smell_that_is_given_free_goes(tmp_path: Path) -> None:
    tally = Tally()
    tally.add(rows(**{HTTP: (0, 50, 0), COMMENT: (0, 6, 0)}))
    found = spare(tally, SafetyOptions(yes_remove=(HTTP,)))
    assert set(found.reasons) == {COMMENT}
    assert spare(tally, SafetyOptions(yes_remove=(HTTP, COMMENT))).reasons == {}
    free = spare(tally, SafetyOptions(max_removed=1.0))
    assert {reason.cause for reason in free.reasons.values()} == {Cause.WHOLE_SMELL}
