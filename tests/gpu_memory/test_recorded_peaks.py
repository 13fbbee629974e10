"""iacfilter_hpc.gpu_memory.recorded_peaks: what finished runs needed, against their plans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc.gpu_memory.recorded_peaks import UNCORRECTED, Correction, correction
from tests.made_runs import MadeRuns

GENERATIVE = "generative"


def finished(made: MadeRuns, name: str, model: str, planned: int | None, peak: object) -> Path:
    layout = made.run(
        name,
        GENERATIVE,
        model_name_or_path=model,
        planned_bytes=planned,
        # the weights are the other 100
        planned_activations=None if planned is None else planned - 100,
    )
    layout.memory.write_text(json.dumps({"schema": 1, "peak_bytes": peak, "device": "a GPU"}))
    return layout.memory


def test_the_median_over_the_runs_of_the_model(made: MadeRuns) -> None:
    for number, peak in enumerate((180, 210, 400)):
        finished(made, f"run{number}", "org/model", 200, peak)
    finished(made, "other", "org/other", 200, 600)
    assert correction(made.models, GENERATIVE, "org/model") == Correction(1.1, 3)
    assert correction(made.models, GENERATIVE, "org/other") == Correction(5.0, 1)


def test_else_over_those_of_the_approach(made: MadeRuns) -> None:
    finished(made, "one", "org/model", 200, 220)
    finished(made, "tiny", "tiny", 200, 1000)
    assert correction(made.models, GENERATIVE, "org/new") == Correction(1.2, 1)
    assert correction(made.models, GENERATIVE, "tiny") == Correction(9.0, 1)
    assert correction(made.models, "encoder", "org/new") == UNCORRECTED


def test_rows_that_were_not_full_say_nothing_of_others(made: MadeRuns) -> None:
    finished(made, "one", "org/model", 200, 120)
    assert correction(made.models, GENERATIVE, "org/model") == Correction(1.0, 1)


@pytest.mark.parametrize("peak", [None, 0, -1, "9", True, 1.5, []])
def test_a_peak_that_is_none_says_nothing(made: MadeRuns, peak: object) -> None:
    finished(made, "one", "org/model", 200, peak)
    assert correction(made.models, GENERATIVE, "org/model") == UNCORRECTED


@pytest.mark.parametrize("content", [b"", b"\0", b"[]", b"{", b"[" * 100_000])
def test_a_file_that_cannot_be_read_says_nothing(made: MadeRuns, content: bytes) -> None:
    finished(made, "one", "org/model", 100, 100).write_bytes(content)
    finished(made, "two", "org/model", None, 100)
    layout = made.run("three", GENERATIVE)
    layout.memory.write_text('{"peak_bytes": 5}')
    layout.record.write_bytes(content)
    assert correction(made.models, GENERATIVE, "org/model") == UNCORRECTED


def test_without_a_tree_of_runs(tmp_path: Path) -> None:
    assert correction(tmp_path / "none", "encoder", "x") == UNCORRECTED
