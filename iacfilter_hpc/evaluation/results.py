"""Results of an evaluation, as plain JSON types and as files, and where they lie."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.evaluation.admission import Overlap
from iacfilter_hpc.evaluation.breakdown import Breakdown, GroupCounts, SubsetScores
from iacfilter_hpc.evaluation.crossfit import CrossFit
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.evaluation.predictions import Prediction, predictions_text
from iacfilter_hpc.inputs.encoded import Audit
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.runs.provenance import Provenance
from iacfilter_hpc.trained_model.calibration import Calibration
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.find import Trained

CROSS_FIT = "-cross-fit-{}-seed-{}"


def results_directory(model: Trained, options: EvaluateOptions) -> Path:
    """The directory of all results, with a folder for each evaluation.

    Raises:
        UsageError: the model lies in no run, and no other place is named.
    """
    if options.output is not None:
        return options.output
    if model.run is None:
        raise UsageError(
            f"{model.final} lies in no run, so nothing says where to write",
            hint="-o DIR names a directory",
        )
    return model.run.evaluation


def test_set_log_directory(model: Trained, options: EvaluateOptions) -> Path:
    """Where looks.jsonl lies: a run keeps its own, wherever results are written."""
    # -o DIR would otherwise start a new count of looks
    return results_directory(model, options) if model.run is None else model.run.evaluation


def folder_name(data: Labelled, options: EvaluateOptions) -> str:
    """The folder of one file's results; what is not the run's own decision is in its name."""
    # a part of the sha256, as several files of one name are evaluated on one run (test.jsonl); what
    # else differs is in the name too, so that no evaluation overwrites another
    name = f"{data.path.stem}-{data.sha256[:8]}"
    if options.cross_fit is not None:
        return f"{name}{CROSS_FIT.format(options.cross_fit, options.used_seed)}"
    return name if options.threshold == "validation" else f"{name}-{options.threshold}"


def cross_fits(evaluation: Path, data: Labelled, options: EvaluateOptions) -> list[Path]:
    """Folders of cross-fits of this data that these options allow, lowest seed first.

    Any seed is allowed where none was asked for.
    """
    if options.seed is not None or not evaluation.is_dir():
        return [evaluation / folder_name(data, options)]
    start = f"{data.path.stem}-{data.sha256[:8]}"
    pattern = re.compile(re.escape(start) + CROSS_FIT.format(options.cross_fit, r"(\d+)"))
    found = [(pattern.fullmatch(path.name), path) for path in evaluation.iterdir()]
    # by number: as text, seed 10 would come before seed 9
    return [path for _, path in sorted((int(match[1]), path) for match, path in found if match)]


def make_writable(directory: Path, names: Sequence[str]) -> None:
    """Make a directory, and check that files of these names can be written into it.

    Raises:
        UsageError: they cannot, which nobody wants to hear after hours of work.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # a file is really made, since mode bits do not tell: over NFS the server decides
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be written to: {error.strerror}", hint="-o DIR names another place"
        ) from error
    # a rename onto a directory would fail, but only when all is done
    for path in (directory / name for name in names):
        if path.is_dir():
            raise UsageError(
                f"{path} is a directory, where a file is to be written",
                hint="-o DIR names another place",
            )


SCHEMA = 2
METRICS_FILE, PREDICTIONS_FILE = "metrics.json", "predictions.jsonl"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluation of a model on the samples of one file; `directory` holds the same as files.

    `model_sha256` is that of the model's manifest. `look` counts the looks at the file's content
    that `looks_log` has, this one included; `samples_per_s` is the speed of scoring alone, the
    model being loaded. `cross_fit` is None where the run's own model decided; else each fold has a
    threshold and a temperature of its own. `calibration` is None where the model has none. Beside a
    cross-fit, `untouched` are the scores of the weights that it began with, in the same folds.
    """

    run: str
    model_sha256: str
    data: Labelled
    directory: Path
    options: EvaluateOptions
    decision: Decision
    threshold: float
    overlap: Overlap
    look: int
    looks_log: Path
    audit: Audit
    group_counts: GroupCounts
    breakdown: Breakdown
    predictions: tuple[Prediction, ...]
    samples_per_s: float
    cross_fit: CrossFit | None
    provenance: Provenance
    calibration: Calibration | None = None
    untouched: SubsetScores | None = None

    @property
    def warnings(self) -> list[str]:
        """Warnings that a reader must know before believing any score."""
        return [*self.data.warnings, *self.overlap.warnings()]


def document(done: Evaluation) -> dict[str, Any]:
    """Document of metrics.json, as plain JSON types."""
    options, fitted, breakdown = done.options, done.cross_fit, done.breakdown
    # what the run chose is told only where it decided
    own = options.threshold == "validation" and fitted is None
    mode = options.threshold if isinstance(options.threshold, str) else "fixed"
    origin = None if done.calibration is None else done.calibration.data
    bootstrap = {"draws": options.draws, "seed": options.used_seed, "level": 0.95}
    return {
        "schema": SCHEMA,
        "run": done.run,
        "model": done.model_sha256,
        "data": str(done.data.path),
        "sha256": done.data.sha256,
        "groups_sha256": done.data.groups_sha256,
        "predictions_sha256": _sha256_of_predictions(done),
        "positive": "TP",
        "cross_fit": None if fitted is None else asdict(fitted),
        "threshold": done.threshold if fitted is None else None,
        "threshold_mode": mode if fitted is None else "cross-fit",
        "threshold_origin": asdict(origin or done.decision.validation) if own else None,
        "temperature": done.decision.temperature if fitted is None else None,
        "calibration": None if done.calibration is None else _calibration(done.calibration),
        "warnings": done.warnings,
        "overlap": asdict(done.overlap),
        "look": done.look,
        "looks_log": str(done.looks_log),
        "audit": asdict(done.audit),
        "samples_per_s": done.samples_per_s,
        "bootstrap": {**bootstrap, **asdict(done.group_counts)},
        "overall": _subset(breakdown.overall),
        "untouched": None if done.untouched is None else _subset(done.untouched),
        "macro_f1_by_smell": breakdown.macro_f1,
        "by_smell": {each.name: _subset(each) for each in breakdown.by_smell},
        "by_technology": {each.name: _subset(each) for each in breakdown.by_technology},
        "provenance": asdict(done.provenance),
    }


def write(done: Evaluation) -> None:
    """Write metrics.json and predictions.jsonl into the evaluation's directory: both or none."""
    metrics = json.dumps(document(done), indent=2, allow_nan=False) + "\n"
    # metrics.json takes its place last: an evaluation is there once it is, and its sha256 of the
    # predictions tells a file that was replaced alone
    with replacing(done.directory / PREDICTIONS_FILE, done.directory / METRICS_FILE) as (
        rows,
        scores,
    ):
        rows.write(predictions_text(done.predictions).encode())
        scores.write(metrics.encode())


def _sha256_of_predictions(done: Evaluation) -> str:
    return hashlib.sha256(predictions_text(done.predictions).encode()).hexdigest()


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "sha256": calibration.sha256,
        "form": calibration.form,
        "threshold": calibration.threshold,
        "partners": [asdict(partner) for partner in calibration.partners],
        "data": asdict(calibration.data),
    }


def _subset(subset: SubsetScores) -> dict[str, Any]:
    intervals = subset.intervals.items()
    return {
        **subset.scores.as_dict(),
        "few_positives": subset.scores.few_positives,
        "groups": subset.groups,
        "few_groups": subset.few_groups,
        "intervals": {key: None if found is None else asdict(found) for key, found in intervals},
    }
