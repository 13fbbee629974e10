"""iacfilter_hpc.evaluation.test_set_log: each look is one line, whoever looks at the same time."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.evaluation.test_set_log import Look, look_at, record_look

LOOK = Look(
    run="mine",
    model="d" * 64,
    purpose="evaluate",
    data=Path("/data/oracle.jsonl"),
    sha256="a" * 64,
    samples=121,
    threshold="argmax",
    groups_sha256=None,
    cross_fit=None,
    seed=None,
)


def test_looks_at_the_same_content_are_counted(tmp_path: Path) -> None:
    evaluation = tmp_path / "evaluation"
    assert record_look(evaluation, LOOK) == 1
    assert record_look(evaluation, replace(LOOK, sha256="b" * 64)) == 1
    assert record_look(evaluation, replace(LOOK, data=Path("/renamed"), purpose="compare")) == 2
    first, _, last = map(json.loads, (evaluation / "looks.jsonl").read_text().splitlines())
    assert {first.pop(name) != "" for name in ("time", "user", "host")} == {True}
    assert first == {
        "schema": 2,
        "run": "mine",
        "model": "d" * 64,
        "purpose": "evaluate",
        "data": "/data/oracle.jsonl",
        "sha256": "a" * 64,
        "samples": 121,
        "threshold": "argmax",
        "groups_sha256": None,
        "cross_fit": None,
        "seed": None,
    }
    assert (last["data"], last["purpose"]) == ("/renamed", "compare")


def test_a_damaged_line_counts(tmp_path: Path) -> None:
    record_look(tmp_path, LOOK)
    with (tmp_path / "looks.jsonl").open("a") as file:
        file.write('{"sha256": "bbb\n[]\n')
    assert record_look(tmp_path, replace(LOOK, sha256="c" * 64)) == 3


def test_a_torn_last_line_swallows_no_look(tmp_path: Path) -> None:
    record_look(tmp_path, LOOK)
    path = tmp_path / "looks.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert record_look(tmp_path, replace(LOOK, sha256="c" * 64)) == 2
    assert record_look(tmp_path, replace(LOOK, sha256="c" * 64)) == 3
    torn, *whole = path.read_text().splitlines()
    assert len(whole) == 2 and {json.loads(line)["sha256"] for line in whole} == {"c" * 64}
    assert json.loads(whole[0])["run"] == "mine" and not torn.endswith("}")


def test_a_cross_fit_is_logged_as_one(tmp_path: Path) -> None:
    data = Labelled(Path("/data/oracle.jsonl"), "a" * 64, (), groups_sha256="b" * 64)
    options = EvaluateOptions(cross_fit=5)
    look = look_at(data, options, run="mine", model="d" * 64, purpose="compare", fold_seed=3)
    record_look(tmp_path, look)
    (row,) = map(json.loads, (tmp_path / "looks.jsonl").read_text().splitlines())
    assert (row["cross_fit"], row["seed"], row["groups_sha256"]) == (5, 3, "b" * 64)
    assert (row["threshold"], row["model"]) == ("cross-fit", "d" * 64)


def look_often(evaluation: Path) -> int:
    return max(record_look(evaluation, LOOK) for _ in range(50))


def test_nobody_s_look_is_lost(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        counts = list(pool.map(look_often, [tmp_path] * 4))
    # one that is being written may seem torn, and then an empty line follows it
    lines = [line for line in (tmp_path / "looks.jsonl").read_text().splitlines() if line]
    assert len(lines) == max(counts) == 200
    assert all(json.loads(line)["run"] == "mine" for line in lines)
