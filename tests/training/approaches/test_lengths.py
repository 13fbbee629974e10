"""iacfilter_hpc.training.approaches.lengths: what a limit cuts, before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iacfilter_hpc.cli.data.__main__ import main
from iacfilter_hpc.cli.data.check import Found, warnings
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.encode import encode_fields
from iacfilter_hpc.inputs.encoded import audit
from iacfilter_hpc.inputs.tokenizer import field_tokenizer, load_tokenizer, settle_special_tokens
from iacfilter_hpc.samples.check import check_files
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.training.approaches.lengths import Measure, measure_lengths
from iacfilter_hpc.training.approaches.tiny import build_tiny_model
from tests.inputs.encoding import encode_prompts
from tests.training.settings import DEMO, TRAINS

pytestmark = TRAINS
SAMPLES = read_samples(DEMO / "train.jsonl")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of each approach."""
    folder = tmp_path_factory.mktemp("models")
    build_tiny_model("encoder", folder / "encoder")
    build_tiny_model("generative", folder / "generative")
    return folder


def test_the_encoders_input(models: Path) -> None:
    model = str(models / "encoder")
    fields = ("smell", "content")
    tokenizer = load_tokenizer(model, None)
    whole = encode_fields(SAMPLES, field_tokenizer(tokenizer), fields, 512)
    sizes = sorted(len(row.ids) for row in whole)
    limit = sizes[5]
    found = measure_lengths(SAMPLES, Measure(model, "encoder", limit, fields))
    cut = audit(SAMPLES, encode_fields(SAMPLES, field_tokenizer(tokenizer), fields, limit))
    assert (found.p50, found.p90, found.p99, found.longest) == (
        sizes[3],
        sizes[7],
        sizes[7],
        sizes[7],
    )
    assert found.over == found.cut == cut.samples_cut == sum(size > limit for size in sizes) > 0
    assert found.tokens_dropped == cut.tokens_dropped
    assert found.tokens_dropped == sum(max(0, size - limit) for size in sizes)
    assert (found.lines_dropped, found.kept_over, found.no_fit) == (0, 0, ())


def test_the_prompts_of_the_generative_approach(models: Path) -> None:
    model = str(models / "generative")
    free = measure_lengths(SAMPLES, Measure(model, "generative", 2000, ()))
    assert (free.over, free.cut, free.tokens_dropped, free.lines_dropped) == (0, 0, 0, 0)
    limit = free.p50
    found = measure_lengths(SAMPLES, Measure(model, "generative", limit, ()))
    prompt_tokenizer = settle_special_tokens(load_tokenizer(model, None), 10**6)
    cut = audit(SAMPLES, encode_prompts(SAMPLES, prompt_tokenizer, limit, 10**6))
    assert (found.p50, found.longest) == (free.p50, free.longest)
    assert found.over == found.cut == cut.samples_cut > 0
    assert found.tokens_dropped == cut.tokens_dropped > 0
    assert found.lines_dropped == cut.context_lines_dropped > 0


def test_most_samples_cut_is_a_warning_with_the_length_that_fits(models: Path) -> None:
    """What iacfilter-data check says; at that length none is cut, and at one less the longest."""
    model = str(models / "generative")
    checked = check_files([DEMO / "train.jsonl"], None, frozenset())

    def measured(limit: int) -> Found:
        measure = Measure(model, "generative", limit, ())
        return Found(checked, (measure_lengths(SAMPLES, measure),), measure)

    free = measured(2000)
    assert warnings(free) == []
    (lengths,) = free.lengths
    assert [measured(lengths.longest - less).lengths[0].cut for less in (0, 1)] == [0, 1]
    cut = measured(lengths.p50 - 1)
    assert warnings(cut) == [
        f"train.jsonl: {cut.lengths[0].cut} of 8 samples are cut to fit; --max-length "
        f"{lengths.longest} would hold all of them"
    ]


def test_a_prompt_that_cannot_fit_is_named(models: Path, tmp_path: Path) -> None:
    fields = [json.loads(line) for line in (DEMO / "train.jsonl").read_text().splitlines()]
    fields[2]["with_context"] = "not in the prompt"
    data = tmp_path / "odd.jsonl"
    data.write_text("".join(json.dumps(each) + "\n" for each in fields))
    measure = Measure(str(models / "generative"), "generative", 64, ())
    ((index, problem),) = measure_lengths(read_samples(data), measure).no_fit
    assert index == 2
    assert "with_context was not found in it" in problem


@pytest.mark.parametrize("approach", ["encoder", "generative"])
def test_check_counts_tokens(
    models: Path, approach: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(DEMO / "train.jsonl"), str(DEMO / "validation.jsonl")]
    flags = ["--model", str(models / approach), "--approach", approach, "--max-length", "300"]
    assert main(["check", *files, *flags]) == 0
    out = capsys.readouterr().out
    assert f"{approach}, at most 300:" in out
    assert main(["check", *files, *flags, "--json"]) == 0
    lengths = json.loads(capsys.readouterr().out)["lengths"]
    assert [of["file"] for of in lengths] == ["train.jsonl", "validation.jsonl"]
    for of in lengths:
        assert of["p50"] <= of["p90"] <= of["p99"] <= of["max"]


def test_check_fails_where_training_would(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "odd.jsonl"
    text = (DEMO / "train.jsonl").read_text()
    data.write_text(text.replace('"with_context": "', '"with_context": "not in the prompt', 1))
    flags = ["--model", str(models / "generative"), "--approach", "generative"]
    assert main(["check", str(data), *flags, "--max-length", "64"]) == 1
    assert f"error: {data.name}:1: its prompt has " in capsys.readouterr().err


def test_a_model_that_is_not_there_or_not_of_the_approach(models: Path, tmp_path: Path) -> None:
    for model, approach, problem in (
        (str(tmp_path / "none"), "encoder", "is not a directory"),
        (str(models / "generative"), "encoder", "no CLS and SEP token"),
    ):
        with pytest.raises(TrainingError, match=problem):
            measure_lengths(SAMPLES, Measure(model, approach, 64, ("content",)))  # type: ignore[arg-type]
