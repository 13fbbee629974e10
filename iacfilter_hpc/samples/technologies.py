"""Technologies: the kinds of scripts that GLITCH reads, one row each. To add one is to add a row.

The first sentence of every prompt names them all (prompt.py): a new row changes it, so a model that
was trained before is then asked in other words than it was taught. Train it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Technology:
    """A technology: its name in samples, its title for people, the extensions of its files."""

    name: str
    title: str
    suffixes: tuple[str, ...]


TECHNOLOGIES = (
    Technology("ansible", "Ansible", (".yml", ".yaml")),
    Technology("chef", "Chef", (".rb",)),
    Technology("puppet", "Puppet", (".pp",)),
)
NAMES = tuple(technology.name for technology in TECHNOLOGIES)
UNKNOWN = "unknown"
"""Stands in a sample for a technology that neither it nor its file's extension tells."""

_BY_SUFFIX = {suffix: each.name for each in TECHNOLOGIES for suffix in each.suffixes}


def technology_of(file: str) -> str | None:
    """The technology that a path's extension tells, in any case; None if it tells none."""
    # the path alone, as the file need not be here: any YAML file is Ansible's then
    return _BY_SUFFIX.get(PurePosixPath(file).suffix.lower())
