"""iacfilter_hpc.verdicts.anchor: of places that are alike none is taken for another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.verdicts.anchor import Anchored, Expiry, anchor
from iacfilter_hpc.verdicts.finding import Finding, Place, likeness
from iacfilter_hpc.verdicts.repository import repository_at
from tests.verdicts.made_scripts import SCRIPTS, Made, made

SMELL = "use_of_http"
ONE = replace(made(SCRIPTS[0], 4), file="one.yml")
OTHER = replace(ONE, file="other/two.yml")


def write(root: Path, *scripts: Made) -> None:
    for script in scripts:
        path = root / script.file
        path.parent.mkdir(exist_ok=True)
        path.write_text(script.text())


def place(script: Made, block: int) -> Place:
    return Place(SMELL, script.file, script.line_of(script.units[block]))


def found(root: Path, *places: Place) -> list[Finding]:
    return repository_at(root).findings(places)


def anchored(root: Path, findings: list[Finding]) -> Anchored[Finding]:
    return anchor(findings, repository_at(root))


def test_copies_are_each_known_in_their_own_file(tmp_path: Path) -> None:
    write(tmp_path, ONE, OTHER)
    first, second = found(tmp_path, place(ONE, 1), place(OTHER, 1))
    assert first.fingerprint == second.fingerprint and first.copies == second.copies == 1
    assert set(anchored(tmp_path, [first]).standing) == {place(ONE, 1)}
    assert set(anchored(tmp_path, [first, second]).standing) == {place(ONE, 1), place(OTHER, 1)}


def test_a_copy_does_not_inherit_from_a_file_that_is_gone(tmp_path: Path) -> None:
    """It was there when the other was judged, and nobody has judged it."""
    write(tmp_path, ONE, OTHER)
    findings = found(tmp_path, place(ONE, 1))
    (tmp_path / ONE.file).unlink()
    left = anchored(tmp_path, findings)
    assert not left.standing and [each.why for each in left.expired] == [Expiry.FILE]


def test_one_of_two_new_copies_is_not_the_renamed_file(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    findings = found(tmp_path, place(ONE, 1))
    (tmp_path / ONE.file).unlink()
    write(tmp_path, OTHER, replace(ONE, file="other/three.yml"))
    assert not anchored(tmp_path, findings).standing


def test_what_was_judged_in_its_new_place_comes_first(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    before = found(tmp_path, place(ONE, 1))
    (tmp_path / ONE.file).rename(tmp_path / "new.yml")
    after = found(tmp_path, place(replace(ONE, file="new.yml"), 1))
    assert list(anchored(tmp_path, [*before, *after]).standing.values()) == after


def test_of_equal_blocks_each_is_known_until_the_file_changes(tmp_path: Path) -> None:
    unit = ONE.units[0]
    script = ONE.with_units([unit, ONE.units[1], unit])
    write(tmp_path, script)
    lines = [each for each, text in enumerate(script.lines(), 1) if text == unit.lines[unit.cited]]
    first, second = found(tmp_path, *(Place(SMELL, ONE.file, lines[at]) for at in (0, 2)))
    assert first.fingerprint != second.fingerprint
    assert [each.line for each in anchored(tmp_path, [second]).standing] == [lines[2]]
    # renamed as it is, the file is the same
    (tmp_path / ONE.file).rename(tmp_path / "new.yml")
    assert set(anchored(tmp_path, [second]).standing) == {Place(SMELL, "new.yml", lines[2])}
    # edited anywhere, nothing tells which of the two it was
    write(tmp_path, script.with_units([ONE.units[2], *script.units]))
    (tmp_path / "new.yml").unlink()
    left = anchored(tmp_path, [first, second])
    assert not left.standing and {each.why for each in left.expired} == {Expiry.BLOCK}


def test_equal_lines_of_one_block_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "one.yml"
    path.write_text("- name: a\n  with_items:\n    - http://x\n    - http://x\n    - b\n")
    (second,) = found(tmp_path, Place(SMELL, "one.yml", 4))
    path.write_text(f"- name: z\n{path.read_text()}")
    assert set(anchored(tmp_path, [second]).standing) == {Place(SMELL, "one.yml", 5)}


@pytest.mark.parametrize(
    ("edit", "stands"),
    [(lambda text: f"{text}\n\n", True), (lambda text: f"{text}# more\n", False)],
    ids=["blank lines", "another line"],
)
def test_a_finding_without_a_line_is_of_the_whole_file(
    tmp_path: Path, edit: Callable[[str], str], stands: bool
) -> None:
    write(tmp_path, ONE)
    findings = found(tmp_path, Place("design_long", ONE.file, -1))
    path = tmp_path / ONE.file
    path.write_text(edit(path.read_text()))
    assert bool(anchored(tmp_path, findings).standing) == stands


def test_a_place_without_a_line_in_a_block_is_not_known(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    places = [Place(SMELL, ONE.file, line) for line in (1, 9, 999)]
    assert (ONE.lines()[0], ONE.lines()[8]) == ("---", "")
    assert found(tmp_path, *places, Place(SMELL, "gone.yml", 1)) == []


def test_likeness_is_the_share_of_lines_in_common() -> None:
    def sketch(*lines: int) -> str:
        return "".join(f"{line:08x}" for line in sorted(lines)[:24])

    assert likeness(sketch(*range(10)), sketch(*range(10))) == 1
    assert likeness(sketch(*range(10)), sketch(*range(5, 15))) == 5 / 15
    assert likeness("", "") == 0
    every = sketch(*range(0, 3000, 2)), sketch(*range(3000))
    assert abs(likeness(*every) - 0.5) < 0.1
