"""Admission of an evaluation: what is refused before a model is loaded or a look is logged.

Imports no torch, so that a login node can refuse what a job would refuse after hours in the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.checkpoints.manifest import model_sha256
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.errors import TrainingError, UsageError
from iacfilter_hpc.evaluation.data import Labelled, read_labelled
from iacfilter_hpc.trained_model.calibration import (
    Calibration,
    SeenSamples,
    calibrated_sha256,
    find_calibration,
)
from iacfilter_hpc.trained_model.decision import Decision, read_decision
from iacfilter_hpc.trained_model.evidence import Seen, read_seen
from iacfilter_hpc.trained_model.find import Trained

ARGMAX = 0.5
"""The threshold at which the more probable class is decided."""
KNOWN = "training or validation"
"""Samples that every model has seen, in words."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Overlap of `samples` samples with those that trained a model or chose its threshold.

    `is_validation_file` says that the file is, byte for byte, the one that chose the threshold.
    Where the model `is_calibrated`, `calibration` samples have fitted that, and its threshold.
    Of the samples that did neither, `near` have smell and line of one that did, and `related` are
    of the same file, repository or family as one that did.
    """

    samples: int
    train: int
    validation: int
    is_validation_file: bool
    near: int = 0
    related: int = 0
    calibration: int = 0
    is_calibrated: bool = False

    @property
    def chose_epoch(self) -> bool:
        """Whether some of the data chose the epoch, and the temperature."""
        return self.is_validation_file or self.validation > 0

    @property
    def fits_threshold(self) -> bool:
        """Whether the run's own threshold was fitted on some of the data."""
        return self.calibration > 0 if self.is_calibrated else self.chose_epoch

    @property
    def is_seen(self) -> bool:
        """Whether the data are no longer held out."""
        return self.train > 0 or self.chose_epoch or self.calibration > 0

    def warnings(self) -> list[str]:
        """Warnings that a reader must know before believing any score."""
        parts = "training, validation or calibration" if self.is_calibrated else KNOWN
        found = []
        # warned of, not refused: only a threshold must not be fitted on what it is reported on
        if self.train:
            found.append(
                f"{self.train} of {self.samples} samples are among those that trained the model: "
                "the scores say how well it remembers, not how well it judges"
            )
        if self.chose_epoch:
            found.append(
                f"{self.validation} of {self.samples} samples are among the validation samples: "
                "they chose the epoch, and the temperature of p(TP) was fitted on them"
            )
        if self.calibration:
            found.append(
                f"{self.calibration} of {self.samples} samples are among those that fitted the "
                "calibration of p(TP): the scores say how well it fits them, not how well it judges"
            )
        if self.near:
            found.append(
                f"{self.near} of {self.samples} samples have the smell and the line of a {parts} "
                "sample, in another place: the scores may say how well it remembers"
            )
        if self.related:
            found.append(
                f"{self.related} of {self.samples} samples are of files, repositories or families "
                f"that {parts} samples are of, so they are not wholly new"
            )
        return found


def find_overlap(
    data: Labelled, seen: Seen, validation_sha256: str, calibration: SeenSamples | None = None
) -> Overlap:
    """The overlap of samples with those a model has seen; the sha256 is of its validation file.

    `calibration` are those that its calibration has seen, None where it has none.
    """
    fitted = SeenSamples((), (), ()) if calibration is None else calibration
    keys = set(fitted.keys)
    contents, origins = seen.contents | set(fitted.contents), seen.origins | set(fitted.origins)
    # a sample that was itself seen is not near or related as well; near goes by smell and line,
    # since a moved or copied file gives all its samples other keys
    known = seen.train | seen.validation | keys
    new = [sample for sample in data.samples if sample.key not in known]
    return Overlap(
        samples=len(data.samples),
        train=sum(sample.key in seen.train for sample in data.samples),
        validation=sum(sample.key in seen.validation for sample in data.samples),
        is_validation_file=data.sha256 == validation_sha256,
        near=sum(sample.content_hash in contents for sample in new),
        related=sum(not origins.isdisjoint(sample.origin_hashes) for sample in new),
        calibration=sum(sample.key in keys for sample in data.samples),
        is_calibrated=calibration is not None,
    )


