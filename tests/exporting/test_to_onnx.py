"""iacfilter-export --onnx: an encoder that decides the same, and is refused where it does not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoConfig, AutoModelForSequenceClassification

from iacfilter_hpc.checkpoints.manifest import (
    listed,
    model_sha256,
    verify,
    write_manifest,
)
from iacfilter_hpc.cli.export import main
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.evaluation.predict import load_scorer, score_log_odds, score_samples
from iacfilter_hpc.exporting.checks import EXPORTABLE
from iacfilter_hpc.exporting.to_onnx import export_onnx, write_graph
from iacfilter_hpc.onnx_model.scorer import OnnxScorer
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.calibration import Partner, write_calibration
from iacfilter_hpc.trained_model.decision import read_decision, write_decision
from iacfilter_hpc.trained_model.evidence import (
    ValidationScores,
    read_validation_scores,
    write_validation_scores,
)
from tests.made_runs import DEMO
from tests.tiny_finals import make_encoder_final
from tests.trained_model.test_calibration import made_calibration
from tests.training.settings import TRAINS

pytestmark = TRAINS
CARD = "---\nlibrary_name: transformers\ntags:\n- glitch\n---\n\n# mine\n\nWords of mine.\n"


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_encoder_final(tmp_path_factory.mktemp("encoder") / "final")
    (made / "README.md").write_text(CARD)
    truth = tuple(each.label == "TP" for each in read_samples(DEMO["validation"]))
    write_validation_scores(made, ValidationScores(tuple(0.5 for _ in truth), truth))
    write_manifest(made)
    return made


@pytest.fixture(scope="module", params=[False, True], ids=["float32", "int8"])
def exported(
    request: pytest.FixtureRequest, final: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, bool]:
    """A directory in ONNX, and whether in int8."""
    directory = tmp_path_factory.mktemp("exported") / "small"
    # the tiny head is drawn at random: all of its p(TP) lie on one side of the threshold
    assert main([str(final), "--onnx", "-o", str(directory), *["--int8"] * request.param]) == 0
    return directory, request.param


def test_it_is_a_whole_model(exported: tuple[Path, bool], final: Path) -> None:
    directory, int8 = exported
    verify(directory)
    kept = {"validation_scores.json", "decision.json", "onnx.json", "model.onnx", "tokenizer.json"}
    assert kept <= set(listed(directory))
    assert not list(directory.glob("*.safetensors"))
    decision = read_decision(directory)
    assert decision == replace(read_decision(final), dtype="float32", bf16=False)
    # of the validation file: what --min-recall chooses by are this model's own
    scored, _ = score_samples(load_scorer(directory), read_samples(DEMO["validation"]))
    assert read_validation_scores(directory).p_tp == tuple(row.p_tp for row in scored)
    card = ModelCard.load(directory / "README.md")
    assert card.data.library_name == "onnxruntime"
    assert card.data.tags == ["glitch", "onnx"]
    assert "Words of mine." in card.text
    assert f"exported to ONNX{' in int8' if int8 else ''}. On " in card.text
    size = (directory / "model.onnx").stat().st_size
    whole = (final / "model.safetensors").stat().st_size
    assert size < whole if int8 else size > whole


def test_it_scores_the_same(exported: tuple[Path, bool], final: Path) -> None:
    directory, int8 = exported
    samples = [row for name in ("train", "test") for row in read_samples(DEMO[name])]
    scored, audit = score_samples(load_scorer(directory), samples)
    wanted, same = score_samples(load_scorer(final), samples)
    assert audit == same
    assert [row.encoded for row in scored] == [row.encoded for row in wanted]
    p_tp = [row.p_tp for row in wanted]
    assert [row.p_tp for row in scored] == pytest.approx(p_tp, abs=0.02 if int8 else 1e-5)


def test_threads_and_company_change_nothing(exported: tuple[Path, bool]) -> None:
    """Int8 arithmetic scales each tensor by the largest number in it: every input runs alone."""
    scorer = load_scorer(exported[0])
    assert isinstance(scorer, OnnxScorer) and scorer.threads == 1
    samples = read_samples(DEMO["train"])
    encoded = scorer.encode(samples)
    together = score_log_odds(scorer, encoded)
    assert together == [score_log_odds(scorer, [each])[0] for each in encoded]
    assert together == score_log_odds(replace(scorer, threads=3), encoded)


def test_what_is_damaged_is_not_scored(exported: tuple[Path, bool], tmp_path: Path) -> None:
    copy = shutil.copytree(exported[0], tmp_path / "copy")
    (copy / "model.onnx").write_bytes(b"\x08\x07no graph")
    with pytest.raises(TrainingError, match=r"model\.onnx has 10 bytes instead of"):
        load_scorer(copy)
    # whoever can write can write a manifest too: then the library says it
    write_manifest(copy)
    with pytest.raises(TrainingError, match=r"model\.onnx cannot be loaded"):
        load_scorer(copy)
    (copy / "onnx.json").write_text('{"schema": 2}')
    write_manifest(copy)
    with pytest.raises(TrainingError, match=r"onnx\.json has schema 2; this version reads 1"):
        load_scorer(copy)


def said(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int = 1) -> str:
    assert main([*map(str, words)]) == code
    return capsys.readouterr().err


def test_an_export_that_decides_otherwise_is_refused(
    final: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = export_onnx(final, tmp_path / "first", int8=True, data=DEMO["test"])
    assert done.largest_difference > 0
    samples = read_samples(DEMO["test"])
    pairs = [
        [row.p_tp for row in score_samples(load_scorer(each), samples)[0]]
        for each in (final, tmp_path / "first")
    ]
    a, b = max(zip(*pairs, strict=True), key=lambda pair: abs(pair[0] - pair[1]))
    # between the two scores of one sample, which then flips
    copy = shutil.copytree(final, tmp_path / "final")
    write_decision(copy, replace(read_decision(copy), threshold=(a + b) / 2))
    write_manifest(copy)
    err = said(capsys, copy, "--onnx", "--int8", "-o", tmp_path / "small", "--data", DEMO["test"])
    assert "1 of 3 decisions on" in err and "flip in ONNX, more than 1%" in err
    assert "hint: without --int8 the weights keep their precision" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final", "first"]


def test_a_calibration_goes_along_unless_it_needs_other_models(
    final: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(final, tmp_path / "final")
    calibration = made_calibration(copy)
    write_calibration(copy, calibration)
    samples = read_samples(DEMO["test"])
    export_onnx(copy, tmp_path / "small", int8=False, data=DEMO["test"])
    wanted, found = (
        [row.p_tp for row in score_samples(load_scorer(each), samples)[0]]
        for each in (copy, tmp_path / "small")
    )
    assert found == pytest.approx(wanted, abs=1e-5)
    own, _ = score_samples(load_scorer(final), samples)
    assert wanted != pytest.approx([row.p_tp for row in own], abs=1e-2)
    partner = Partner("other", str(final), model_sha256(final))
    write_calibration(copy, replace(calibration, partners=(partner,)))
    err = said(capsys, copy, "--onnx", "-o", tmp_path / "x")
    assert "averages its log-odds with those of other: it does not decide alone" in err


def named(final: Path, directory: Path, architecture: str) -> Path:
    """A copy that says that it is of another architecture."""
    copy = shutil.copytree(final, directory)
    config = json.loads((copy / "config.json").read_text()) | {"architectures": [architecture]}
    (copy / "config.json").write_text(json.dumps(config))
    write_manifest(copy)
    return copy


def test_what_cannot_be_exported_is_refused_by_name(
    final: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    t5 = named(final, tmp_path / "t5", "T5ForSequenceClassification")
    err = said(capsys, t5, "--onnx", "-o", tmp_path / "x")
    assert "t5 is a T5ForSequenceClassification, which cannot be exported to ONNX" in err
    assert "RobertaForSequenceClassification" in err.partition("hint: ")[2]
    assert not (tmp_path / "x").exists()


def test_what_there_is_to_compare_on(
    final: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(final, tmp_path / "final")
    validation = read_decision(copy).validation
    words = (copy, "--onnx", "-o", tmp_path / "x")
    for change, problem in (
        ({"file": "/none.jsonl"}, "is not here"),
        ({"sha256": "0" * 64}, "has"),
    ):
        write_decision(copy, replace(read_decision(copy), validation=replace(validation, **change)))
        write_manifest(copy)
        err = said(capsys, *words)
        assert f"the validation file of the training, {problem}" in err
        assert "hint: --data FILE names samples" in err
    assert said(capsys, *words, "--data", DEMO["test"], code=0).startswith(
        f"warning: 3 samples of {DEMO['test']} cannot show a flip in a hundred"
    )
    assert said(capsys, *words, "--data", DEMO["test"]) == (
        f"error: {tmp_path / 'x'} exists\nhint: -o names a directory that is not there yet\n"
    )
    again = said(capsys, tmp_path / "x", "--onnx", "-o", tmp_path / "y")
    assert f"error: {tmp_path / 'x'} is in ONNX already" in again


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--int8"], "--int8 is about --onnx, which is not given"),
        (["--data", str(DEMO["test"])], "--data is about --onnx"),
        (["--onnx", "--dtype", "float16"], "--dtype is of a merged adapter"),
        (["--onnx", "--data", "none.jsonl"], "--data none.jsonl is not a file"),
    ],
)
def test_flags_that_make_no_sense(
    capsys: pytest.CaptureFixture[str], flags: list[str], says: str
) -> None:
    assert says in said(capsys, "run", "-o", "x", *flags, code=2)


SMALL = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 1, "vocab_size": 99}
SHAPES: dict[str, dict[str, int]] = {
    "distilbert": {"dim": 32, "n_heads": 4, "n_layers": 1, "hidden_dim": 64, "vocab_size": 99},
}
MODEL_TYPES = dict(
    zip(
        EXPORTABLE,
        "bert camembert distilbert electra mpnet roberta xlm-roberta".split(),
        strict=True,
    )
)


@pytest.mark.parametrize("architecture", EXPORTABLE)
def test_every_architecture_gives_the_same_logits_at_every_length(
    architecture: str, tmp_path: Path
) -> None:
    kind = MODEL_TYPES[architecture]
    shape = SHAPES.get(kind, SMALL | {"intermediate_size": 64})
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **shape))
    assert type(model).__name__ == architecture
    model.eval().save_pretrained(tmp_path)
    write_graph(tmp_path, tmp_path / "model.onnx", int8=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for length in (2, 17, 256):
        ids = np.arange(length)[None] % 90 + 5
        (found,) = session.run(None, {"input_ids": ids})
        with torch.inference_mode():
            wanted = model(input_ids=torch.from_numpy(ids)).logits.numpy()
        assert found == pytest.approx(wanted, abs=1e-5)
