"""iacfilter-export: a merged model scores as the adapter did, with nothing else at hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from iacfilter_hpc.checkpoints.manifest import write_manifest
from iacfilter_hpc.cli.export import main
from iacfilter_hpc.errors import IacfilterError, TrainingError
from iacfilter_hpc.evaluation.predict import load_scorer, score_samples
from iacfilter_hpc.exporting.merge import merge
from iacfilter_hpc.runs.layout import RunLayout, resource
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.card import MERGED, exported_card
from iacfilter_hpc.trained_model.decision import read_decision, write_decision
from iacfilter_hpc.training.run import train
from tests.training.settings import TRAINS, run_config

pytestmark = TRAINS
SAMPLES = resource("configs", "demo", "test.jsonl")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    layout = RunLayout(tmp_path_factory.mktemp("models") / "generative" / "a-run")
    layout.directory.mkdir(parents=True)
    alone = {"accelerate__num_processes": 1, "accelerate__deepspeed_config_file": None}
    train(layout, run_config("generative", **alone, data__max_length=420))
    return layout


def quantized(final: Path, directory: Path) -> Path:
    """A copy of a trained model that says that its base was in 4 bits."""
    copy = shutil.copytree(final, directory / "final")
    write_decision(copy, replace(read_decision(copy), quantization="nf4", dtype="bfloat16"))
    write_manifest(copy)
    return copy


def test_what_was_trained_beside_4_bits_is_not_merged(run: RunLayout, tmp_path: Path) -> None:
    final = quantized(run.final, tmp_path)
    with pytest.raises(IacfilterError, match="trained beside weights in nf4"):
        merge(final, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_what_was_trained_beside_4_bits_is_scored_beside_them(
    run: RunLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = quantized(run.final, tmp_path)
    with pytest.raises(IacfilterError, match="nf4 needs the package bitsandbytes"):
        load_scorer(final)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(TrainingError, match="weights in nf4 need a GPU"):
        load_scorer(final)


def p_tp(final: Path) -> list[float]:
    scored, _ = score_samples(load_scorer(final), read_samples(SAMPLES))
    return [row.p_tp for row in scored]


def test_it_stands_alone_and_scores_the_same(
    run: RunLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = p_tp(run.final)
    done = merge(run.final, tmp_path / "merged")
    assert done.largest_difference < 1e-4
    assert done.compared == 14
    # away from the run, and from the base model in it
    moved = (tmp_path / "merged").rename(tmp_path / "elsewhere")
    assert p_tp(moved) == pytest.approx(adapter, abs=1e-5)
    assert not list(moved.glob("adapter_*"))
    model = AutoModelForCausalLM.from_pretrained(moved)
    assert sum(w.numel() for w in model.parameters()) == done.parameters
    assert AutoTokenizer.from_pretrained(moved).eos_token
    card = ModelCard.load(moved / "README.md")
    assert card.data.library_name == "transformers"
    assert "lora" not in card.data.tags
    assert "merged in float32. On 14 samples" in card.text
    assert "not in DIR" not in card.text
    before = ModelCard.load(run.final / "README.md").text
    data = "## Training data\n"
    needs = " The base model is loaded too: it is not in DIR."
    introduction = before.partition(data)[0].replace(needs, "")
    merged = "A causal language model with a LoRA adapter merged into it"
    assert card.text.partition(data)[0] == introduction.replace("A LoRA adapter", merged)
    assert card.text.partition(data)[2].startswith(before.partition(data)[2].rstrip())


def test_a_card_that_somebody_has_rewritten_keeps_their_words(run: RunLayout) -> None:
    card = ModelCard("---\ntags:\n- lora\n- mine\n---\n\n# mine\n\nA LoRA adapter of my own.\n")
    text = exported_card(card, read_decision(run.final), MERGED, "It was merged.")
    assert "A LoRA adapter of my own.\n\n## Export\n\nIt was merged.\n" in text
    assert ModelCard(text).data.tags == ["mine"]


def test_sixteen_bits_say_what_they_cost(run: RunLayout, tmp_path: Path) -> None:
    done = merge(run.final, tmp_path / "half", "bfloat16")
    assert 1e-4 < done.largest_difference < 1
    assert read_decision(tmp_path / "half").dtype == "bfloat16"
    weights = AutoModelForCausalLM.from_pretrained(tmp_path / "half", dtype="auto")
    assert weights.dtype == torch.bfloat16


def test_the_command(run: RunLayout, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [str(run.directory), "-o", str(tmp_path / "merged"), "--json"]
    models = ["--models-dir", str(run.directory.parents[1])]
    assert main([str(run.final), *asked[1:], *models]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["dtype"]) == (1, "float32")
    assert main([str(run.final), *asked[1:], *models]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'merged'} exists\n")


def test_an_encoder_needs_no_merging(
    tmp_path: Path, run: RunLayout, capsys: pytest.CaptureFixture[str]
) -> None:
    final = tmp_path / "encoder" / "final"
    shutil.copytree(run.final, final)
    fields = json.loads((final / "decision.json").read_text())
    fields |= {"approach": "encoder", "answers": None, "input_fields": ["content"]}
    (final / "decision.json").write_text(json.dumps(fields))
    assert main([str(final), "-o", str(tmp_path / "x")]) == 1
    assert "is an encoder, and stands alone already" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_directory_that_cannot_be_written(run: RunLayout, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert main([str(run.final), "-o", str(tmp_path / "file" / "merged")]) == 1
    assert not list(tmp_path.glob(".*partial"))