def settle_threshold(
    own: float, overlap: Overlap, data: Labelled, options: EvaluateOptions
) -> float:
    """The threshold that `options` ask for; `own` is the model's, of its calibration if it has one.

    Raises:
        TrainingError: it is the run's own, and was fitted on samples that it is to be reported on;
            or the run, from which cross-fitting starts, knows some of the samples.
    """
    # whatever the threshold: a fold that holds out such a sample starts from weights that know it
    if options.cross_fit is not None and (overlap.train or overlap.chose_epoch):
        raise TrainingError(
            f"{overlap.train} of {overlap.samples} samples of {data.path} trained this run, and "
            f"{overlap.validation} chose its epoch; cross-fitting starts from its weights",
            hint="give data that the run has not seen, or cross-fit a run that has not seen these",
        )
    # numbers that nobody fitted may be reported on anything
    if options.threshold == "argmax":
        return ARGMAX
    if options.threshold != "validation":
        return options.threshold
    if not overlap.fits_threshold:
        return own
    what = _fitted_on(overlap, data)
    raise TrainingError(
        f"{what}; a threshold is never fitted on the data it is reported on",
        hint="give data that the run has not seen, or --threshold argmax, or a number",
    )


def _fitted_on(overlap: Overlap, data: Labelled) -> str:
    if overlap.is_calibrated:
        return (
            f"{overlap.calibration} of {overlap.samples} samples of {data.path} are among those "
            "that fitted this model's calibration and its threshold"
        )
    return (
        f"{data.path} is the validation file that chose this run's threshold"
        if overlap.is_validation_file
        else f"{overlap.validation} of {overlap.samples} samples of {data.path} are among the "
        "validation samples that chose this run's threshold"
    )


@dataclass(frozen=True, slots=True)
class Admitted:
    """Admitted evaluation: the model's decision record, its overlap with the data, the threshold.

    `sha256` is that of the model's manifest, with that of its calibration if it has one.
    """

    decision: Decision
    sha256: str
    overlap: Overlap
    threshold: float
    calibration: Calibration | None = None


def admit(model: Trained, data: Labelled, options: EvaluateOptions) -> Admitted:
    """Check that nothing speaks against an evaluation; folds are checked by `check_folds`.

    Raises:
        TrainingError: there is no finished model, or its threshold was fitted on these samples.
        UsageError: a cross-fit of a model that lies in no run.
    """
    decision = read_decision(model.final)
    # cross-fitting starts from the weights, of which a calibration is no part
    calibration = find_calibration(model.final) if options.cross_fit is None else None
    overlap = find_overlap(
        data,
        read_seen(model.final),
        decision.validation.sha256,
        None if calibration is None else calibration.seen,
    )
    # a copy of final/ has no config.yaml, which says how to train on
    if options.cross_fit is not None and model.run is None:
        raise UsageError(
            f"--cross-fit needs a run's configuration, and {model.final} lies in no run",
            hint="cross-fit the run that the copy was made from",
        )
    own = decision.threshold if calibration is None else calibration.threshold
    threshold = settle_threshold(own, overlap, data, options)
    sha256 = model_sha256(model.final) if calibration is None else calibrated_sha256(calibration)
    return Admitted(decision, sha256, overlap, threshold, calibration)


def check_folds(data: Labelled, options: EvaluateOptions) -> None:
    """Check that the data can be split into the folds asked for, and each of those again.

    Raises:
        UsageError: too few groups or labels.
    """
    if options.cross_fit is not None:
        # scikit-learn takes a second to import, and a login node may lack it
        from iacfilter_hpc.evaluation.crossfit import plan_folds

        plan_folds(data.samples, options.cross_fit, options.used_seed)


def check_data(
    model: Trained, data_path: Path, options: EvaluateOptions, *, folds: bool = True
) -> None:
    """Check, without the model and without torch, that an evaluation will not be refused.

    Raises:
        DataError: wrong lines in a file, or a sample without a label.
        TrainingError: there is no finished model, or its threshold was fitted on these samples.
        UsageError: a cross-fit that cannot be; with `folds` false, they are left unchecked.
    """
    # `evaluate` checks all this again: the files may have changed while its job was queued
    data = read_labelled(data_path, options.groups)
    admit(model, data, options)
    if folds:
        check_folds(data, options)
