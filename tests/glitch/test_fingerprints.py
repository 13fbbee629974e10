"""iacfilter_hpc.glitch.sarif: a detection is known again after its line has moved."""

from __future__ import annotations

from dataclasses import replace

from iacfilter_hpc.glitch.sarif import REMEMBERED, Occurrences, Place

PLACE = Place("a.yml", "use_of_http", 3, "url: http://a.example")


def fingerprints(*places: Place) -> list[str | None]:
    occurrences = Occurrences()
    return [occurrences.fingerprint(place) for place in places]


def test_a_moved_or_indented_line_is_the_same() -> None:
    moved = replace(PLACE, line=30, content="  url:  'http://a.example'")
    assert fingerprints(PLACE) == fingerprints(moved)


def test_anything_else_is_another() -> None:
    others = [
        PLACE,
        replace(PLACE, file="b.yml"),
        replace(PLACE, what="hard_coded_secret"),
        replace(PLACE, content="url: http://b.example"),
        replace(PLACE, file="a\udcff.yml"),
    ]
    assert len({fingerprints(each)[0] for each in others}) == len(others)


def test_equal_lines_are_numbered_in_the_order_of_the_report() -> None:
    first, second = fingerprints(PLACE, replace(PLACE, line=9))
    assert first and second
    assert first.partition(":")[0] == second.partition(":")[0]
    assert (first[-2:], second[-2:]) == (":1", ":2")


def test_one_place_is_reported_once() -> None:
    """GLITCH writes a password under two codes of one smell."""
    assert fingerprints(PLACE, PLACE)[1] is None
    assert fingerprints(PLACE, replace(PLACE, what="other"))[1] is not None


def test_memory_is_bounded_and_the_files_at_work_are_kept() -> None:
    occurrences = Occurrences()
    for number in range(3 * REMEMBERED):
        occurrences.fingerprint(replace(PLACE, file=f"{number}.yml"))
        occurrences.fingerprint(PLACE)
    assert len(occurrences._files) == REMEMBERED
    assert occurrences.fingerprint(PLACE) is None
