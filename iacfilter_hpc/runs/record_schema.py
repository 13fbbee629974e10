"""Record schema: JSON objects that carry the number of their schema, read and written one way.

Every record of a run and of a model goes through a RecordKind, which tells a missing file (None),
one that is damaged, and one of another version from each other. The fields of a record are those
of a frozen dataclass; a default is what a record of an earlier version, which lacks the field, is
taken to say.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.runs.files import write_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST = 40
"""Characters of a value that a message shows."""

NEWER = "a newer version of iacfilter-hpc wrote it: use that one"

# pydantic's words, so that a damaged record reads alike whoever checked it
WORDS: dict[type, str] = {
    str: "a valid string",
    int: "a valid integer",
    float: "a valid number",
    bool: "a valid boolean",
}

Record = TypeVar("Record")
Fields = dict[str, Any]
Check = Callable[[Any, str, list[str]], Any]
"""The value of a field, made of what a key holds; what is wrong with that is added to a list."""


class Unreadable(Exception):
    """A text is no record of its kind; each of `problems` says why."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class NotAnObject(Unreadable):
    """A text is no JSON object; `kind` is what it is not, in a word or two."""

    def __init__(self, problem: str, kind: str = "JSON") -> None:
        super().__init__(problem)
        self.kind = kind


class OtherSchema(Unreadable):
    """A record has another schema than this version reads; `found` is None where it has none."""

    def __init__(self, found: object, reads: int) -> None:
        super().__init__(f"schema is {shown(found)}; this version reads {reads}")
        self.found = found
        self.is_newer = isinstance(found, int) and found > reads


class Damaged(Unreadable):
    """A record of the right schema has wrong fields: one problem each, its key first."""


@dataclass(frozen=True, slots=True)
class RecordKind(Generic[Record]):
    """A kind of record: the schema that this version writes and reads, and how fields become one.

    `make` takes the fields without their schema, and raises Damaged. `error` is what a file that
    cannot be used is reported as, with `hint`, or `version_hint` where its schema is another.
    """

    schema: int
    make: Callable[[Fields], Record]
    error: type[IacfilterError] = IacfilterError
    hint: str | None = None
    version_hint: str | None = None

    def parse(self, text: bytes) -> Record:
        """The record in a text.

        Raises:
            NotAnObject, OtherSchema, Damaged: there is none that this version can read.
        """
        found = json_object(text)
        # the number comes first: fields of another schema are not worth naming
        schema = found.pop("schema", None)
        if type(schema) is not int or schema != self.schema:
            raise OtherSchema(schema, self.schema)
        return self.make(found)

    def find(self, path: Path) -> Record | None:
        """The record in a file; None if there is no file.

        Raises:
            IacfilterError: (as `error`) it cannot be read, is damaged (each wrong key is named), or
                of another schema.
        """
        # not exists() first: in between the file may come or go
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.error(f"{path} cannot be read: {error.strerror}", hint=self.hint) from error
        try:
            return self.parse(text)
        except Unreadable as error:
            raise self._refusal(path, error) from error

    def read(self, path: Path) -> Record:
        """The record in a file that must be there. Raises as `find` does."""
        found = self.find(path)
        if found is None:
            # in the system's words, as any other reason why it cannot be read
            missing = os.strerror(errno.ENOENT)
            raise self.error(f"{path} cannot be read: {missing}", hint=self.hint)
        return found

    def _refusal(self, path: Path, why: Unreadable) -> IacfilterError:
        if isinstance(why, NotAnObject):
            return self.error(f"{path} is not {why.kind}", hint=self.hint)
        if isinstance(why, OtherSchema):
            if why.found is None:
                return self.error(f"{path}: schema is missing", hint=self.hint)
            return self.error(
                f"{path} has schema {shown(why.found)}; this version reads {self.schema}",
                hint=self.version_hint or (NEWER if why.is_newer else self.hint),
            )
        problems = [f"{path}: {problem}" for problem in why.problems]
        return self.error("\n".join(problems), hint=self.hint)


def kind_of(
    made: type[Record],
    *,
    error: type[IacfilterError] = IacfilterError,
    hint: str | None = None,
    version_hint: str | None = None,
) -> RecordKind[Record]:
    """The kind of a frozen dataclass, whose field `schema` has the number as its default.

    Fields may be str, int, float, bool, enums, dataclasses, and lists, dicts (by str) and optional
    ones of these. pydantic is not used, since the commands that watch runs do without it.
    """
    assert is_dataclass(made), "records are dataclasses"
    (schema,) = (each.default for each in fields(made) if each.name == "schema")
    assert isinstance(schema, int), "the default of a record's schema is its number"

    def make(found: Fields) -> Record:
        problems: list[str] = []
        record: Record = _object(made, found, "", problems)
        if problems:
            raise Damaged(*problems)
        return record

    return RecordKind(schema, make, error, hint, version_hint)


