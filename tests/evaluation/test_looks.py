"""iacfilter_hpc.evaluation.looks: each look is one line, whoever looks at the same time."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.evaluation.looks import Look, record_look

LOOK = Look(
    run="mine",
    purpose="evaluate",
    data=Path("/data/oracle.jsonl"),
    sha256="a" * 64,
    samples=121,
    threshold="argmax",
)


def test_looks_at_the_same_content_are_counted(tmp_path: Path) -> None:
    evaluation = tmp_path / "evaluation"
    assert record_look(evaluation, LOOK) == 1
    assert record_look(evaluation, replace(LOOK, sha256="b" * 64)) == 1
    assert record_look(evaluation, replace(LOOK, data=Path("/renamed"), purpose="compare")) == 2
    first, _, last = map(json.loads, (evaluation / "looks.jsonl").read_text().splitlines())
    assert {first.pop(name) != "" for name in ("time", "user", "host")} == {True}
    assert first == {
        "schema": 1,
        "run": "mine",
        "purpose": "evaluate",
        "data": "/data/oracle.jsonl",
        "sha256": "a" * 64,
        "samples": 121,
        "threshold": "argmax",
    }
    assert (last["data"], last["purpose"]) == ("/renamed", "compare")


def test_a_damaged_line_counts(tmp_path: Path) -> None:
    record_look(tmp_path, LOOK)
    with (tmp_path / "looks.jsonl").open("a") as file:
        file.write('{"sha256": "bbb\n[]\n')
    assert record_look(tmp_path, replace(LOOK, sha256="c" * 64)) == 3


def look_often(evaluation: Path) -> int:
    return max(record_look(evaluation, LOOK) for _ in range(50))


def test_nobody_s_look_is_lost(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        counts = list(pool.map(look_often, [tmp_path] * 4))
    lines = (tmp_path / "looks.jsonl").read_text().splitlines()
    assert len(lines) == max(counts) == 200
    assert all(json.loads(line)["run"] == "mine" for line in lines)
