"""Predictions of others: each row finds its sample, and whatever is wrong is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.comparison.external import PredictionsFile, read_systems
from iacfilter_hpc.comparison.systems import System
from iacfilter_hpc.errors import DataError, UsageError
from iacfilter_hpc.evaluation.data import Labelled, read_labelled
from iacfilter_hpc.evaluation.predictions import Prediction, write_predictions
from iacfilter_hpc.runs.files import sha256_of
from tests.comparison.made_data import write_csv, write_samples

HEADER = "file,line,smell,decision\n"


@pytest.fixture
def data(tmp_path: Path) -> Labelled:
    return write_samples(tmp_path / "labelled.jsonl", count=10)


@pytest.fixture
def good(tmp_path: Path, data: Labelled) -> Path:
    return write_csv(tmp_path / "good.csv", data, "decision", lambda i, _: ("TP", "FP")[i % 2])


def read(path: Path, data: Labelled, name: str = "other") -> System:
    (system,) = read_systems([PredictionsFile(name, path)], data)
    return system


def problem(path: Path, data: Labelled) -> str:
    with pytest.raises(DataError) as caught:
        read(path, data)
    return caught.value.message


def prediction(data: Labelled, index: int, **fields: object) -> Prediction:
    sample = data.samples[index]
    assert sample.label is not None
    made = Prediction(
        index=index,
        key=sample.key,
        file=sample.file,
        line=sample.line,
        smell=sample.smell,
        technology=sample.technology,
        group=sample.group,
        label=sample.label,
        p_tp=0.25 + index / 20,
        decision="TP" if 0.25 + index / 20 >= 0.5 else "FP",
        threshold=0.5,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_decisions_in_any_order_and_with_other_columns(good: Path, data: Labelled) -> None:
    header, *rows = good.read_text().splitlines()
    good.write_text("\ufeff" + "\r\n".join([f"note,{header}", *(f"x,{r}" for r in rows[::-1])]))
    system = read(good, data)
    assert system.first.decided == tuple(index % 2 == 0 for index in range(10))
    assert (system.kind, system.protocol) == ("predictions", "external")
    assert (system.first.p_tp, system.first.threshold) == (None, None)


def test_p_tp_alone_is_decided_at_a_half(tmp_path: Path, data: Labelled) -> None:
    path = write_csv(tmp_path / "p.csv", data, "p_tp", lambda i, _: str(i / 10))
    first = read(path, data).first
    assert first.p_tp == tuple(i / 10 for i in range(10))
    assert first.decided == tuple(i >= 5 for i in range(10))
    assert (first.threshold, first.threshold_origin) == (0.5, "TP if p_tp >= 0.5")


def test_decisions_beside_p_tp_stand_as_they_are(tmp_path: Path, data: Labelled) -> None:
    path = write_csv(tmp_path / "both.csv", data, "decision,p_tp", lambda i, _: f"FP,0.{i}")
    first = read(path, data).first
    assert not any(first.decided) and first.p_tp is not None and first.threshold is None


def test_quotes_and_commas_in_a_file_name(tmp_path: Path) -> None:
    fields = json.loads(write_samples(tmp_path / "one.jsonl", 5).path.read_text().splitlines()[0])
    hostile = 'a, "b"\nc.pp'
    path = tmp_path / "hostile.jsonl"
    path.write_text(json.dumps({**fields, "file": hostile}) + "\n")
    data = read_labelled(path)
    csv = tmp_path / "hostile.csv"
    csv.write_text(f'{HEADER}"a, ""b""\nc.pp",1,suspicious_comment,TP\n')
    assert read(csv, data).first.decided == (True,)


def test_our_own_form(tmp_path: Path, data: Labelled) -> None:
    path = tmp_path / "ours.jsonl"
    rows = [prediction(data, index) for index in range(10)]
    write_predictions(path, rows)
    first = read(path, data).first
    assert first.p_tp == tuple(row.p_tp for row in rows)
    assert first.decided == tuple(row.decision == "TP" for row in rows)
    assert (first.threshold, first.temperature) == (0.5, None)


def write_evaluation(folder: Path, data: Labelled, **changes: object) -> Path:
    """predictions.jsonl with a metrics.json beside it, as far as it is read."""
    path = folder / "predictions.jsonl"
    write_predictions(path, [prediction(data, i) for i in range(10)])
    known = {"train": 0, "validation": 0, "is_validation_file": False}
    metrics = {
        "schema": 2,
        "model": "f" * 64,
        "sha256": data.sha256,
        "predictions_sha256": sha256_of(path),
        "threshold": 0.5,
        "threshold_mode": "validation",
        "temperature": 1.5,
        "cross_fit": None,
        "overlap": known | {"near": 0},
        "warnings": [],
        "samples_per_s": 10.0,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics | changes))
    return path


@pytest.mark.parametrize(
    ("cross_fit", "protocol"), [(None, "held-out"), ({"folds": 2, "seed": 3}, "cross-fit")]
)
def test_metrics_beside_it_tell_how_it_came_about(
    tmp_path: Path, data: Labelled, cross_fit: object, protocol: str
) -> None:
    system = read(write_evaluation(tmp_path, data, cross_fit=cross_fit), data)
    assert (system.protocol, system.first.temperature) == (protocol, 1.5)
    assert system.title == ("other (cross-fit)" if protocol == "cross-fit" else "other")
    assert system.first.fold_seed == (3 if cross_fit else None)


@pytest.mark.parametrize(
    "known",
    [
        {"train": 1, "validation": 0, "is_validation_file": False},
        {"train": 0, "validation": 1, "is_validation_file": False},
        {"train": 0, "validation": 0, "is_validation_file": True},
    ],
)
def test_what_was_seen_is_not_held_out(
    tmp_path: Path, data: Labelled, known: dict[str, object]
) -> None:
    system = read(write_evaluation(tmp_path, data, overlap=known, warnings=["so it is"]), data)
    assert (system.protocol, system.first.warnings) == ("seen", ("so it is",))


def test_metrics_of_other_data_tell_nothing(tmp_path: Path, data: Labelled) -> None:
    system = read(write_evaluation(tmp_path, data, sha256="0" * 64), data)
    assert (system.protocol, system.first.temperature) == ("external", None)
    (warning,) = system.first.warnings
    assert f"{tmp_path / 'metrics.json'} is about data with the sha256 00000000" in warning


def test_metrics_of_other_predictions_tell_nothing(tmp_path: Path, data: Labelled) -> None:
    path = write_evaluation(tmp_path, data)
    path.write_text(path.read_text().replace('"decision": "TP"', '"decision":  "TP"'))
    system = read(path, data)
    assert system.protocol == "external"
    assert f"is not about {path} as it is now" in system.first.warnings[0]
    renamed = path.rename(tmp_path / "mine.jsonl")
    assert (read(renamed, data).protocol, read(renamed, data).first.warnings) == ("external", ())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"temperature": 0}, "temperature is 0: input should be greater than 0"),
        ({"threshold": "high"}, 'threshold is "high": input should be a valid number'),
        ({"cross_fit": {"folds": 1}}, "cross_fit.seed is missing"),
        ({"warnings": None}, "warnings is null: input should be a valid array"),
    ],
)
def test_a_wrong_key_of_metrics_is_named(
    tmp_path: Path, data: Labelled, changes: dict[str, object], says: str
) -> None:
    path = write_evaluation(tmp_path, data, **changes)
    with pytest.raises(DataError) as caught:
        read(path, data)
    assert f"{tmp_path / 'metrics.json'}: {says}" in caught.value.message
    assert "--fresh" not in (caught.value.hint or "--fresh"), "it would not help here"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2}', '{"schema": 9}', "\0"])
def test_damaged_metrics_beside_it(tmp_path: Path, data: Labelled, text: str) -> None:
    write_predictions(tmp_path / "predictions.jsonl", [prediction(data, i) for i in range(10)])
    (tmp_path / "metrics.json").write_text(text)
    assert str(tmp_path / "metrics.json") in problem(tmp_path / "predictions.jsonl", data)


def test_another_label_is_another_test_set(tmp_path: Path, data: Labelled) -> None:
    path = tmp_path / "ours.jsonl"
    rows = [prediction(data, index) for index in range(10)]
    rows[3] = replace(rows[3], label="TP" if rows[3].label == "FP" else "FP")
    write_predictions(path, rows)
    assert problem(path, data).startswith(f"{path}:4: label is TP, and FP in {data.path}")


def test_one_name_given_twice_is_two_runs_of_a_system(good: Path, data: Labelled) -> None:
    bad = write_csv(good.with_name("bad.csv"), data, "decision", lambda *_: "FP")
    systems = read_systems(
        [PredictionsFile("a", good), PredictionsFile("b", bad), PredictionsFile("a", bad)], data
    )
    assert [(s.name, len(s.members)) for s in systems] == [("a", 2), ("b", 1)]
    assert systems[0].title == "a (2 runs)"


def test_one_name_cannot_be_of_two_kinds(good: Path, data: Labelled) -> None:
    folder = good.parent / "evaluation"
    folder.mkdir()
    write_evaluation(folder, data, cross_fit={"folds": 2, "seed": 1})
    with pytest.raises(UsageError, match="a: its files are cross-fit and external"):
        read_systems(
            [PredictionsFile("a", good), PredictionsFile("a", folder / "predictions.jsonl")], data
        )


def test_missing_rows_are_named(good: Path, data: Labelled) -> None:
    lines = good.read_text().splitlines()
    good.write_text("\n".join([*lines[:3], *lines[5:]]) + "\n")
    assert problem(good, data).splitlines() == [
        f"{data.path}:{number}: {sample.file} {sample.line} {sample.smell} has no row in {good}"
        for number, sample in [(3, data.samples[2]), (4, data.samples[3])]
    ]


def test_rows_of_no_sample_are_named(good: Path, data: Labelled) -> None:
    good.write_text(good.read_text() + "elsewhere.pp,3,use_of_http,TP\n")
    assert problem(good, data) == (
        f"{good}:12: elsewhere.pp 3 use_of_http is no sample of {data.path}"
    )


def test_a_row_twice_is_named(good: Path, data: Labelled) -> None:
    good.write_text(good.read_text() + good.read_text().splitlines()[4] + "\n")
    sample = data.samples[3]
    assert problem(good, data) == (
        f"{good}:12: {sample.file} {sample.line} {sample.smell} occurs before"
    )


def test_what_the_data_repeats_the_rows_may_repeat(tmp_path: Path, data: Labelled) -> None:
    path = tmp_path / "twice.jsonl"
    path.write_text(data.path.read_text() + data.path.read_text().splitlines()[0] + "\n")
    twice = read_labelled(path)
    csv = write_csv(tmp_path / "twice.csv", twice, "decision", lambda i, _: "TP" if i else "FP")
    assert read(csv, twice).first.decided == (False,) + (True,) * 10
    assert "has no row" in problem(write_csv(csv, data, "decision", lambda *_: "TP"), twice)


def test_another_test_set_is_one_error(tmp_path: Path, data: Labelled) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEADER}a.pp,1,use_of_http,TP\nb.pp,2,use_of_http,FP\n")
    assert problem(path, data) == f"{path}: none of its rows is of a sample in {data.path}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is empty"),
        (b"\n", ":1: the columns are none"),
        (b"file,line,smell\na,1,b\n", ":1: the columns are file, line, smell"),
        (b"file,line,decision\na,1,TP\n", ":1: the columns are file, line, decision"),
        (HEADER.encode(), "holds no row"),
        (b"file,line,smell,decision,line\na,1,b,TP,1\n", ":1: a column occurs twice"),
        (HEADER.encode() + b"a,1,b\n", ":2: it does not have 4 columns"),
        (HEADER.encode() + b"a,1,b,TP,more\n", ":2: it does not have 4 columns"),
        (HEADER.encode() + b"a,1,b,YES\n", ":2: decision is 'YES', not TP or FP"),
        (HEADER.encode() + b"a,1,b,tp\n", ":2: decision is 'tp', not TP or FP"),
        (HEADER.encode() + b"a,1,b,\n", ":2: decision is '', not TP or FP"),
        (HEADER.encode() + b",1,b,TP\n", ":2: file is empty"),
        (HEADER.encode() + b"a,0,b,TP\n", ":2: line is '0', not a line number from 1"),
        (HEADER.encode() + b"a,-1,b,TP\n", ":2: line is '-1', not a line number from 1"),
        (HEADER.encode() + b"a,1.0,b,TP\n", ":2: line is '1.0', not a line number from 1"),
        (HEADER.encode() + b"a,1,b,T\0P\n", "holds NUL characters"),
        (HEADER.encode() + b"a,1,b,\xff\n", "is not UTF-8"),
        (HEADER.encode() + b'a,1,"b,TP\n', "not CSV"),
        (b"file,line,smell,p_tp\na,1,b,nan\n", ":2: p_tp is 'nan', not a number from 0 to 1"),
        (b"file,line,smell,p_tp\na,1,b,1.1\n", ":2: p_tp is '1.1', not a number from 0 to 1"),
        (b"file,line,smell,p_tp\na,1,b,-0.1\n", ":2: p_tp is '-0.1', not a number from 0 to 1"),
        (b"file,line,smell,p_tp\na,1,b,high\n", ":2: p_tp is 'high', not a number from 0 to 1"),
        (b"file,line,smell,p_tp\na,1,b,\n", ":2: p_tp is '', not a number from 0 to 1"),
        (b"{\n", ":1: not JSON"),
        (b'{"schema": 2, "p_tp": NaN}\n', ":1: field index"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, data: Labelled, text: bytes, says: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_bytes(text)
    message = problem(path, data)
    assert message.startswith(str(path)) and says in message


def test_all_wrong_rows_of_all_files_are_named(tmp_path: Path, data: Labelled) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text(f"{HEADER}a,x,b,NO\na,2,b,TP\nc,3,d,\n")
    two.write_text("no columns\n")
    with pytest.raises(DataError) as caught:
        read_systems([PredictionsFile("one", one), PredictionsFile("two", two)], data)
    lines = caught.value.message.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"{one}:2",
        f"{one}:2",
        f"{one}:4",
        f"{two}:1",
    ]


def test_a_directory_is_no_file(tmp_path: Path, data: Labelled) -> None:
    assert problem(tmp_path, data) == f"{tmp_path} cannot be read: Is a directory"
