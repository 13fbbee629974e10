"""Evaluate a run on a file of samples: two files in its evaluation/, and a table to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prettytable import PrettyTable

from iacfilter_hpc.detections.samples import read_samples, sha256_of
from iacfilter_hpc.evaluation.predict import Prediction, load_scorer, predict
from iacfilter_hpc.evaluation.scores import Scores, score
from iacfilter_hpc.files import write_atomically, write_json
from iacfilter_hpc.layout import RunLayout
from iacfilter_hpc.training.audit import Audit
from iacfilter_hpc.training.decision import Decision

SCHEMA = 1
COLUMNS = "samples TP precision recall F1 MCC AP accuracy".split()


@dataclass(frozen=True, slots=True)
class Group:
    """Scores of the samples that share a smell or a technology."""

    name: str
    scores: Scores


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a run decides the samples of one file; `directory` holds the same as files."""

    run: str
    data: Path
    sha256: str
    directory: Path
    decision: Decision
    audit: Audit
    overall: Scores
    by_smell: tuple[Group, ...]
    by_technology: tuple[Group, ...]
    predictions: tuple[Prediction, ...]


def evaluate(layout: RunLayout, data_path: Path) -> Evaluation:
    """Score `data_path` with the run's final/ and write metrics.json and predictions.jsonl.

    Raises:
        DataError: wrong lines in the file, or prompts that cannot be made to fit.
        TrainingError: the run has no finished model.
    """
    samples = read_samples(data_path)
    sha256 = sha256_of(data_path)
    scorer = load_scorer(layout.final)
    predictions, audit = predict(scorer, samples)
    done = Evaluation(
        run=layout.name,
        data=data_path.absolute(),
        sha256=sha256,
        directory=layout.evaluation / f"{data_path.stem}-{sha256[:8]}",
        decision=scorer.decision,
        audit=audit,
        overall=_score(predictions),
        by_smell=_groups(predictions, lambda prediction: prediction.smell),
        by_technology=_groups(predictions, lambda prediction: prediction.technology),
        predictions=tuple(predictions),
    )
    _write(done)
    return done


def document(done: Evaluation) -> dict[str, Any]:
    """The evaluation as plain JSON types: what metrics.json holds."""
    return {
        "schema": SCHEMA,
        "run": done.run,
        "data": str(done.data),
        "sha256": done.sha256,
        "positive": "TP",
        "threshold": done.decision.threshold,
        "threshold_origin": asdict(done.decision.validation),
        "audit": asdict(done.audit),
        "overall": asdict(done.overall),
        "by_smell": {group.name: asdict(group.scores) for group in done.by_smell},
        "by_technology": {group.name: asdict(group.scores) for group in done.by_technology},
    }


def render(done: Evaluation) -> str:
    """A plain text table, with what a reader must know to trust it."""
    origin, audit = done.decision.validation, done.audit
    given = audit.samples - audit.technology_from_extension
    guessed = audit.technology_from_extension - audit.technology_unknown
    lines = [
        f"{done.run} on {done.data} (sha256 {done.sha256[:8]}), {audit.samples} samples",
        "",
        _table(done),
        "",
        "Positive class: TP, a real smell. A dash marks a score that is not defined.",
        f"Threshold: TP if p(TP) >= {done.decision.threshold:.4f}, the best F1 ({origin.f1:.3f}; "
        f"{origin.f1_at_half:.3f} at 0.5)",
        f"  on validation data {origin.file} (sha256 {origin.sha256[:8]}).",
        f"Technology: {given} from the field, {guessed} from the file extension, "
        f"{audit.technology_unknown} unknown.",
        f"Cut to fit {done.decision.max_length} tokens: {audit.samples_cut} samples "
        f"({audit.context_lines_dropped} context lines), kept longer: "
        f"{audit.kept_over_max_length}.",
        f"Written: {done.directory}",
    ]
    return "\n".join(lines)


def _write(done: Evaluation) -> None:
    done.directory.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps({"schema": SCHEMA, **asdict(each)}) for each in done.predictions]
    write_atomically(done.directory / "predictions.jsonl", "\n".join(rows) + "\n")
    write_json(done.directory / "metrics.json", document(done))


def _groups(
    predictions: Sequence[Prediction], key: Callable[[Prediction], str]
) -> tuple[Group, ...]:
    names = sorted({key(prediction) for prediction in predictions})
    return tuple(
        Group(name, _score([each for each in predictions if key(each) == name])) for name in names
    )


def _score(predictions: Sequence[Prediction]) -> Scores:
    return score(
        [prediction.label == "TP" for prediction in predictions],
        [prediction.decision == "TP" for prediction in predictions],
        [prediction.p_tp for prediction in predictions],
    )


def _table(done: Evaluation) -> str:
    table = PrettyTable(["", *COLUMNS])
    table.border = False
    table.align = "r"
    table.align[""] = "l"
    table.add_row(["all", *_cells(done.overall)])
    for group in (*done.by_smell, *done.by_technology):
        table.add_row([group.name, *_cells(group.scores)])
    return "\n".join(line.rstrip() for line in table.get_string().splitlines())


def _cells(scores: Scores) -> list[str]:
    ratios = (
        scores.precision,
        scores.recall,
        scores.f1,
        scores.mcc,
        scores.average_precision,
        scores.accuracy,
    )
    shown = ["-" if value is None else f"{value:.3f}" for value in ratios]
    return [str(scores.samples), str(scores.support), *shown]
