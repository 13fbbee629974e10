"""A run from its configuration to final/: it learns, decides, and can be read by others."""

from __future__ import annotations

import json
import logging
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from iacfilter_hpc.config.batch_sizes import batch_sizes
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import DataError, TrainingError
from iacfilter_hpc.evaluation.predict import load_scorer, score_samples
from iacfilter_hpc.inputs.tokenizer import load_tokenizer, settle_special_tokens
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import write_record
from iacfilter_hpc.samples.prompt import NEWEST, OLDEST, build_prompt
from iacfilter_hpc.samples.sample import LABELS, Sample, read_samples, write_samples
from iacfilter_hpc.trained_model.decision import read_decision
from iacfilter_hpc.trained_model.evidence import read_seen, read_validation_scores
from iacfilter_hpc.trained_model.save import ADAPTER, check_weights
from iacfilter_hpc.training.run import prompt_warning, train
from tests.inputs.encoding import encode_prompts
from tests.made_runs import RECORD
from tests.training.settings import DEMO, TRAINS, run_config

pytestmark = TRAINS

TRAIN = DEMO / "train.jsonl"


def overfit_config() -> RunConfig:
    """The generative approach, learning the training file by heart in one process."""
    return run_config(
        "generative",
        accelerate__num_processes=1,
        accelerate__deepspeed_config_file=None,
        data__max_length=1024,
        data__validation_file=str(TRAIN),
        lora__lora_dropout=0.0,
        training__num_train_epochs=20,
        training__per_device_train_batch_size=4,
        training__learning_rate=1e-2,
        training__logging_steps=20,
    )


@pytest.fixture(scope="module")
def overfit(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    layout = RunLayout(tmp_path_factory.mktemp("generative") / "run")
    layout.directory.mkdir()
    train(layout, overfit_config())
    return layout


@pytest.mark.parametrize("name", ["train_file", "validation_file"])
def test_data_that_have_changed_since_the_submission_are_refused(name: str, tmp_path: Path) -> None:
    """The worker compares them when a job begins; a file can be replaced until it is read."""
    layout = RunLayout(tmp_path / "run")
    layout.directory.mkdir()
    config = run_config("encoder")
    paths = {each: getattr(config.data, each) for each in ("train_file", "validation_file")}
    recorded = {each: sha256_of(path) for each, path in paths.items()} | {name: "5" * 64}
    write_record(layout.record, replace(RECORD, data_sha256=recorded))
    with pytest.raises(DataError, match="has changed since the run was submitted") as caught:
        train(layout, config)
    assert caught.value.message.startswith(str(paths[name]))


def test_it_learns_the_samples_by_heart(overfit: RunLayout) -> None:
    samples = read_samples(TRAIN)
    scored, _ = score_samples(load_scorer(overfit.final), samples)
    decision = read_decision(overfit.final)
    decided = [LABELS[each.p_tp >= decision.threshold] for each in scored]
    assert decision.prompt_form == OLDEST, "the demo's"
    assert decided == [s.label for s in samples]
    assert decision.validation.f1 == decision.validation.f1_at_half == 1.0
    assert decision.validation.sha256 == sha256_of(TRAIN)


def test_generate_writes_the_decided_word_and_eos(overfit: RunLayout) -> None:
    base = AutoModelForCausalLM.from_pretrained(overfit.tiny_model)
    # the last epoch: final/ is the first of equal F1, when EOS may not yet be learned
    model = PeftModel.from_pretrained(base, overfit.directory / "checkpoint-40").eval()
    prompt_tokenizer = settle_special_tokens(
        load_tokenizer(overfit.final, None), base.config.vocab_size
    )
    samples = read_samples(TRAIN)
    for made, encoded in zip(
        samples, encode_prompts(samples, prompt_tokenizer, 1024, 4096), strict=True
    ):
        ids = torch.tensor([encoded.ids])
        written = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=8,
            do_sample=False,
            pad_token_id=prompt_tokenizer.pad,
        )[0, len(encoded.ids) :].tolist()
        assert written[-1] == prompt_tokenizer.eos
        assert prompt_tokenizer.tokenizer.decode(written[:-1]).strip() == made.label


def test_final_holds_no_pickle_and_is_readable(overfit: RunLayout) -> None:
    names = {path.name for path in overfit.final.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "decision.json"} <= names
    assert {"tokenizer.json", "tokenizer_config.json"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)
    files = [p for p in overfit.directory.rglob("*") if p.is_file()]
    assert all(stat.S_IMODE(p.stat().st_mode) & 0o440 == 0o440 for p in files)
    assert not overfit.final.with_name("final.partial").exists()


