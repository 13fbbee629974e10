"""The model card: Hugging Face reads it back, it is true to the record, and leaks no path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.inputs.encoded import audit
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import Sample, SampleFile, read_sample_file, read_samples
from iacfilter_hpc.trained_model.card import model_card
from iacfilter_hpc.trained_model.decision import Decision, read_decision
from iacfilter_hpc.trained_model.evidence import ValidationScores, read_validation_scores
from iacfilter_hpc.trained_model.recall import recalls
from iacfilter_hpc.trained_model.trained_on import Recall, count_labels, find_trained_on
from iacfilter_hpc.training.approaches.base import approach_named
from iacfilter_hpc.training.run import train
from tests.made_models import made_decision
from tests.made_runs import RECORD
from tests.training.settings import DEMO, TRAINS, run_config

pytestmark = TRAINS

TRAIN, VALIDATION = DEMO / "train.jsonl", DEMO / "validation.jsonl"
RECALL = (
    Recall(smell=None, real=2, kept=2, groups=2, are_families=True, low=0.223606),
    Recall(smell="use_of_http", real=1, kept=0, groups=1, are_families=False, low=0.0),
)
SCORES = ValidationScores((0.9, 0.7, 0.65, 0.2), (True, False, True, False))


def card_of(
    layout: RunLayout,
    config: RunConfig | None = None,
    decision: Decision | None = None,
    samples: list[Sample] | None = None,
) -> str:
    decision = decision or made_decision(VALIDATION)
    return model_card(
        layout,
        config or run_config("encoder"),
        decision,
        SCORES,
        SampleFile(TRAIN, tuple(samples or read_samples(TRAIN)), sha256_of(TRAIN)),
        read_sample_file(VALIDATION),
        approach_named(decision.approach).card,
        RECALL,
    )


def rows_of(text: str) -> list[str]:
    """The lines, without the spaces that make columns line up."""
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.fixture
def layout(tmp_path: Path) -> RunLayout:
    return RunLayout(tmp_path / "a-run")


@pytest.fixture(scope="module", params=["generative", "encoder"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    alone = {"accelerate__num_processes": 1, "accelerate__deepspeed_config_file": None}
    settings = {**alone, "data__max_length": 420} if request.param == "generative" else {}
    layout = RunLayout(tmp_path_factory.mktemp("models") / request.param / "a-run")
    layout.directory.mkdir(parents=True)
    record = replace(
        RECORD, data_sha256={"train_file": sha256_of(TRAIN)}, versions={"torch": "2.99"}
    )
    records.write_record(layout.record, record)
    train(layout, run_config(request.param, **settings))
    return layout


def test_a_trained_run_has_its_card(trained: RunLayout) -> None:
    """It stands in place of the one that PEFT writes."""
    card = ModelCard.load(trained.final / "README.md")
    generative = trained.approach == "generative"
    assert card.data.library_name == ("peft" if generative else "transformers")
    assert card.data.base_model is None, "the hub has no tiny model"
    assert "infrastructure-as-code" in card.data.tags
    assert card.text.lstrip().startswith("# a-run\n")
    assert "a tiny one of random weights" in card.text
    assert ("The base model is loaded too" in card.text) == generative
    assert f"| train | `train.jsonl` | `{sha256_of(TRAIN)}` | 4 | 4 |" in rows_of(card.text)
    assert "- torch 2.99\n" in f"{card.text}\n" and f"`{RECORD.key}`" in card.text
    for place in (trained.directory, DEMO, Path.home()):
        assert f"{place}/" not in card.text


def test_a_trained_run_says_what_trained_it(trained: RunLayout) -> None:
    record = find_trained_on(trained.final)
    assert record and record.labels == count_labels(read_samples(TRAIN), read_samples(VALIDATION))
    scores = read_validation_scores(trained.final)
    assert [(each.p_tp, each.is_tp) for each in record.scores] == list(
        zip(scores.p_tp, scores.is_tp, strict=True)
    )
    assert record.recall == recalls(record.scores, read_decision(trained.final).threshold)
    manifest = (trained.final / "manifest.json").read_text()
    assert "trained_on.json" in manifest


def test_it_says_what_the_model_is(layout: RunLayout) -> None:
    decision = replace(made_decision(VALIDATION), revision="v1.2")
    card = ModelCard(card_of(layout, decision=decision))
    assert card.data.to_dict() == {
        "base_model": "acme/encoder",
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": "iacfilter-hpc infrastructure-as-code security static-analysis glitch".split(),
    }
    assert "fine-tuned from `acme/encoder` at revision `v1.2`." in card.text
    assert "at least 0.6100" in card.text and "divided by 1.5000" in card.text
    assert "random weights" not in card.text
    assert "This run was not submitted" in card.text


def test_it_counts_the_data(layout: RunLayout) -> None:
    rows = rows_of(card_of(layout))
    assert f"| train | `train.jsonl` | `{sha256_of(TRAIN)}` | 4 | 4 |" in rows
    assert f"| validation | `validation.jsonl` | `{sha256_of(VALIDATION)}` | 1 | 2 |" in rows
    assert "| `weak_cryptography_algorithms` | 1 | 1 | 1 | 0 |" in rows
    assert "| `ansible` | 2 | 0 | 0 | 2 |" in rows


def test_it_scores_the_validation_data(layout: RunLayout) -> None:
    text = card_of(layout)
    assert "4 samples of `validation.jsonl` chose the epoch, the temperature and the thr" in text
    assert "| chosen: 0.6100 | 0.667 | 1.000 | 0.800 |" in rows_of(text)
    assert "Average precision 0.833, area under the ROC curve 0.750." in text
    assert "| all | 2 of 2 | 1.000 | 0.224 | 2 families |" in rows_of(text)
    assert "| `use_of_http` | 0 of 1 | 0.000 | 0.000 | 1 file |" in rows_of(text)


def test_its_configuration_names_no_place(layout: RunLayout, tmp_path: Path) -> None:
    model = tmp_path / "home" / "ada" / "codebert"
    model.mkdir(parents=True)
    config = run_config("encoder", model__model_name_or_path=str(model))
    decision = replace(made_decision(VALIDATION), base_model=str(model))
    card = ModelCard(card_of(layout, config, decision))
    assert card.data.base_model is None
    assert "fine-tuned from `codebert`." in card.text
    values = yaml.safe_load(card.text.partition("```yaml\n")[2].partition("```")[0])
    assert values["model"]["model_name_or_path"] == "codebert"
    assert values["data"]["train_file"] == "train.jsonl"
    assert values["training"] == config.training.model_dump(mode="json")
    assert not {"name", "resources"} & set(values)
    assert str(tmp_path) not in card.text and str(DEMO) not in card.text


def test_its_limits_are_those_of_the_data(layout: RunLayout) -> None:
    samples = [replace(s, source=f"rules-{i % 2}") for i, s in enumerate(read_samples(TRAIN) * 12)]
    decision = replace(
        made_decision(VALIDATION), train_audit=replace(audit([], []), samples=96, samples_cut=7)
    )
    text = card_of(layout, decision=decision, samples=samples)
    assert "labels, which come from: `rules-0` (48), `rules-1` (48), `iacfilter-demo` (3)." in text
    assert "trained on the smells `hard_coded_secret`, `use_of_http` and the technologies" in text
    few = next(line for line in text.splitlines() if "fewer than 10 real TPs" in line)
    assert "in training" not in few and "`hard_coded_secret` in validation (0)" in few
    assert "7 of 96 training and 0 of 0 validation samples were cut to fit." in text


def test_a_smell_that_one_part_lacks_is_named(layout: RunLayout) -> None:
    """Nothing chose a threshold for it, or nothing trained it: there it may be far off."""
    samples = [s for s in read_samples(TRAIN) if s.smell != "hard_coded_secret"]
    text = card_of(layout, samples=samples)
    few = next(line for line in text.splitlines() if "fewer than 10 real TPs" in line)
    assert "`hard_coded_secret` in training (no sample)" in few
    assert "`use_of_http` in validation (no sample)" in few


def test_text_from_data_breaks_nothing(layout: RunLayout) -> None:
    hostile = "a|b`c\n---\n# no heading " + "x" * 200
    samples = [replace(sample, source=hostile, smell=hostile) for sample in read_samples(TRAIN)]
    text = card_of(layout, samples=samples)
    lines = text.splitlines()
    shown = "`a¦b'c --- # no heading " + "x" * 74 + "...`"
    assert f"| {shown} | 4 | 4 | 0 | 0 |" in rows_of(text)
    assert not any(line.startswith("# no") for line in lines)


def test_many_sources_are_summed_up(layout: RunLayout) -> None:
    samples = [replace(s, source=f"s{i:02}") for i, s in enumerate(read_samples(TRAIN) * 2)]
    assert "`s08` (1) and 7 other sources." in card_of(layout, samples=samples)
