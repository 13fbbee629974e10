"""Scan of a folder: GLITCH run once a technology that the folder has scripts of, its rows joined.

Nothing is written below the folder: GLITCH reads copies in a temporary directory, and leaves there
whatever it writes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from iacfilter_hpc.errors import DataError, UsageError, counted
from iacfilter_hpc.glitch.checks import (
    Output,
    name_problems,
    output_problems,
    refuse,
    script_problems,
)
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.samples.technologies import TECHNOLOGIES
from iacfilter_hpc.scanning.changes import Changes, changed_since
from iacfilter_hpc.scanning.copies import (
    Found,
    Unread,
    copy_scripts,
    find_scripts,
    original_name,
)
from iacfilter_hpc.scanning.glitch import Glitch, find_glitch

HEADER = b"PATH,LINE,ERROR,DESCRIPTION,CODE"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """Request to scan: which folder, with which GLITCH (None: the one found), and what of it.

    `changed_since` leaves out scripts that are as they were at that revision of git; `untracked`
    keeps those that git does not know yet.
    """

    folder: Path
    glitch: Path | None = None
    changed_since: str | None = None
    untracked: bool = True
    keep_report: Path | None = None

    @property
    def outputs(self) -> list[Output]:
        """The file to be written, if any."""
        return [Output("--keep-report", self.keep_report)] if self.keep_report else []


@dataclass(frozen=True, slots=True)
class TechnologyScan:
    """Scan of one technology: scripts read, rows, and what GLITCH said of those it could not."""

    technology: str
    scripts: int
    rows: int
    complaints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scanned:
    """Scanned folder: GLITCH's report about it, which is gone when the scan ends.

    `scripts` counts those found, of which `changed` (None: not asked) were given to GLITCH.
    """

    request: ScanRequest
    glitch: Glitch
    report: Path
    parts: tuple[TechnologyScan, ...]
    scripts: int
    changed: int | None
    unread: tuple[Unread, ...]

    @property
    def read(self) -> int:
        """Scripts that GLITCH was given."""
        return sum(part.scripts for part in self.parts)

    @property
    def complaints(self) -> list[str]:
        """What GLITCH could not parse, over all technologies."""
        return [text for part in self.parts for text in part.complaints]


def check_scan(request: ScanRequest, outputs: Sequence[Output], inputs: Sequence[Path]) -> None:
    """Raise what is wrong with the request, beside the files of the filter that comes after.

    Raises:
        UsageError: flags that make no sense, outputs that would replace a script, what the filter
            reads, or one another.
    """
    problems = [*output_problems([*outputs, *request.outputs], [])]
    # what GLITCH reports is kept before the filter reads anything
    problems += output_problems(request.outputs, inputs)
    problems += script_problems(request.outputs, request.folder)
    if request.changed_since is None and not request.untracked:
        problems.append(
            UsageError(
                "--no-untracked is about --changed-since, which is not given",
                hint="give both or neither",
            )
        )
    if request.changed_since is not None:
        problems += name_problems("--changed-since", request.changed_since)
    refuse([*_folder_problems(request.folder), *problems])


@contextmanager
def scanned(request: ScanRequest, say: Say) -> Iterator[Scanned]:
    """Run GLITCH on a folder, told to `say`; its report is there until the block ends.

    Raises:
        UsageError: git cannot tell what has changed, the folder holds no script.
        IacfilterError: GLITCH is not installed, or did not end well.
    """
    # before GLITCH is asked anything, which takes seconds
    found = find_scripts(request.folder)
    chosen = _chosen(request, found)
    glitch = find_glitch(request.glitch)
    with tempfile.TemporaryDirectory(prefix="iacfilter-scan-") as temporary:
        scan = _Scan(request.folder, glitch, Path(temporary), say)
        report = Path(temporary, "report.csv")
        with report.open("wb") as rows:
            rows.write(HEADER + b"\n")
            parts = [scan.run(name, files, rows) for name, files in chosen.items()]
        if request.keep_report:
            _keep(report, request.outputs[0].real)
        yield Scanned(
            request,
            glitch,
            report,
            tuple(parts),
            scripts=sum(map(len, found.by_technology.values())),
            changed=sum(map(len, chosen.values())) if request.changed_since else None,
            unread=(*found.unreadable, *scan.unread),
        )


def _folder_problems(folder: Path) -> Iterator[UsageError]:
    if not folder.is_dir():
        yield UsageError(f"{folder} is not a directory", hint="name the folder of the scripts")


def _keep(report: Path, place: Path) -> None:
    with replacing(place) as (kept,), report.open("rb") as rows:
        shutil.copyfileobj(rows, kept)


def _chosen(request: ScanRequest, found: Found) -> dict[str, list[str]]:
    """The scripts to give to GLITCH, by technology; none of a technology is left out."""
    if not found.by_technology:
        known = ", ".join(technology.title for technology in TECHNOLOGIES)
        # a wrong folder must not look like a clean one
        raise UsageError(
            f"{request.folder} holds no script that GLITCH reads",
            hint=f"name the repository's folder, with scripts of {known}",
        )
    if request.changed_since is None:
        return found.by_technology
    changes = changed_since(request.folder, request.changed_since, untracked=request.untracked)
    kept = {name: _changed(files, changes) for name, files in found.by_technology.items()}
    return {name: files for name, files in kept.items() if files}


def _changed(files: list[str], changes: Changes) -> list[str]:
    return [file for file in files if file in changes]


@dataclass(slots=True)
class _Scan:
    """One scan as it goes on, in a temporary directory."""

    folder: Path
    glitch: Glitch
    temporary: Path
    say: Say
    unread: list[Unread] = field(default_factory=list)

    def run(self, technology: str, files: list[str], into: BinaryIO) -> TechnologyScan:
        """Add one technology's rows to a report."""
        copies = self.temporary / technology
        copies.mkdir()
        unread = copy_scripts(self.folder, files, copies)
        self.unread += unread
        read = len(files) - len(unread)
        self.say(f"{self.glitch.shown} reads {counted(read, 'script')} of {technology}")
        part = self.temporary / f"{technology}.csv"
        complaints = self.glitch.lint(technology, copies, part)
        return TechnologyScan(
            technology, read, _append_rows(part, into), tuple(map(_with_original, complaints))
        )


def _append_rows(part: Path, into: BinaryIO) -> int:
    """Copy the rows of one of GLITCH's reports, with the paths of the original scripts."""
    with part.open("rb") as rows:
        header = rows.readline().rstrip(b"\r\n")
        if header != HEADER:
            raise DataError(
                f"GLITCH wrote a report of another form: it begins with {header[:80]!r}, not "
                f"{HEADER.decode()}",
                hint="v2.0.0 and the versions after it can be used",
            )
        # a copy's name has no comma, so the first one ends it
        split = [row.rstrip(b"\r\n").partition(b",") for row in rows]
    # GLITCH takes scripts in an order that changes from run to run, and is right within each
    for path, comma, rest in sorted(split, key=itemgetter(0)):
        into.write(original_name(path) + comma + rest + b"\n")
    return len(split)


def _with_original(complaint: str) -> str:
    """What GLITCH said of a copy, said of the original."""
    text, found, copied = complaint.rpartition(": ./")
    name = original_name(copied.encode()).decode("utf-8", "replace")
    return f"{text}: {name}" if found else complaint
