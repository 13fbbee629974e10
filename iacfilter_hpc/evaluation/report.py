"""Evaluate a trained model on a file of samples, and write what was found."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iacfilter_hpc.config import load_config
from iacfilter_hpc.detections.fields import LABELS
from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.evaluation.cells import Cell, Cells, Clusters, find_clusters, make_cells
from iacfilter_hpc.evaluation.crossfit import CrossFit, CrossFitted, cross_fit
from iacfilter_hpc.evaluation.labelled import Labelled, read_labelled
from iacfilter_hpc.evaluation.looks import Look, Purpose, record_look
from iacfilter_hpc.evaluation.overlap import Overlap, find_overlap, settle_threshold
from iacfilter_hpc.evaluation.places import folder_name, looks_directory, results_directory
from iacfilter_hpc.evaluation.predict import load_scorer, score
from iacfilter_hpc.evaluation.predictions import Prediction, write_predictions
from iacfilter_hpc.files import write_json
from iacfilter_hpc.options import EvaluateOptions
from iacfilter_hpc.provenance import Provenance, provenance
from iacfilter_hpc.trained import Trained
from iacfilter_hpc.training.audit import Audit, Encoded, audit
from iacfilter_hpc.training.data import all_fitting
from iacfilter_hpc.training.decision import Decision, read_decision
from iacfilter_hpc.training.evidence import read_seen
from iacfilter_hpc.training.finetune import LogOdds, fine_tune

logger = logging.getLogger(__name__)

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model decides the samples of one file; `directory` holds the same as files.

    `look` counts the looks of this model at the file's content, this one included;
    `samples_per_s` is the speed of scoring alone, the model being loaded. `cross_fit` is None where
    the run's own model decided; else each fold has a threshold and a temperature of its own.
    """

    run: str
    data: Labelled
    directory: Path
    options: EvaluateOptions
    decision: Decision
    threshold: float
    overlap: Overlap
    look: int
    audit: Audit
    clusters: Clusters
    cells: Cells
    predictions: tuple[Prediction, ...]
    samples_per_s: float
    cross_fit: CrossFit | None
    provenance: Provenance


def evaluate(
    model: Trained, data_path: Path, options: EvaluateOptions, purpose: Purpose = "evaluate"
) -> Evaluation:
    """Score `data_path` with a model, and write metrics.json and predictions.jsonl.

    `purpose` is what the look at the data is logged as.

    Raises:
        DataError: wrong lines in a file, a sample without a label, or prompts that cannot be made
            to fit.
        TrainingError: there is no finished model, or its threshold was fitted on these samples.
        UsageError: nothing says where to write.
    """
    directory = results_directory(model, options)
    data = read_labelled(data_path, options.groups)
    decision = read_decision(model.final)
    overlap = find_overlap(data, read_seen(model.final), decision)
    threshold = settle_threshold(decision, overlap, data, options)
    scorer = load_scorer(model.final)
    encoded = all_fitting(data.samples, scorer.encode(data.samples))
    look = record_look(looks_directory(model, options), _look(model, data, options, purpose))
    started = time.perf_counter()
    p_tp = score(scorer, encoded)
    seconds = time.perf_counter() - started
    thresholds = [threshold] * len(p_tp)
    fitted = None
    if options.cross_fit is not None:
        fitted = _cross_fit(model, data, options, options.cross_fit)
        p_tp, thresholds = list(fitted.p_tp), list(fitted.thresholds)
    predictions = make_predictions(data.samples, encoded, p_tp, thresholds)
    done = Evaluation(
        run=model.name,
        data=data,
        directory=directory / folder_name(data, options),
        options=options,
        decision=decision,
        threshold=threshold,
        overlap=overlap,
        look=look,
        audit=audit(data.samples, encoded),
        clusters=find_clusters(data.samples),
        cells=make_cells(predictions, options.draws, options.seed),
        predictions=tuple(predictions),
        samples_per_s=len(predictions) / seconds,
        cross_fit=None if fitted is None else fitted.record,
        provenance=provenance(),
    )
    write(done)
    return done


