"""Samples: one detection with its code and label, and JSON Lines files of them, read and written.

A file is read strictly: wrong lines are named at once, the first ten of them, and the rest counted.
Its fields' rules are in schema.py.
A line that is skipped or mended would be a sample that its author believes to be in the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from iacfilter_hpc.errors import DataError, first_of
from iacfilter_hpc.runs.files import write_atomically
from iacfilter_hpc.samples.hashes import hash_of_content, hash_of_detection, hashes_of_origin
from iacfilter_hpc.samples.technologies import UNKNOWN, technology_of

if TYPE_CHECKING:
    from iacfilter_hpc.samples.schema import SampleFields

Label = Literal["TP", "FP"]
LABELS: tuple[Label, ...] = ("FP", "TP")
"""The two labels; the position of each is the encoder's class id."""

MAX_LINE_BYTES = 8 * 1024 * 1024
"""Far beyond a sample: the longest prompt of the oracle has 2,063 tokens (CodeLlama's)."""


class _Cached:
    """Dictionary for cached properties beside slots; Python makes it when one is asked."""

    # cached_property writes into __dict__, past the frozen __setattr__; it may, as the fields that
    # it is computed from never change

    __slots__ = ("__dict__",)


@dataclass(frozen=True, slots=True)
class Sample(_Cached):
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
    technology: str = UNKNOWN
    technology_is_given: bool = True
    repo: str | None = None
    family: str | None = None

    @property
    def group(self) -> str:
        """Group, which splits and intervals keep whole: the family, else the repository or file."""
        return self.family or self.repo or self.file

    @cached_property
    def key(self) -> str:
        """16 hex digits that stand for the detection, whatever its label and context."""
        return hash_of_detection(self.smell, self.file, self.line, self.content)

    @cached_property
    def content_hash(self) -> str | None:
        """16 hex digits for smell and reported line, wherever it stands; None for an empty line."""
        return hash_of_content(self.smell, self.content)

    @cached_property
    def origin_hashes(self) -> frozenset[str]:
        """16 hex digits each for file, repository and family, as far as the sample names them."""
        return hashes_of_origin(self.file, self.repo, self.family)


@dataclass(frozen=True, slots=True)
class SampleFile:
    """Sample file: its samples in order, and the sha256 of the very bytes they were read from."""

    path: Path
    samples: tuple[Sample, ...]
    sha256: str


def read_sample_file(path: Path, *, unlabelled: bool = False) -> SampleFile:
    """All samples of a file and its sha256; `unlabelled` takes samples with label null too.

    The bytes are read once: whoever replaces the file meanwhile, the sha256 is of these samples.

    Raises:
        DataError: the file cannot be read, holds no sample, or has wrong lines.
    """
    # not at the top: what reads no sample, such as --help, need not wait for pydantic
    from iacfilter_hpc.samples.schema import REQUIRED, likely_cause, parsed

    samples: list[Sample] = []
    problems: list[str] = []
    cause: str | None = None
    sha256 = hashlib.sha256()
    for number, line in _lines(path, sha256):
        too_long = f"longer than {MAX_LINE_BYTES // 2**20} MiB"
        found = [too_long] if line is None else parsed(line, unlabelled=unlabelled)
        if isinstance(found, list):
            # more often than many mistakes a file has one, which all of its lines share
            cause = cause if problems or line is None else likely_cause(line)
            problems += [f"{path}:{number}: {problem}" for problem in found]
        else:
            samples.append(_sample(found))
    if problems:
        fields = f"a sample has the fields {', '.join(REQUIRED)}"
        raise DataError("\n".join(first_of(problems, f"{path}: ")), hint=cause or fields)
    if not samples:
        raise DataError(f"{path} holds no sample", hint="one JSON object a line")
    return SampleFile(path, tuple(samples), sha256.hexdigest())


def read_samples(path: Path, *, unlabelled: bool = False) -> list[Sample]:
    """The samples of a file alone; raises as read_sample_file does."""
    return list(read_sample_file(path, unlabelled=unlabelled).samples)


def _lines(path: Path, sha256: hashlib._Hash) -> Iterator[tuple[int, bytes | None]]:
    """Number and bytes of each line; None stands for a line beyond MAX_LINE_BYTES.

    `sha256` is told every byte, those of such a line too.
    """
    try:
        with path.open("rb") as file:
            number = 0
            # a file without line ends, which is no file of samples, must not fill the memory
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                sha256.update(line)
                # such a line is read on to its end, so that the next one is counted right
                too_long = len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
                while too_long and line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES)
                    sha256.update(line)
                yield number, None if too_long else line.rstrip(b"\r\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _sample(fields: SampleFields) -> Sample:
    return Sample(
        smell=fields.smell,
        file=fields.file,
        content=fields.content,
        line=fields.line,
        detection_span=fields.detection_span,
        with_context=fields.with_context,
        with_prompt=fields.with_prompt,
        label=fields.label,
        source=fields.source,
        confidence=fields.confidence,
        # extension and known places: by words of the path,
        # puppet-openstack-integration-playbooks-*.yml would be Puppet's
        technology=fields.technology or technology_of(fields.file) or UNKNOWN,
        technology_is_given=fields.technology is not None,
        repo=fields.repo,
        family=fields.family,
    )


def line_of(sample: Sample) -> str:
    """A sample as one line of JSON, without line end.

    The ten fields in their order, then technology, repo and family if they are known. Reading it
    gives an equal sample.
    """
    fields: dict[str, object] = {
        "smell": sample.smell,
        "file": sample.file,
        "content": sample.content,
        "line": sample.line,
        "detection_span": list(sample.detection_span),
        "with_context": sample.with_context,
        "with_prompt": sample.with_prompt,
        "label": sample.label,
        "confidence": sample.confidence,
        "source": sample.source,
    }
    # a technology that was only guessed is not written: reading would then take it for given
    if sample.technology_is_given:
        fields["technology"] = sample.technology
    for name, value in (("repo", sample.repo), ("family", sample.family)):
        if value is not None:
            fields[name] = value
    # NaN is no JSON, though Python writes it; ensure_ascii would hide code behind escapes
    return json.dumps(fields, ensure_ascii=False, allow_nan=False)


def text_of(samples: Iterable[Sample]) -> str:
    """A file of samples: one line each."""
    return "".join(f"{line_of(sample)}\n" for sample in samples)


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Replace a file of samples in one step."""
    write_atomically(path, text_of(samples))
