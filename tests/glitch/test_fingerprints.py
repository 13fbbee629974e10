"""iacfilter_hpc.glitch.sarif: a detection is known again after its line has moved."""

from __future__ import annotations

from dataclasses import replace

from iacfilter_hpc.glitch.sarif import REMEMBERED, Occurrences, ReportedLine

REPORTED = ReportedLine("a.yml", "sec_https", "url: http://a.example")


def fingerprints(*lines: ReportedLine) -> list[str]:
    occurrences = Occurrences()
    return [occurrences.fingerprint(each) for each in lines]


def test_a_moved_or_indented_line_is_the_same() -> None:
    moved = replace(REPORTED, content="  url:  'http://a.example'")
    assert fingerprints(REPORTED) == fingerprints(moved)


def test_anything_else_is_another() -> None:
    others = [
        REPORTED,
        replace(REPORTED, file="b.yml"),
        replace(REPORTED, what="sec_hard_pass"),
        replace(REPORTED, content="url: http://b.example"),
        replace(REPORTED, file="a\udcff.yml"),
    ]
    assert len({fingerprints(each)[0] for each in others}) == len(others)


def test_equal_lines_are_numbered_in_the_order_of_the_report() -> None:
    """Rows of one place as well: there are as many results as rows, and none is like another."""
    first, second = fingerprints(REPORTED, REPORTED)
    assert first.partition(":")[0] == second.partition(":")[0]
    assert (first[-2:], second[-2:]) == (":1", ":2")


def test_memory_is_bounded_and_the_files_at_work_are_kept() -> None:
    occurrences = Occurrences()
    for number in range(3 * REMEMBERED):
        occurrences.fingerprint(replace(REPORTED, file=f"{number}.yml"))
        occurrences.fingerprint(REPORTED)
    assert len(occurrences._files) == REMEMBERED
    assert occurrences.fingerprint(REPORTED).endswith(f":{3 * REMEMBERED + 1}")
