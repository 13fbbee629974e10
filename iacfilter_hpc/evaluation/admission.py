"""See, before a model is loaded and before a look is logged, that an evaluation makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.evaluation.labelled import Labelled, read_labelled
from iacfilter_hpc.evaluation.overlap import Overlap, find_overlap, settle_threshold
from iacfilter_hpc.options import EvaluateOptions
from iacfilter_hpc.trained import Trained
from iacfilter_hpc.training.decision import Decision, read_decision
from iacfilter_hpc.training.evidence import read_seen
from iacfilter_hpc.training.whole import model_sha256


@dataclass(frozen=True, slots=True)
class Admitted:
    """A model that may be evaluated on some data, and how it will decide them.

    `sha256` is that of the model's manifest.
    """

    decision: Decision
    sha256: str
    overlap: Overlap
    threshold: float


def admit(model: Trained, data: Labelled, options: EvaluateOptions) -> Admitted:
    """See that nothing speaks against an evaluation; folds are checked by `check_folds`.

    Raises:
        TrainingError: there is no finished model, or its threshold was fitted on these samples.
        UsageError: a cross-fit of a model that lies in no run.
    """
    decision = read_decision(model.final)
    overlap = find_overlap(data, read_seen(model.final), decision.validation.sha256)
    if options.cross_fit is not None and model.run is None:
        raise UsageError(
            f"--cross-fit needs a run's configuration, and {model.final} lies in no run",
            hint="cross-fit the run that the copy was made from",
        )
    threshold = settle_threshold(decision, overlap, data, options)
    return Admitted(decision, model_sha256(model.final), overlap, threshold)


def check_folds(data: Labelled, options: EvaluateOptions) -> None:
    """See that the data can be split into the folds that are asked for, and each of them again.

    Raises:
        UsageError: too few groups or labels.
    """
    if options.cross_fit is not None:
        # scikit-learn takes a second to import, and a login node may lack it
        from iacfilter_hpc.evaluation.folds import plan_folds

        plan_folds(data.samples, options.cross_fit, options.used_seed)


def check_data(
    model: Trained, data_path: Path, options: EvaluateOptions, *, folds: bool = True
) -> None:
    """See, without the model and without torch, that an evaluation will not be refused.

    Raises:
        DataError: wrong lines in a file, or a sample without a label.
        TrainingError: there is no finished model, or its threshold was fitted on these samples.
        UsageError: a cross-fit that cannot be; with `folds` false, they are left unchecked.
    """
    data = read_labelled(data_path, options.groups)
    admit(model, data, options)
    if folds:
        check_folds(data, options)
