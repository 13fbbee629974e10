"""Labelled samples and systems that decide them, made for the tests of comparison."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from iacfilter_hpc.comparison.compare import Comparison, Request, compare
from iacfilter_hpc.comparison.external import PredictionsFile
from iacfilter_hpc.comparison.systems import Member, Protocol, System, SystemKind
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.evaluation.data import Labelled, read_labelled
from iacfilter_hpc.samples.sample import Sample

SMELLS = ("hard_coded_secret", "use_of_http", "suspicious_comment")
SUFFIXES = (".pp", ".rb", ".yml")


def write_samples(path: Path, count: int = 60, files: int = 12) -> Labelled:
    """A file of samples; the last smell has two real ones at most."""
    noise = random.Random(count)
    lines = []
    for index in range(count):
        file = f"site/part{index % files}{SUFFIXES[index % files % 3]}"
        smell = SMELLS[2] if index < 4 else SMELLS[index % 2]
        content = f"option_{index} = '{noise.random():.3f}'"
        fields = {
            "smell": smell,
            "file": file,
            "content": content,
            "line": index + 1,
            "detection_span": [index + 1, index + 1],
            "with_context": content,
            "with_prompt": f"Is this a real {smell}?\n{content}\nAnswer TP or FP:",
            "label": "TP" if index % 5 < 2 else "FP",
            "source": "made for a test",
        }
        lines.append(json.dumps(fields))
    path.write_text("\n".join(lines) + "\n")
    return read_labelled(path)


def truth_of(samples: Sequence[Sample]) -> list[bool]:
    """Whether each is real."""
    return [sample.label == "TP" for sample in samples]


def made_member(samples: Sequence[Sample], seed: int, skill: float = 0.8) -> Member:
    """Decisions that are right with a chance of `skill`, with p(TP)."""
    noise = random.Random(seed)
    p_tp = []
    for real in truth_of(samples):
        right = noise.random() < skill
        p_tp.append(0.5 + (0.4 if real == right else -0.4) * noise.random())
    return Member(
        name=f"seed-{seed}",
        decided=tuple(p >= 0.5 for p in p_tp),
        p_tp=tuple(p_tp),
        threshold=0.5,
        threshold_origin="made for a test",
        source="nowhere",
        seed=seed,
    )


def made_system(name: str, samples: Sequence[Sample], *seeds: int, skill: float = 0.8) -> System:
    """A system of some seeds."""
    members = tuple(made_member(samples, seed, skill) for seed in seeds)
    return System(name, SystemKind.RUN, Protocol.HELD_OUT, members)


def write_csv(path: Path, data: Labelled, column: str, value: Callable[[int, bool], str]) -> Path:
    """A file of predictions: `value` of index and truth stands in `column`."""
    rows = [f"file,line,smell,{column}"]
    rows += [
        f"{sample.file},{sample.line},{sample.smell},{value(index, sample.label == 'TP')}"
        for index, sample in enumerate(data.samples)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


def made_comparison(
    folder: Path, *names: str, draws: int = 200, file: str = "labelled.jsonl"
) -> Comparison:
    """Three systems without a run: good guesses with p(TP), bad decisions, keep all."""
    data = write_samples(folder / file)
    noise = random.Random(1)
    good, bad = names or ("good", "bad")

    def guess(index: int, real: bool) -> str:
        return f"{min(1, max(0, noise.gauss(0.7 if real else 0.3, 0.2))):.4f}"

    files = (
        PredictionsFile(good, write_csv(folder / "good.csv", data, "p_tp", guess)),
        PredictionsFile(
            bad, write_csv(folder / "bad.csv", data, "decision", lambda i, _: ("TP", "FP")[i % 2])
        ),
    )
    options = EvaluateOptions(draws=draws)
    return compare(Request((), files, data.path, options), {}, lambda _: None)
