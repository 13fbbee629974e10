"""iacfilter_hpc.runs.record_schema: one reader tells missing, damaged and newer records apart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError, IacfilterError, TrainingError
from iacfilter_hpc.runs.record_schema import (
    NEWER,
    Damaged,
    NotAnObject,
    OtherSchema,
    json_object,
    kind_of,
    shown,
    write,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Part:
    size: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    schema: int = 3
    name: str
    share: float
    is_good: bool
    colour: Colour
    step: int | None
    parts: dict[str, Part]
    words: list[str]
    added_later: int = 7
    also: list[int] = field(default_factory=list)


THING = kind_of(Thing)
MADE = Thing(
    name="a",
    share=0.5,
    is_good=True,
    colour=Colour.RED,
    step=None,
    parts={"x": Part(1, "n")},
    words=["b"],
)
WRITTEN = {
    "schema": 3,
    "name": "a",
    "share": 0.5,
    "is_good": True,
    "colour": "red",
    "step": None,
    "parts": {"x": {"size": 1, "note": "n"}},
    "words": ["b"],
    "added_later": 7,
    "also": [],
}


def parsed(**changes: object) -> Thing:
    return THING.parse(json.dumps(WRITTEN | changes).encode())


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    write(path, MADE)
    assert path.read_text() == json.dumps(WRITTEN, indent=2) + "\n"
    found = THING.read(path)
    assert found == MADE
    assert type(found.colour) is Colour and type(found.parts["x"]) is Part


def test_what_an_earlier_version_lacked_has_its_default() -> None:
    fields = {name: value for name, value in WRITTEN.items() if name not in ("added_later", "also")}
    assert THING.parse(json.dumps(fields).encode()) == MADE
    assert parsed(share=1, parts={"x": {"size": 2}}).parts == {"x": Part(2)}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": 1}, "name is 1: input should be a valid string"),
        ({"name": None}, "name is null: input should be a valid string"),
        ({"share": "high"}, 'share is "high": input should be a valid number'),
        ({"share": True}, "share is true: input should be a valid number"),
        ({"is_good": 1}, "is_good is 1: input should be a valid boolean"),
        ({"colour": "green"}, "colour is \"green\": input should be 'red' or 'blue'"),
        ({"colour": []}, "colour is []: input should be 'red' or 'blue'"),
        ({"step": True}, "step is true: input should be a valid integer"),
        ({"step": 1.5}, "step is 1.5: input should be a valid integer"),
        ({"parts": []}, "parts is []: input should be a valid dictionary"),
        ({"parts": {"x": 1}}, "parts.x is 1: input should be a valid dictionary"),
        ({"parts": {"x": {}}}, "parts.x.size is missing"),
        ({"parts": {"x": {"size": 1, "y": 1}}}, "parts.x.y is not known to this version"),
        ({"words": "ab"}, 'words is "ab": input should be a valid array'),
        ({"words": ["a", 2]}, "words.1 is 2: input should be a valid string"),
        ({"more": 1}, "more is not known to this version"),
    ],
)
def test_each_wrong_field_is_named(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(Damaged) as caught:
        parsed(**changes)
    assert caught.value.problems == (problem,)


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(Damaged) as caught:
        THING.parse(b'{"schema": 3, "name": 1, "z": 1, "share": 0, "step": 2, "b": 1}')
    assert caught.value.problems == (
        "name is 1: input should be a valid string",
        "is_good is missing",
        "colour is missing",
        "parts is missing",
        "words is missing",
        "b is not known to this version",
        "z is not known to this version",
    )


@pytest.mark.parametrize("schema", [4, 2, 0, "3", 3.0, True, None, [3]])
def test_another_schema_is_not_damage(schema: object) -> None:
    """Whatever its fields are: they may mean something else."""
    with pytest.raises(OtherSchema, match=r"; this version reads 3$") as caught:
        THING.parse(json.dumps({"schema": schema, "other": 1}).encode())
    assert caught.value.is_newer == (schema == 4)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "not JSON: expecting value at column 1"),
        (b'{"a', "not JSON: unterminated string starting at at column 2"),
        (b'{"\xff"', "not UTF-8: byte 0xff at column 3"),
        (b"[" * 100_000, "not JSON: nested too deeply, or a number of thousands of digits"),
        (b"9" * 5000, "not JSON: nested too deeply, or a number of thousands of digits"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
    ],
)
def test_what_is_no_object(text: bytes, problem: str) -> None:
    with pytest.raises(NotAnObject) as caught:
        json_object(text)
    assert caught.value.problems == (problem,)


def test_a_missing_file_is_none_where_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    assert THING.find(path) is None
    with pytest.raises(IacfilterError, match=r"thing\.json cannot be read: No such file"):
        THING.read(path)
    with pytest.raises(IacfilterError, match="cannot be read: Is a directory"):
        THING.find(tmp_path)


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("{", " is not JSON", "damage"),
        ("3", " is not an object", "damage"),
        ("{}", ": schema is missing", "damage"),
        ('{"schema": 2}', " has schema 2; this version reads 3", "version"),
        ('{"schema": 4}', " has schema 4; this version reads 3", "version"),
        ('{"schema": 3, "x": 1}', ": name is missing", "damage"),
    ],
)
def test_a_file_is_refused_as_its_kind_says(
    tmp_path: Path, text: str, says: str, hint: str
) -> None:
    path = tmp_path / "thing.json"
    path.write_text(text)
    kind = kind_of(Thing, error=TrainingError, hint="damage", version_hint="version")
    with pytest.raises(TrainingError) as caught:
        kind.read(path)
    assert caught.value.message.startswith(f"{path}{says}")
    assert caught.value.hint == hint
    assert all(line.startswith(f"{path}") for line in caught.value.message.splitlines())


@pytest.mark.parametrize(("schema", "hint"), [(2, None), (4, NEWER), ("x", None)])
def test_a_newer_record_is_said_to_be_one(tmp_path: Path, schema: object, hint: str | None) -> None:
    path = tmp_path / "thing.json"
    path.write_text(json.dumps({"schema": schema}))
    with pytest.raises(DataError) as caught:
        kind_of(Thing, error=DataError).find(path)
    assert caught.value.hint == hint


def test_a_value_is_shown_short_and_on_one_line() -> None:
    assert shown("a\nb") == '"a\\nb"'
    assert shown(float("nan")) == "NaN"
    assert shown("x" * 99) == '"' + "x" * 36 + "..."
