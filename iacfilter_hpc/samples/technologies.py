"""Technologies: the kinds of scripts that GLITCH reads, one row each. To add one is to add a row.

The path alone tells which one a script is of, as the script need not be here: first by the places
that only one technology has, then by its extension.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Technology:
    """A technology: its name in samples, its title for people, the extensions of its files.

    `places` are patterns of paths that tell more than an extension that it shares with others.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    places: tuple[str, ...] = ()


TECHNOLOGIES = (
    Technology(
        "ansible",
        "Ansible",
        (".yml", ".yaml"),
        # a role's own file of that name is no action of GitHub
        tuple(f"*/{folder}/action.y*ml" for folder in "tasks handlers defaults vars meta".split()),
    ),
    Technology("chef", "Chef", (".rb",)),
    Technology("puppet", "Puppet", (".pp",)),
    Technology("terraform", "Terraform", (".tf", ".tf.json", ".tfvars")),
    Technology(
        "github-actions",
        "GitHub Actions",
        (".yml", ".yaml"),
        ("*/.github/*", "*/action.y*ml"),
    ),
)
NAMES = tuple(technology.name for technology in TECHNOLOGIES)
UNKNOWN = "unknown"
"""Stands in a sample for a technology that neither it nor its file's path tells."""


def technology_of(file: str) -> str | None:
    """The technology that a path tells, in any case; None if it tells none."""
    # patterns begin with a slash, which a relative path lacks
    path = f"/{file.lower()}"
    # a file called .yml has no extension
    name = path.rpartition("/")[2].lstrip(".")
    named = [each for each in TECHNOLOGIES if name.endswith(each.suffixes)]
    placed = [each for each in named if any(fnmatchcase(path, p) for p in each.places)]
    # any YAML file is Ansible's that no place says to be another's
    return next((each.name for each in (*placed, *named)), None)


def title_of(name: str) -> str:
    """A technology's title; of a name that is none of ours, the name itself."""
    return next((each.title for each in TECHNOLOGIES if each.name == name), name)
