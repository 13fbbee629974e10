"""Classifiers shaped as CodeT5+: T5 with RoBERTa's kind of tokenizer, trained as encoders."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration, T5ForSequenceClassification

from iacfilter_hpc.evaluation.predict import load_torch_scorer, score_log_odds, score_samples
from iacfilter_hpc.filtering.filter import Filter
from iacfilter_hpc.glitch.rows import read_rows
from iacfilter_hpc.packing.collators import PadCollator, Row
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.decision import read_decision
from iacfilter_hpc.trained_model.evidence import read_validation_scores
from iacfilter_hpc.training.approaches.encoder import class_logits, load_classifier
from iacfilter_hpc.training.approaches.tiny import demo_texts, roberta_tokenizer
from iacfilter_hpc.training.run import train
from tests.glitch.made_decisions import write_all
from tests.made_runs import DEMO
from tests.training.settings import TRAINS, run_config

pytestmark = TRAINS
MAX_LENGTH = 40
"""Some demo samples are cut to it, so that rows of one batch differ in how many EOS they have."""


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model as Salesforce/codet5p-220m is one, of random weights."""
    directory = tmp_path_factory.mktemp("codet5p")
    tokenizer = roberta_tokenizer(demo_texts())
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.sep_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(1)
    T5ForConditionalGeneration(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def trained(pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunLayout, str]:
    """A run, and what was logged of it and of loading it again."""
    layout = RunLayout(tmp_path_factory.mktemp("models") / "encoder" / "t5")
    layout.directory.mkdir(parents=True)
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        train(
            layout,
            run_config(
                "encoder",
                model__model_name_or_path=str(pretrained),
                data__input_fields=["smell", "technology", "content"],
                data__max_length=MAX_LENGTH,
            ),
        )
        said.append("reloaded")
        load_torch_scorer(layout.final)
    finally:
        logger.removeHandler(handler)
    return layout, "\n".join(said)


def test_no_key_is_called_missing(trained: tuple[RunLayout, str]) -> None:
    _, said = trained
    before, _, after = said.partition("reloaded")
    # a fresh head is what fine-tuning begins with, and is rightly said to be new
    assert "embed_tokens" not in said and "missing keys in the checkpoint" not in before
    assert after.strip() == ""


def test_it_is_trained_saved_calibrated_and_reloaded(trained: tuple[RunLayout, str]) -> None:
    layout, _ = trained
    model = load_classifier(layout.final, None, "float32")
    assert isinstance(model, T5ForSequenceClassification)
    shared = model.transformer.shared.weight
    assert model.transformer.encoder.embed_tokens.weight is shared
    assert model.transformer.decoder.embed_tokens.weight is shared
    decision = read_decision(layout.final)
    assert decision.approach == "encoder" and 0 < decision.threshold < 1
    assert decision.train_audit.samples_cut > 0
    # what is scored now is what the threshold was chosen on
    scored, _ = score_samples(load_torch_scorer(layout.final), read_samples(DEMO["validation"]))
    kept = read_validation_scores(layout.final).p_tp
    assert [row.p_tp for row in scored] == pytest.approx(list(kept), abs=1e-6)
    assert len(set(kept)) > 1


def test_logits_are_those_of_its_own_forward(trained: tuple[RunLayout, str]) -> None:
    layout, _ = trained
    model = load_classifier(layout.final, None, "float32").eval()
    eos = model.config.eos_token_id
    rows = [[0, 9, eos, 11, 12, 13, eos], [0, 20, 21, eos]]
    batch = PadCollator(model.config.pad_token_id)([Row(input_ids=ids, label=0) for ids in rows])
    with torch.inference_mode():
        found = class_logits(model, batch)
        for ids, logits in zip(rows, found, strict=True):
            alone = model(input_ids=torch.tensor([ids])).logits[0]
            assert logits.tolist() == pytest.approx(alone.tolist(), abs=1e-6)
        with pytest.raises(ValueError, match="same number of <eos>"):
            model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])


def test_it_filters(trained: tuple[RunLayout, str], tmp_path: Path) -> None:
    layout, _ = trained
    scorer = load_torch_scorer(layout.final)
    report, scripts = write_all(tmp_path)
    (chunk,) = Filter(scorer, 0.5, scripts, None).judge(read_rows(report))
    assert all(each.p_tp is not None for each in chunk[:7])
    one_by_one = replace(scorer, tokens_per_batch=1)
    encoded = list(scorer.encode(read_samples(DEMO["test"])))
    together = score_log_odds(scorer, encoded)  # type: ignore[arg-type]
    assert score_log_odds(one_by_one, encoded) == pytest.approx(together, abs=1e-5)  # type: ignore[arg-type]
