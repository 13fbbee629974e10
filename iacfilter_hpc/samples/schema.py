"""Schema of a sample file: the fields of a line, what each must be, and a line parsed by it.

pydantic checks a line's fields at once, in compiled code. It comes with this module alone, so that
who imports samples and reads none does not wait for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import CoreSchema, core_schema

from iacfilter_hpc.runs.record_schema import shown

SHOWN = 60
"""Characters of a value that a message shows."""
TEXT = "text"
LABEL = "TP or FP"


@dataclass(frozen=True, slots=True)
class Expected:
    """Words for what a field must be, whatever is wrong with it: `field line is 0, not <words>`.

    Source: https://docs.pydantic.dev/latest/api/pydantic_core_schema/#custom_error_schema
    """

    words: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.custom_error_schema(
            handler(source), "unexpected", custom_error_message=self.words
        )


def _in_order(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] > span[1]:
        raise ValueError("its first line is after its last")
    return span


# strict throughout: pydantic would else take "3" for the line 3, and true for 1.
# half of a surrogate pair, which JSON can write, is no text for pydantic: no tokenizer takes it
Text = Annotated[str, Field(strict=True, pattern=r"^[^\x00]*$"), Expected(TEXT)]
# \x1c to \x1f are white space for Python's str.strip, but not for the \s of this pattern
Filled = Annotated[
    str, Field(strict=True, pattern=r"^[^\x00]*[^\s\x00\x1c-\x1f][^\x00]*$"), Expected(TEXT)
]
OptionalText = Annotated[Filled | None, Expected(TEXT)]
LineNumber = Annotated[int, Field(strict=True, ge=1), Expected("a line number from 1")]
Span = Annotated[
    tuple[LineNumber, LineNumber],
    AfterValidator(_in_order),
    Expected("[first line, last line]"),
]
# a union, so that 1 stays 1 where a file is written again, and does not become 1.0
Share = Annotated[
    Annotated[int, Field(strict=True, ge=0, le=1)]
    | Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
    | None,
    Expected("null or a number from 0 to 1"),
]


@dataclass(frozen=True, slots=True)
class SampleFields:
    """The fields of a line, in the order in which messages name them; optional ones may be null."""

    smell: Filled
    file: Filled
    content: Text
    line: LineNumber
    detection_span: Span
    with_context: Text
    with_prompt: Filled
    # null is for _checked to refuse: one schema serves both kinds of files, and is built once
    label: Annotated[Literal["TP", "FP"] | None, Expected(LABEL)]
    source: Text
    # a field of the schema, yet later files of the data's authors lack it
    confidence: Share = None
    technology: OptionalText = None
    repo: OptionalText = None
    family: OptionalText = None


REQUIRED = tuple(each.name for each in fields(SampleFields) if each.default is MISSING)
OPTIONAL = tuple(each.name for each in fields(SampleFields) if each.default is not MISSING)
KNOWN = frozenset((*REQUIRED, *OPTIONAL))
FIELDS = TypeAdapter(SampleFields)


def parsed(line: bytes, *, unlabelled: bool = False) -> SampleFields | list[str]:
    """The fields of a line, or everything that is wrong with it, in words.

    `unlabelled` allows label null.
    """
    if not line.strip():
        return ["empty line"]
    try:
        # json, not pydantic's own parser: that keeps the last of two fields of a name, unseen
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        return [f"not UTF-8: byte {error.object[error.start]:#04x} at column {error.start + 1}"]
    except json.JSONDecodeError as error:
        return [f"not JSON: {error.msg} at column {error.colno}"]
    # of a hostile or broken line, which is an error of the file like any other, not of the program
    except RecursionError:
        return ["not JSON: nested too deeply"]
    except _DuplicateField as error:
        return [f"field {_shown_name(str(error))} occurs twice"]
    # Python refuses to read such an integer, as its time would grow with the square of the digits
    except ValueError:
        return ["not JSON: a number of thousands of digits"]
    if not isinstance(value, dict):
        return [f"not an object but {_kind_of(value)}"]
    return _checked(value, unlabelled)


def likely_cause(line: bytes) -> str | None:
    """What is probably wrong with a whole file, by its first wrong line, as a hint; or None."""
    text = line.removeprefix(b"\xef\xbb\xbf").strip()
    # a list of objects, or an object over several lines
    if text[:1] == b"[" or text == b"{":
        return "this is JSON, not JSON Lines: write each sample as an object on one line"
    if text[:1] != b"{":
        commas = text.count(b",") > 1
        return "this is CSV: iacfilter-data import makes samples of a report" if commas else None
    try:
        label = json.loads(text).get("label", LABEL)
    except (ValueError, RecursionError):
        return None
    if label is None:
        return "these samples have no labels: iacfilter-data import --oracle CSV gives them some"
    if isinstance(label, str) and label not in ("TP", "FP") and label.upper() in ("TP", "FP"):
        return f"write {label.upper()}, not {label}"
    return None


class _DuplicateField(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _DuplicateField(_first_again(name for name, _ in pairs))
    return fields


def _first_again(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("no name occurs twice")


def _checked(values: Mapping[str, Any], unlabelled: bool) -> SampleFields | list[str]:
    """The fields of a line, or everything that is wrong with them."""
    # pydantic could not say which unknown field has a name that is no text
    known = {name: value for name, value in values.items() if name in KNOWN}
    found, expected = None, dict[str, str]()
    try:
        found = FIELDS.validate_python(known)
    except ValidationError as error:
        # a field that is missing has no value to be shown, and is named by itself
        details = error.errors(include_url=False, include_context=False)
        expected = {str(each["loc"][0]): each["msg"] for each in details}
    if not unlabelled and known.get("label", LABEL) is None:
        expected["label"] = LABEL
    if found is not None and not expected and len(known) == len(values):
        return found
    # unknown fields are errors: a misspelt `famly` would else be a family that is silently missing
    missing = [f"field {name} is missing" for name in REQUIRED if name not in values]
    unknown = [
        f"field {_shown_name(name)} is unknown (allowed: {', '.join([*REQUIRED, *OPTIONAL])})"
        for name in values
        if name not in KNOWN
    ]
    wrong = [
        f"field {name} is {shown(value, SHOWN)}, not {_words(expected[name], value)}"
        for name, value in known.items()
        if name in expected
    ]
    return [*missing, *unknown, *wrong]


def _words(expected: str, value: object) -> str:
    """What a field must be; of what should be text, what this value lacks to be that."""
    if expected != TEXT:
        return expected
    if not isinstance(value, str):
        return "a string"
    if "\0" in value:
        return "text without NUL characters"
    return "text of whole characters" if any(map(_is_surrogate, value)) else TEXT


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _shown_name(name: str) -> str:
    """A field's name for a message; quoted where it could break the line it stands in."""
    # it comes from the file: escape codes and line ends in it must not reach a terminal
    return name if name.isascii() and name.isidentifier() else shown(name, SHOWN)


def _kind_of(value: object) -> str:
    """JSON's name for a value's type."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")