def _cross_fit(model: Trained, data: Labelled, options: EvaluateOptions, folds: int) -> CrossFitted:
    """Fine-tune the run on folds of the data; each fold's progress goes to the log."""
    run = model.run
    if run is None:
        raise UsageError(
            f"--cross-fit needs a run's configuration, and {model.final} lies in no run",
            hint="cross-fit the run that the copy was made from",
        )
    config = load_config(run)

    def fit(
        train: Sequence[Sample], held_out: Sequence[Sample], epochs: Sequence[int]
    ) -> list[LogOdds]:
        return fine_tune(run, config, train, held_out, epochs, options.seed)

    return cross_fit(data.samples, fit, folds, options.seed, logger.info)


def make_predictions(
    samples: Sequence[Sample],
    encoded: Sequence[Encoded],
    p_tp: Sequence[float],
    thresholds: Sequence[float],
) -> list[Prediction]:
    """One prediction a sample, in their order: TP where p(TP) reaches the sample's threshold."""
    return [
        _prediction(index, *row)
        for index, row in enumerate(zip(samples, encoded, p_tp, thresholds, strict=True))
    ]


def document(done: Evaluation) -> dict[str, Any]:
    """The evaluation as plain JSON types: what metrics.json holds."""
    options, fitted = done.options, done.cross_fit
    own = options.threshold == "validation" and fitted is None
    mode = options.threshold if isinstance(options.threshold, str) else "fixed"
    bootstrap = {"draws": options.draws, "seed": options.seed, "level": 0.95}
    return {
        "schema": SCHEMA,
        "run": done.run,
        "data": str(done.data.path),
        "sha256": done.data.sha256,
        "positive": "TP",
        "cross_fit": None if fitted is None else asdict(fitted),
        "threshold": done.threshold if fitted is None else None,
        "threshold_mode": mode if fitted is None else "cross-fit",
        "threshold_origin": asdict(done.decision.validation) if own else None,
        "temperature": done.decision.temperature if fitted is None else None,
        "warnings": done.overlap.warnings(),
        "overlap": asdict(done.overlap),
        "look": done.look,
        "audit": asdict(done.audit),
        "samples_per_s": done.samples_per_s,
        "bootstrap": {**bootstrap, **asdict(done.clusters)},
        "overall": _cell(done.cells.overall),
        "by_smell": {cell.name: _cell(cell) for cell in done.cells.by_smell},
        "by_technology": {cell.name: _cell(cell) for cell in done.cells.by_technology},
        "provenance": asdict(done.provenance),
    }


def write(done: Evaluation) -> None:
    """Write metrics.json and predictions.jsonl into the evaluation's directory."""
    done.directory.mkdir(parents=True, exist_ok=True)
    write_predictions(done.directory / "predictions.jsonl", done.predictions)
    write_json(done.directory / "metrics.json", document(done))


def _look(model: Trained, data: Labelled, options: EvaluateOptions, purpose: Purpose) -> Look:
    return Look(
        run=model.name,
        purpose=purpose,
        data=data.path,
        sha256=data.sha256,
        samples=len(data.samples),
        threshold=str(options.threshold),
    )


def _prediction(
    index: int, sample: Sample, encoded: Encoded, p_tp: float, threshold: float
) -> Prediction:
    assert sample.label is not None, "read_labelled takes no other"
    return Prediction(
        index=index,
        key=sample.key,
        file=sample.file,
        line=sample.line,
        smell=sample.smell,
        technology=sample.technology,
        group=sample.group,
        label=sample.label,
        p_tp=p_tp,
        decision=LABELS[p_tp >= threshold],
        threshold=threshold,
        tokens_dropped=encoded.tokens_dropped,
        lines_dropped=encoded.lines_dropped,
        over_max_length=encoded.over_max_length,
    )


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        **asdict(cell.scores),
        "few_positives": cell.scores.few_positives,
        "intervals": asdict(cell.intervals),
    }
