"""iacfilter_hpc.glitch.decisions: every row is counted once, a blank line never."""

from __future__ import annotations

from pathlib import Path

from iacfilter_hpc.glitch.decisions import Counts, Tally
from iacfilter_hpc.glitch.reasons import Cause
from tests.glitch.made_decisions import ROWS, judge, write_all


def test_rows_are_counted_by_outcome_smell_and_reason(tmp_path: Path) -> None:
    report, scripts = write_all(tmp_path, f"{ROWS}\n  \n\nwork/b.yml,1,sec_https,x\n")
    tally = Tally()
    judged = judge(report, scripts)
    tally.add(judged[:5])
    tally.add(judged[5:])
    assert tally.total() == Counts(tp=3, fp=4, unjudged=7)
    assert (tally.total().rows, tally.total().kept) == (14, 10)
    assert tally.by_smell() == {
        # a code of no smell is counted by its own name, and what is no row as other
        "design_long_statement": Counts(unjudged=1),
        "hard_coded_secret": Counts(fp=2),
        "other": Counts(unjudged=1),
        "suspicious_comment": Counts(tp=1, fp=1),
        "use_of_http": Counts(tp=2, fp=1, unjudged=5),
    }
    outside = f"its path is not below work, or leads out of {scripts.folder}"
    reasons = tally.reasons()
    assert next(iter(reasons.items())) == ("file is missing", 2)
    assert reasons == {
        "file is missing": 2,
        "line N is past the end (N lines)": 1,
        "line is N": 1,
        outside: 1,
        "code design_long_statement is none of GLITCH's 43 rules": 1,
        "not PATH,LINE,CODE,REPR": 1,
    }
    assert {cause: tally.because(cause) for cause in Cause if tally.because(cause)} == {
        Cause.MISSING: 2,
        Cause.NO_SUCH_LINE: 2,
        Cause.OUTSIDE: 1,
        Cause.UNKNOWN_CODE: 1,
        Cause.BAD_ROW: 1,
    }


def test_a_path_that_is_no_utf8_is_not_taken_for_one_outside(tmp_path: Path) -> None:
    rows = b"work/caf\xe9.yml,1,sec_https,x\n/etc/hosts.yml,1,sec_https,x\n"
    report, scripts = write_all(tmp_path, rows)
    tally = Tally()
    tally.add(judge(report, scripts))
    assert (tally.because(Cause.NOT_UTF8), tally.because(Cause.OUTSIDE)) == (1, 1)


def test_nothing_read_is_nothing_counted() -> None:
    assert (Tally().total(), Tally().by_smell(), Tally().reasons()) == (Counts(), {}, {})
