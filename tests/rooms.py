"""The graph of rooms, in figures: python -m tests.rooms [CHECKOUT].

A room is a package, or a module that lies loose in the package's root. An arrow runs between two
rooms where a module of one imports a module of the other, TYPE_CHECKING included. A way up is an
arrow against the order of the import contract; a circle is a set of rooms that reach each other.
"""

from __future__ import annotations

import ast
import statistics
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

NAME = "iacfilter_hpc"


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, its room, its lines, and the modules of ours that it imports."""

    name: str
    room: str
    lines: int
    imports: frozenset[str]


def read_modules(root: Path) -> list[Module]:
    """Every module of a checkout's package, packages' own files aside."""
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts): path
        for path in sorted((root / NAME).rglob("*.py"))
        if path.name != "__init__.py"
    }
    found = []
    for name, path in paths.items():
        text = path.read_text(encoding="utf-8")
        imports = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                named = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                imports |= named & paths.keys()
        found.append(
            Module(name, name.rpartition(".")[0], len(text.splitlines()), frozenset(imports))
        )
    # a module that lies loose is a room of its own, whatever it is called
    return [m if m.room != NAME else Module(m.name, m.name, m.lines, m.imports) for m in found]


def arrows(modules: list[Module]) -> set[tuple[str, str]]:
    """Pairs of rooms, the importing one first."""
    room_of = {module.name: module.room for module in modules}
    pairs = {(m.room, room_of[other]) for m in modules for other in m.imports}
    return {(a, b) for a, b in pairs if a != b}


def circles(pairs: set[tuple[str, str]]) -> list[set[str]]:
    """Sets of rooms that reach each other."""
    rooms = {room for pair in pairs for room in pair}
    reached = {room: {b for a, b in pairs if a == room} for room in rooms}
    for middle in rooms:
        for room in rooms:
            if middle in reached[room]:
                reached[room] |= reached[middle]
    found: list[set[str]] = []
    for room in sorted(rooms):
        circle = {other for other in reached[room] if room in reached[other]}
        if len(circle) > 1 and circle not in found:
            found.append(circle)
    return found


def ways_up(root: Path, pairs: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Arrows against the order of the contract that names every room."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    height = {name: -place for place, name in enumerate(layers)}

    def layer(room: str) -> int | None:
        return height.get(room.removeprefix(f"{NAME}.").partition(".")[0])

    return sorted(
        (a, b)
        for a, b in pairs
        if (one := layer(a)) is not None and (other := layer(b)) is not None and one < other
    )


def main() -> None:
    root = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).resolve().parents[1]
    modules = read_modules(root)
    pairs = arrows(modules)
    sizes = [module.lines for module in modules]
    rooms = {module.room for module in modules}
    largest = max(sum(m.room == room for m in modules) for room in rooms)
    print(f"{len(modules)} modules, {sum(sizes):,} lines, median {statistics.median(sizes):.0f}")
    print(f"{len(rooms)} rooms (the largest has {largest} modules), {len(pairs)} arrows")
    print(f"{len(ways_up(root, pairs))} ways up: {ways_up(root, pairs)}")
    found = circles(pairs)
    print(f"{len(found)} circles: {[sorted(circle) for circle in found]}")


if __name__ == "__main__":
    main()
