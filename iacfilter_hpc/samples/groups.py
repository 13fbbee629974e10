"""Groups: the repository and family of each script, from a CSV file or one name for all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.samples.byte_lines import QUOTED, unreadable
from iacfilter_hpc.samples.sample import Sample


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a script. A family is a repository with its forks and near-copies."""

    repo: str | None = None
    family: str | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """The origin of each file; `rest` is that of files not named."""

    by_file: Mapping[str, Origin] = field(default_factory=dict)
    rest: Origin = Origin()

    def of(self, file: str) -> Origin:
        """A file's origin; its fields are None where nothing is known."""
        return self.by_file.get(file, self.rest)


def read_groups(path: Path) -> Groups:
    """Groups from a CSV file with a column `file` and `repo` or `family` or both; others may be.

    Raises:
        DataError: the file cannot be read, lacks the columns, or contradicts itself.
    """
    try:
        # spreadsheets put a byte order mark before the first column's name; strict, as csv would
        # otherwise take all that follows a quote that is never closed for one field
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _groups(path, csv.DictReader(file, strict=True))
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason}", hint="save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} is not CSV: {error}", hint=QUOTED) from error


def with_groups(samples: Iterable[Sample], groups: Groups) -> list[Sample]:
    """The samples, with repo and family where `groups` knows them."""
    return [_with_origin(sample, groups.of(sample.file)) for sample in samples]


def _with_origin(sample: Sample, origin: Origin) -> Sample:
    # the groups file wins: somebody has named it for just these samples
    return replace(sample, repo=origin.repo or sample.repo, family=origin.family or sample.family)


def _groups(path: Path, rows: csv.DictReader[str]) -> Groups:
    columns = rows.fieldnames or []
    if "file" not in columns or not {"repo", "family"} & set(columns):
        raise DataError(
            f"{path}:1: the columns are {', '.join(columns) or 'none'}",
            hint="a groups file needs a column file, and repo or family or both",
        )
    found: dict[str, Origin] = {}
    problems = []
    for row in rows:
        # the line of the file, not the count of rows: a quoted field may hold line ends
        number = rows.line_num
        name = _filled(row["file"])
        origin = Origin(_filled(row.get("repo")), _filled(row.get("family")))
        # csv puts what is beyond the header under None, and None for what is missing
        if name is None or None in row or None in row.values():
            lacking = f"it does not have {len(columns)} columns, or names no file"
            problems.append(f"{path}:{number}: {lacking}")
        elif found.setdefault(name, origin) != origin:
            problems.append(f"{path}:{number}: {name} has another repo or family than above")
    if problems:
        raise DataError("\n".join(problems), hint="one repo and one family for each file")
    return Groups(found)


def _filled(value: str | None) -> str | None:
    return (value or "").strip() or None