def test_metrics_and_heartbeat_tell_the_end(overfit: RunLayout) -> None:
    events = [json.loads(line) for line in overfit.metrics.read_text().splitlines()]
    assert sum("eval_f1" in event for event in events) == 20
    beat = json.loads(overfit.heartbeat.read_text())
    assert beat["step"] == beat["max_steps"] == 40


def test_a_finished_run_is_not_trained_again(overfit: RunLayout) -> None:
    with pytest.raises(TrainingError, match="this run is trained"):
        train(overfit, overfit_config())


def test_an_adapter_that_learned_nothing_is_refused(overfit: RunLayout, tmp_path: Path) -> None:
    weights = load_file(overfit.final / "adapter_model.safetensors")
    path = tmp_path / "adapter_model.safetensors"
    save_file({n: t * (0 if "lora_B" in n else 1) for n, t in weights.items()}, path)
    with pytest.raises(TrainingError, match="learned nothing"):
        check_weights(tmp_path, ADAPTER)
    save_file({n: t[:0] if "lora_A" in n else t for n, t in weights.items()}, path)
    with pytest.raises(TrainingError, match="empty tensors"):
        check_weights(tmp_path, ADAPTER)


def test_prompts_in_which_the_filter_does_not_ask_are_a_warning() -> None:
    """Given prompts are trained on as they are, and those of a report are of our making."""
    ours = read_samples(TRAIN)
    foreign = [*ours, *(replace(each, with_prompt="Is it real? YES or NO") for each in ours[:3])]
    generative = run_config("generative")
    assert prompt_warning(generative, ours) is None
    assert (prompt_warning(generative, foreign) or "").startswith(
        "train: 3 of 11 prompts are not of iacfilter-data import, in whose words"
    )
    assert prompt_warning(run_config("encoder"), foreign) is None


def in_newest_form(sample: Sample) -> Sample:
    place = (sample.smell, sample.file, sample.line, sample.detection_span[0])
    prompt = build_prompt(*place, sample.with_context.split("\n"), form=NEWEST)
    return replace(sample, with_prompt=prompt)


def test_encoder_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    layout = RunLayout(tmp_path / "run")
    layout.directory.mkdir()
    # the demo's prompts are of the oldest form; an encoder reads none, so nothing else changes
    train_file = tmp_path / "train.jsonl"
    write_samples(train_file, map(in_newest_form, read_samples(TRAIN)))
    config = run_config(
        "encoder",
        data__train_file=str(train_file),
        data__input_fields=["smell", "content"],
        training__num_train_epochs=12,
        selection__early_stopping_patience=2,
        selection__class_weight="balanced",
    )
    with caplog.at_level(logging.INFO, logger="iacfilter_hpc"):
        train(layout, config)
    assert "distributed: NO, 1 process on cpu" in caplog.text
    assert f"batch: {batch_sizes(config).describe()}" in caplog.text
    assert "train: 8 samples" in caplog.text
    decision = read_decision(layout.final)
    assert decision.input_fields == ("smell", "content") and decision.answers is None
    # the form in which a filter will ask it: that of what it was trained on
    assert decision.prompt_form == NEWEST
    samples = read_samples(config.data.validation_file)
    scored, _ = score_samples(load_scorer(layout.final), samples)
    assert all(0 < each.p_tp < 1 for each in scored)
    kept = read_validation_scores(layout.final)
    assert kept.p_tp == pytest.approx([each.p_tp for each in scored])
    assert kept.is_tp == tuple(each.label == "TP" for each in samples)
    assert decision.smells == tuple(sorted({s.smell for s in read_samples(TRAIN)}))
    seen = read_seen(layout.final)
    assert seen.train == {s.key for s in read_samples(TRAIN)}
    assert seen.validation == {s.key for s in samples}
    events = [json.loads(line) for line in layout.metrics.read_text().splitlines()]
    f1 = [event["eval_f1"] for event in events if "eval_f1" in event]
    best = f1.index(max(f1))
    assert len(f1) == min(12, best + 3), "two epochs without a better F1 end it"
    at_half = [each.sample.label == "TP" and each.p_tp >= 0.5 for each in scored]
    assert decision.validation.f1_at_half == pytest.approx(max(f1)), at_half


def test_a_lone_process_is_not_what_deepspeed_was_asked_for(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    with pytest.raises(TrainingError, match=r"run as DEEPSPEED, gloo, 2 .* runs as NO, no backend"):
        train(layout, run_config("generative"))
