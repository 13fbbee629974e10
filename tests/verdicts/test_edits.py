"""200 edits after which a verdict must hold, or must not: fingerprints, anchors and renames."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from iacfilter_hpc.verdicts.anchor import anchor
from iacfilter_hpc.verdicts.blocks import SYNTAX_OF
from iacfilter_hpc.verdicts.finding import Place
from iacfilter_hpc.verdicts.repository import repository_at
from tests.verdicts.made_scripts import SCRIPTS, SHARED, Made, Unit, made

SMELL = "use_of_http"
UNITS = 4
EDITS = 200


@dataclass
class World:
    """A repository with one script, and the block in it that a person has judged."""

    root: Path
    draw: random.Random
    script: Made
    unit: Unit

    def write(self, script: Made, text: str | None = None) -> None:
        path = self.root / script.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script.text() if text is None else text, newline="")

    def remove(self) -> None:
        (self.root / self.script.file).unlink()

    def renamed(self, script: Made | None = None) -> Made:
        chosen = script or self.script
        suffix = self.draw.choice(SYNTAX_OF[Path(chosen.file).suffix].suffixes)
        return replace(chosen, file=f"elsewhere/{self.draw.randrange(9)}/new{suffix}")

    @property
    def others(self) -> list[Unit]:
        return [each for each in self.script.units if each != self.unit]

    def place(self, script: Made) -> set[tuple[str, int]]:
        return {(script.file, script.line_of(self.unit))}


Edit = Callable[[World], set[tuple[str, int]]]
"""Changes the repository; what it gives is where the verdict must be found: nowhere, or there."""
NOWHERE: set[tuple[str, int]] = set()


def put(world: World, units: list[Unit]) -> set[tuple[str, int]]:
    script = world.script.with_units(units)
    world.write(script)
    return world.place(script) if world.unit in units else NOWHERE


def changed(world: World, unit: Unit, edit: Callable[[list[str], int], None]) -> list[Unit]:
    """All blocks, of which one has a line edited that is not cited."""
    lines = list(unit.lines)
    # a text that no longer ends takes in all that follows
    fit = [i for i, line in enumerate(lines) if i != unit.cited and "EOF" not in line]
    at = world.draw.choice(fit)
    edit(lines, at)
    return [Unit(tuple(lines), 0) if each == unit else each for each in world.script.units]


def to(text: str) -> Callable[[list[str], int], None]:
    def edit(lines: list[str], at: int) -> None:
        lines[at] = f"{lines[at]}{text}"

    return edit


def insert_blocks(world: World) -> set[tuple[str, int]]:
    units = list(world.script.units)
    for n in range(world.draw.randint(1, 3)):
        units.insert(world.draw.randint(0, len(units)), world.script.unit(100 + n))
    return put(world, units)


def remove_another(world: World) -> set[tuple[str, int]]:
    gone = world.draw.choice(world.others)
    return put(world, [each for each in world.script.units if each != gone])


def change_another(world: World) -> set[tuple[str, int]]:
    return put(world, changed(world, world.draw.choice(world.others), to("9")))


def shuffle(world: World) -> set[tuple[str, int]]:
    units = list(world.script.units)
    world.draw.shuffle(units)
    return put(world, units)


def indent_another(world: World) -> set[tuple[str, int]]:
    other = world.draw.choice(world.others)
    wide = [line[: len(line) - len(line.lstrip())] + line for line in other.lines]
    # an item keeps its keys below its name
    if other.lines[0].startswith("- "):
        wide = [f"-   {wide[0][2:]}", *(f"  {line}" for line in other.lines[1:])]
    new = Unit(tuple(wide), other.cited)
    return put(world, [new if each == other else each for each in world.script.units])


def rename(world: World) -> set[tuple[str, int]]:
    script = world.renamed()
    world.remove()
    world.write(script)
    return world.place(script)


def rename_and_edit(world: World) -> set[tuple[str, int]]:
    script = world.renamed()
    units = [*script.units, script.unit(100)]
    world.draw.shuffle(units)
    world.remove()
    world.write(script.with_units(units))
    return world.place(script.with_units(units))


def other_line_ends(world: World) -> set[tuple[str, int]]:
    ending = world.draw.choice(["\r\n", "  \n", "\t\r\n"])
    world.write(world.script, world.script.text().replace("\n", ending))
    return world.place(world.script)


def copy_the_file(world: World) -> set[tuple[str, int]]:
    """The copy is another place, and nobody has judged it."""
    world.write(world.renamed())
    return world.place(world.script)


def cite_the_line_again(world: World) -> set[tuple[str, int]]:
    """In a block of its own, and above the judged one."""
    return put(world, [world.script.unit(100), *world.script.units])


def comment_elsewhere(world: World) -> set[tuple[str, int]]:
    other = world.draw.choice(world.others)
    note = Unit((f"{world.script.comment} see {SHARED}", *other.lines), other.cited + 1)
    return put(world, [note if each == other else each for each in world.script.units])


def change_the_line(world: World) -> set[tuple[str, int]]:
    lines = list(world.unit.lines)
    lines[world.unit.cited] = lines[world.unit.cited].replace(SHARED, f"{SHARED}/more")
    new = Unit(tuple(lines), world.unit.cited)
    return put(world, [new if each == world.unit else each for each in world.script.units])


def change_the_block(world: World) -> set[tuple[str, int]]:
    return put(world, changed(world, world.unit, to("9")))


def shorten_the_block(world: World) -> set[tuple[str, int]]:
    def edit(lines: list[str], at: int) -> None:
        # what opens or closes a block is no line to be lost
        inner = [i for i in range(1, len(lines) - 1) if lines[i].strip()[-1].isalnum()]
        del lines[world.draw.choice([i for i in inner if i != world.unit.cited] or [at])]

    return put(world, changed(world, world.unit, edit))


def lengthen_the_block(world: World) -> set[tuple[str, int]]:
    def edit(lines: list[str], _: int) -> None:
        cited = lines[world.unit.cited]
        lines.insert(world.unit.cited + world.draw.randint(0, 1), cited.replace("shared", "more"))

    return put(world, changed(world, world.unit, edit))


def comment_the_block(world: World) -> set[tuple[str, int]]:
    new = Unit((f"{world.script.comment} no longer a test", *world.unit.lines), 0)
    return put(world, [new if each == world.unit else each for each in world.script.units])


def double_the_block(world: World) -> set[tuple[str, int]]:
    """Which of the two was judged nobody can tell."""
    units = list(world.script.units)
    units.insert(world.draw.randint(0, len(units)), world.unit)
    return put(world, units) and NOWHERE


def remove_the_block(world: World) -> set[tuple[str, int]]:
    return put(world, world.others)


def replace_the_block(world: World) -> set[tuple[str, int]]:
    """The same line comes back, in another block of the same file."""
    return put(world, [*world.others, world.script.unit(100)])


def remove_the_file(world: World) -> set[tuple[str, int]]:
    world.remove()
    return NOWHERE


def move_the_block(world: World) -> set[tuple[str, int]]:
    """To another file, as the same text: it is judged anew there."""
    put(world, world.others)
    world.write(world.renamed(world.script.with_units([world.unit])))
    return NOWHERE


def move_to_an_unlike_file(world: World) -> set[tuple[str, int]]:
    script = made(world.renamed(), 12, start=200)
    world.remove()
    world.write(script.with_units([*script.units, world.unit]))
    return NOWHERE


def move_below_another_condition(world: World) -> set[tuple[str, int]]:
    script = world.script
    if not script.other_head:
        return change_the_line(world)
    world.write(replace(script, head=script.other_head))
    return NOWHERE


HOLD: tuple[Edit, ...] = (
    insert_blocks,
    remove_another,
    change_another,
    shuffle,
    indent_another,
    rename,
    rename_and_edit,
    other_line_ends,
    copy_the_file,
    cite_the_line_again,
    comment_elsewhere,
)
EXPIRE: tuple[Edit, ...] = (
    change_the_line,
    change_the_block,
    shorten_the_block,
    lengthen_the_block,
    comment_the_block,
    double_the_block,
    remove_the_block,
    replace_the_block,
    remove_the_file,
    move_the_block,
    move_to_an_unlike_file,
    move_below_another_condition,
)
CASES = [
    (seed, SCRIPTS[seed % len(SCRIPTS)], edit)
    for seed, edit in enumerate(((HOLD + EXPIRE) * EDITS)[:EDITS])
]


@pytest.mark.parametrize(
    ("seed", "script", "edit"), CASES, ids=[f"{n}-{s.name}-{e.__name__}" for n, s, e in CASES]
)
def test_an_edit(tmp_path: Path, seed: int, script: Made, edit: Edit) -> None:
    draw = random.Random(seed)
    whole = made(script, UNITS)
    world = World(tmp_path, draw, whole, draw.choice(whole.units))
    world.write(whole)
    (file, line), *_ = world.place(whole)
    findings = repository_at(tmp_path).findings([Place(SMELL, file, line)])
    assert set(anchor(findings, repository_at(tmp_path)).standing) == {Place(SMELL, file, line)}
    expected = edit(world)
    found = anchor(findings, repository_at(tmp_path))
    assert {(place.file, place.line) for place in found.standing} == expected
    assert len(found.expired) == (not expected)


def test_every_edit_meets_every_technology() -> None:
    assert len(CASES) == EDITS
    assert {(script.name, edit) for _, script, edit in CASES} == {
        (script.name, edit) for script in SCRIPTS for edit in HOLD + EXPIRE
    }
