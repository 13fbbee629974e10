"""Read JSON Lines files of samples strictly: every bad line is named, all of them at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from iacfilter_hpc.detections.fields import REQUIRED, Label, kind_of, problems_of, shown_name
from iacfilter_hpc.errors import DataError

TECHNOLOGY_OF_SUFFIX = {".pp": "puppet", ".rb": "chef", ".yml": "ansible", ".yaml": "ansible"}
TECHNOLOGIES = tuple(sorted(set(TECHNOLOGY_OF_SUFFIX.values())))
MAX_LINE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One detection. `detection_span` counts lines from 1, both ends included.

    `label` is None where nobody has judged the detection.
    """

    smell: str
    file: str
    content: str
    line: int
    detection_span: tuple[int, int]
    with_context: str
    with_prompt: str
    label: Label | None
    source: str
    confidence: float | None = None
    technology: str = "unknown"
    technology_is_given: bool = True
    repo: str | None = None
    family: str | None = None

    @property
    def group(self) -> str:
        """What splits and intervals keep whole: the family, else the repository, else the file."""
        return self.family or self.repo or self.file

    @property
    def key(self) -> str:
        """16 hex digits that stand for the detection, whatever its label and context."""
        what = json.dumps([self.smell, self.file, self.line, self.content])
        return hashlib.sha256(what.encode()).hexdigest()[:16]


def read_samples(path: Path, *, unlabelled: bool = False) -> list[Sample]:
    """All samples of a file, in its order; `unlabelled` takes those with label null too.

    Raises:
        DataError: the file cannot be read, holds no sample, or has wrong lines (all are named).
    """
    samples: list[Sample] = []
    problems: list[str] = []
    for number, line in _lines(path):
        found = _parsed(line, unlabelled)
        if isinstance(found, Sample):
            samples.append(found)
        else:
            problems += [f"{path}:{number}: {problem}" for problem in found]
    if problems:
        raise DataError("\n".join(problems), hint=f"a sample has the fields {', '.join(REQUIRED)}")
    if not samples:
        raise DataError(f"{path} holds no sample", hint="one JSON object a line")
    return samples


def sha256_of(path: Path) -> str:
    """The hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Number and bytes of each line; None stands for a line beyond MAX_LINE_BYTES."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                too_long = len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
                while too_long and line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES)
                yield number, None if too_long else line.rstrip(b"\r\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(line: bytes | None, unlabelled: bool) -> Sample | list[str]:
    """The sample in a line, or what is wrong with it."""
    if line is None:
        return [f"longer than {MAX_LINE_BYTES // 2**20} MiB"]
    if not line.strip():
        return ["empty line"]
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        return [f"not UTF-8: byte {error.object[error.start]:#04x} at column {error.start + 1}"]
    except json.JSONDecodeError as error:
        return [f"not JSON: {error.msg} at column {error.colno}"]
    except RecursionError:
        return ["not JSON: nested too deeply"]
    except _DuplicateField as error:
        return [f"field {shown_name(str(error))} occurs twice"]
    except ValueError:
        return ["not JSON: a number of thousands of digits"]
    if not isinstance(value, dict):
        return [f"not an object but {kind_of(value)}"]
    return _sample(value, unlabelled)


class _DuplicateField(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise _DuplicateField(name)
        fields[name] = value
    return fields


def _sample(fields: dict[str, Any], unlabelled: bool) -> Sample | list[str]:
    problems = problems_of(fields, unlabelled=unlabelled)
    if problems:
        return problems
    technology = fields.get("technology")
    suffix = PurePosixPath(fields["file"]).suffix.lower()
    return Sample(
        smell=fields["smell"],
        file=fields["file"],
        content=fields["content"],
        line=fields["line"],
        detection_span=(fields["detection_span"][0], fields["detection_span"][1]),
        with_context=fields["with_context"],
        with_prompt=fields["with_prompt"],
        label=fields["label"],
        source=fields["source"],
        confidence=fields.get("confidence"),
        technology=technology or TECHNOLOGY_OF_SUFFIX.get(suffix, "unknown"),
        technology_is_given=technology is not None,
        repo=fields.get("repo"),
        family=fields.get("family"),
    )
