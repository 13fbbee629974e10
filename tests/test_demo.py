"""The demo data in configs/demo: shape, balance and separate splits."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from iacfilter_hpc.samples.sample import Sample, read_samples

DEMO = Path(__file__).parents[1] / "configs" / "demo"
SPLITS = {name: read_samples(DEMO / f"{name}.jsonl") for name in ("train", "validation", "test")}
SAMPLES = [sample for samples in SPLITS.values() for sample in samples]
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)


def test_counts_and_balance() -> None:
    labels = {name: Counter(sample.label for sample in split) for name, split in SPLITS.items()}
    assert labels == {
        "train": {"TP": 4, "FP": 4},
        "validation": {"TP": 1, "FP": 2},
        "test": {"TP": 2, "FP": 1},
    }


def test_all_smells_and_technologies_occur() -> None:
    assert {sample.smell for sample in SAMPLES} == {
        "hard_coded_secret",
        "suspicious_comment",
        "use_of_http",
        "weak_cryptography_algorithms",
    }
    assert {sample.technology for sample in SAMPLES} == {"ansible", "chef", "puppet"}
    assert {sample.technology_is_given for sample in SAMPLES} == {True, False}


def test_splits_share_nothing() -> None:
    for one, other in combinations(SPLITS.values(), 2):
        for seen in (_repos, _files, _contents):
            assert not seen(one) & seen(other)


@each_sample
def test_context_fits_the_span(sample: Sample) -> None:
    first, last = sample.detection_span
    lines = sample.with_context.split("\n")
    assert len(lines) == last - first + 1
    assert first == max(1, sample.line - 5)
    assert sample.line <= last <= sample.line + 5
    assert lines[sample.line - first].strip() == sample.content


@each_sample
def test_prompt_ends_with_the_marked_code(sample: Sample) -> None:
    numbered = enumerate(sample.with_context.split("\n"), sample.detection_span[0])
    code = "\n".join(
        f"{'>>' if number == sample.line else '  '} {number:>3}  {line}".rstrip()
        for number, line in numbered
    )
    end = f"\nFile: {sample.file}\nReported line: {sample.line}\n\n{code}\n\nAnswer:"
    assert sample.with_prompt.endswith(end)
    assert len(sample.with_prompt.split()) <= 350


def test_prompts_of_one_smell_start_alike() -> None:
    starts = {(sample.smell, sample.with_prompt.split("\nFile: ")[0]) for sample in SAMPLES}
    assert len(starts) == 4


def _repos(samples: list[Sample]) -> set[str]:
    return {sample.file.split("/")[0] for sample in samples}


def _files(samples: list[Sample]) -> set[str]:
    return {Path(sample.file).name for sample in samples}


def _contents(samples: list[Sample]) -> set[str]:
    return {sample.content for sample in samples}
