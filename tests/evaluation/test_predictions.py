"""iacfilter_hpc.evaluation.predictions: what is written is read back, anything else is named."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.evaluation.predictions import Prediction, read_predictions, write_predictions

ROW = Prediction(
    index=0,
    key="0123456789abcdef",
    file="roles/db/täsks.yml",
    line=7,
    smell="use_of_http",
    technology="ansible",
    group="a family",
    label="TP",
    p_tp=0.7300000000000001,
    decision="TP",
    threshold=0.61,
    tokens_dropped=3,
)


def lines_of(*rows: dict[str, object]) -> str:
    return "".join(json.dumps({"schema": 2, **row}) + "\n" for row in rows)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [
        ROW,
        replace(ROW, index=1, p_tp=None, threshold=None, decision="FP"),
        replace(ROW, index=2, p_tp=0.61, label="FP", over_max_length=True),
    ]
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, rows)
    assert read_predictions(path) == rows
    assert json.loads(path.read_text().splitlines()[0]) == {"schema": 2, **asdict(ROW)}


def test_what_was_cut_may_be_left_out(tmp_path: Path) -> None:
    fields = asdict(ROW)
    for name in ("tokens_dropped", "lines_dropped", "over_max_length"):
        del fields[name]
    path = tmp_path / "predictions.jsonl"
    path.write_text(lines_of(fields))
    assert read_predictions(path) == [replace(ROW, tokens_dropped=0)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"label": "YES"}, "field label is \"YES\": input should be 'TP' or 'FP'"),
        ({"line": 0}, "field line is 0: input should be greater than or equal to 1"),
        ({"line": "7"}, 'field line is "7": input should be a valid integer'),
        ({"p_tp": 1.5}, "field p_tp is 1.5: input should be less than or equal to 1"),
        ({"p_tp": float("nan")}, "field p_tp is NaN: input should be "),
        ({"score": 1}, "field score is not known to this version"),
        ({"schema": 1}, "schema is 1; this version reads 2"),
        ({"index": 4}, "field index is 4, not 0: the file is not whole"),
        (
            {"decision": "FP"},
            "field decision is FP, but p_tp 0.7300000000000001 and threshold 0.61 make it TP",
        ),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(lines_of(asdict(ROW) | change))
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    assert caught.value.message.startswith(f"{path}:1: {problem}")
    assert caught.value.hint == "iacfilter-evaluate writes such files (schema 2)"


def test_all_bad_lines_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(lines_of(asdict(ROW)) + "{\n[]\n\nnull\n" + "[" * 100_000 + "\n{}\n")
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    named = [line.split(": ")[:2] for line in caught.value.message.splitlines()]
    assert named == [
        [f"{path}:2", "not JSON"],
        [f"{path}:3", "not an object"],
        [f"{path}:4", "not JSON"],
        [f"{path}:5", "not an object"],
        [f"{path}:6", "not JSON"],
        [f"{path}:7", "schema is null; this version reads 2"],
    ]


def test_a_file_that_holds_none(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match="holds no prediction"):
        read_predictions(tmp_path / "empty")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_predictions(tmp_path / "none")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_predictions(tmp_path)
