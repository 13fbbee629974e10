"""Configurations and samples for the tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.config import layers
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.runs.layout import resource
from iacfilter_hpc.samples.sample import Sample

# PEFT asks transformers for a property by its former name
TRAINS = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]
REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = resource("configs", "demo")
REAL_DATA = REPOSITORY.parent / "shared" / "data"


def run_config(approach: str, **settings: object) -> RunConfig:
    """The tiny configuration of an approach on the demo data; `a__b` sets key a.b."""
    made = layers.merge(
        [
            layers.from_file(resource("configs", f"{approach}.yaml")),
            layers.from_file(resource("configs", f"{approach}-tiny.yaml")),
            layers.from_value("data.train_file", str(DEMO / "train.jsonl"), "test"),
            layers.from_value("data.validation_file", str(DEMO / "validation.jsonl"), "test"),
            *(layers.from_value(k.replace("__", "."), v, "test") for k, v in settings.items()),
        ]
    )
    return RunConfig.model_validate(made.values)


def sample(
    context: list[str],
    reported: int,
    *,
    before: str = "Is this warning real?\n\nCode:\n",
    after: str = "\n\nAnswer TP or FP.\nAnswer:",
    shown: list[str] | None = None,
    first_line: int = 40,
) -> Sample:
    """A sample whose reported line is `context[reported]`; `shown` is the code in the prompt."""
    return Sample(
        smell="hard_coded_secret",
        file="roles/db/tasks/main.yml",
        content=context[reported].strip(),
        line=first_line + reported,
        detection_span=(first_line, first_line + len(context) - 1),
        with_context="\n".join(context),
        with_prompt=before + "\n".join(shown or context) + after,
        label="TP",
        source="test",
        technology="ansible",
    )