def write(path: Path, record: DataclassInstance) -> None:
    """Write a record (a dataclass with its schema), all of it or nothing. Raises OSError."""
    write_json(path, asdict(record))


def json_object(text: bytes) -> Fields:
    """The JSON object in a text.

    Raises:
        NotAnObject: there is none.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg.lower()} at column {error.colno}"
        raise NotAnObject(problem) from error
    except UnicodeDecodeError as error:
        byte = f"byte {error.object[error.start]:#04x} at column {error.start + 1}"
        raise NotAnObject(f"not UTF-8: {byte}") from error
    # ValueError: int() takes no more than 4300 digits, so that a file cannot keep it busy
    except (ValueError, RecursionError) as error:
        problem = "not JSON: nested too deeply, or a number of thousands of digits"
        raise NotAnObject(problem) from error
    if not isinstance(value, dict):
        raise NotAnObject("not an object", "an object")
    return value


def shown(value: object, most: int = MOST) -> str:
    """A value as a file has it: in the words of JSON, short, printable, on one line."""
    # default: what pydantic refused need not come from JSON
    text = json.dumps(value, default=ascii)
    return text if len(text) <= most else f"{text[: most - 3]}..."


@cache
def _check_of(kind: Any) -> Check:
    """How a value of this type is checked; found once, since status reads records by thousands."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in WORDS:
        return partial(_simple, kind)
    # `X | None` has the one origin, Optional[X] the other
    if origin in (UnionType, Union):
        (kind,) = (each for each in arguments if each is not NoneType)
        return partial(_optional, _check_of(kind))
    if origin is list:
        return partial(_list, _check_of(arguments[0]))
    if origin is dict:
        return partial(_dict, _check_of(arguments[1]))
    return partial(_object if is_dataclass(kind) else _member, kind)


def _simple(kind: type, value: Any, key: str, problems: list[str]) -> Any:
    # not isinstance: true is no integer, though bool is a subclass of int
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    return _wrong(value, WORDS[kind], key, problems)


def _optional(check: Check, value: Any, key: str, problems: list[str]) -> Any:
    return None if value is None else check(value, key, problems)


def _list(check: Check, value: Any, key: str, problems: list[str]) -> Any:
    if not isinstance(value, list):
        return _wrong(value, "a valid array", key, problems)
    return [check(each, f"{key}.{index}", problems) for index, each in enumerate(value)]


def _dict(check: Check, value: Any, key: str, problems: list[str]) -> Any:
    if not isinstance(value, dict):
        return _wrong(value, "a valid dictionary", key, problems)
    return {name: check(each, f"{key}.{name}", problems) for name, each in value.items()}


def _member(kind: type[Enum], value: Any, key: str, problems: list[str]) -> Any:
    allowed = [each.value for each in kind]
    # not `in allowed`: an enum may know what to make of a later version's word (_missing_)
    if isinstance(value, type(allowed[0])):
        with suppress(ValueError):
            return kind(value)
    return _wrong(value, " or ".join(map(repr, allowed)), key, problems)


def _object(kind: Any, value: Any, key: str, problems: list[str]) -> Any:
    """An instance of a dataclass; the record itself has an empty key."""
    if not isinstance(value, dict):
        return _wrong(value, "a valid dictionary", key, problems)
    prefix = f"{key}." if key else ""
    checks, required = _fields(kind)
    values = {
        name: checks[name](each, f"{prefix}{name}", problems)
        for name, each in value.items()
        if name in checks
    }
    lacking = [f"{prefix}{name} is missing" for name in required if name not in value]
    # Refused, not ignored: a record is written anew with what was read of it, and would lose them
    unknown = [f"{prefix}{name} is not known to this version" for name in value.keys() - checks]
    problems += [*lacking, *sorted(unknown)]
    # problems of other parts too: the record is refused as a whole, and values may lack a field
    return None if problems else kind(**values)


def _wrong(value: object, wanted: str, key: str, problems: list[str]) -> None:
    problems.append(f"{key} is {shown(value)}: input should be {wanted}")


@cache
def _fields(kind: Any) -> tuple[dict[str, Check], list[str]]:
    """How a dataclass's fields are checked, less `schema`, which its kind does; which must be."""
    # get_type_hints: under `from __future__ import annotations` the types are texts
    types, found = get_type_hints(kind), [each for each in fields(kind) if each.name != "schema"]
    required = [e.name for e in found if e.default is MISSING and e.default_factory is MISSING]
    return {each.name: _check_of(types[each.name]) for each in found}, required
