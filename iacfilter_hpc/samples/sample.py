"""Samples: their fields, and JSON Lines files of them, read strictly and written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.runs.files import write_atomically

Label = Literal["TP", "FP"]
LABELS: tuple[Label, ...] = ("FP", "TP")
"""The two labels; the position of each is the encoder's class id."""

REQUIRED = "smell file content line detection_span with_context with_prompt label source".split()
OPTIONAL = "confidence technology repo family".split()


def problems_of(fields: dict[str, Any], *, unlabelled: bool = False) -> list[str]:
    """Everything that is wrong with a sample's fields, in words; `unlabelled` allows label null."""
    problems = [f"field {name} is missing" for name in REQUIRED if name not in fields]
    problems += [
        f"field {shown_name(name)} is unknown (allowed: {', '.join([*REQUIRED, *OPTIONAL])})"
        for name in fields
        if name not in REQUIRED and name not in OPTIONAL
    ]
    for name, value in fields.items():
        check = CHECKS.get(name)
        if unlabelled and name == "label" and value is None:
            continue
        if check and (wanted := check(value)):
            problems.append(f"field {name} is {_shown(value)}, not {wanted}")
    return problems


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_line(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return "a string"
    if "\0" in value:
        return "text without NUL characters"
    # JSON can write half of a surrogate pair, which no tokenizer and no file takes
    return None if value.isprintable() or _is_unicode(value) else "text of whole characters"


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _filled(value: object) -> str | None:
    return _text(value) or (None if str(value).strip() else "text")


def _optional_text(value: object) -> str | None:
    return None if value is None else _filled(value)


def _label(value: object) -> str | None:
    return None if isinstance(value, str) and value in LABELS else "TP or FP"


def _line(value: object) -> str | None:
    return None if _is_line(value) else "a line number from 1"


def _span(value: object) -> str | None:
    fits = isinstance(value, list) and len(value) == 2 and all(map(_is_line, value))
    return None if fits and value[0] <= value[1] else "[first line, last line]"  # type: ignore[index]


def _confidence(value: object) -> str | None:
    # NaN is in no range
    fits = value is None or (_is_number(value) and 0 <= value <= 1)  # type: ignore[operator]
    return None if fits else "null or a number from 0 to 1"


CHECKS = {
    "smell": _filled,
    "file": _filled,
    "content": _text,
    "line": _line,
    "detection_span": _span,
    "with_context": _text,
    "with_prompt": _filled,
    "label": _label,
    "confidence": _confidence,
    "source": _text,
    "technology": _optional_text,
    "repo": _optional_text,
    "family": _optional_text,
}
"""What each field must be: a check answers None, or what was expected."""


def kind_of(value: object) -> str:
    """JSON's name for a value's type."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def shown_name(name: str) -> str:
    """A field's name for a message; quoted where it could break the line it stands in."""
    return name if name.isascii() and name.isidentifier() else _shown(name)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


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


def line_of(sample: Sample) -> str:
    """A sample as one line of JSON, without line end.

    The ten fields in their order, then technology, repo and family if they are known.
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
    if sample.technology_is_given:
        fields["technology"] = sample.technology
    for name, value in (("repo", sample.repo), ("family", sample.family)):
        if value is not None:
            fields[name] = value
    return json.dumps(fields, ensure_ascii=False, allow_nan=False)


def text_of(samples: Iterable[Sample]) -> str:
    """A file of samples: one line each."""
    return "".join(f"{line_of(sample)}\n" for sample in samples)


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Replace a file of samples in one step."""
    write_atomically(path, text_of(samples))
