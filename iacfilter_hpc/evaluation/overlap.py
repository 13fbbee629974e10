"""Keep a report honest: which of its samples have the model and its threshold seen before?"""

from __future__ import annotations

from dataclasses import dataclass

from iacfilter_hpc.detections.traces import trace_of_content, traces_of_origin
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.evaluation.labelled import Labelled
from iacfilter_hpc.options import EvaluateOptions
from iacfilter_hpc.training.decision import Decision
from iacfilter_hpc.training.evidence import Seen

ARGMAX = 0.5
"""The threshold at which the more probable class is decided."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Of `samples` samples, how many trained the model, and how many chose its threshold.

    `is_validation_file` says that the file is, byte for byte, the one that chose the threshold.
    Of the samples that did neither, `near` have smell and line of one that did, and `related` are
    of the same file, repository or family as one that did.
    """

    samples: int
    train: int
    validation: int
    is_validation_file: bool
    near: int = 0
    related: int = 0

    @property
    def fits_threshold(self) -> bool:
        """Whether the run's own threshold and temperature were fitted on some of the data."""
        return self.is_validation_file or self.validation > 0

    @property
    def is_seen(self) -> bool:
        """Whether the data are no longer held out."""
        return self.train > 0 or self.fits_threshold

    def warnings(self) -> list[str]:
        """What a reader must know before believing any score."""
        found = []
        if self.train:
            found.append(
                f"{self.train} of {self.samples} samples are among those that trained the model: "
                "the scores say how well it remembers, not how well it judges"
            )
        if self.fits_threshold:
            found.append(
                f"{self.validation} of {self.samples} samples are among the validation samples: "
                "they chose the epoch, and the temperature of p(TP) was fitted on them"
            )
        if self.near:
            found.append(
                f"{self.near} of {self.samples} samples have the smell and the line of a training "
                "or validation sample, in another place: the scores may say how well it remembers"
            )
        if self.related:
            found.append(
                f"{self.related} of {self.samples} samples are of files, repositories or families "
                "that training or validation samples are of, so they are not wholly new"
            )
        return found


def find_overlap(data: Labelled, seen: Seen, validation_sha256: str) -> Overlap:
    """How far the samples are those that a model has seen; the sha256 is of its validation file."""
    new = [s for s in data.samples if s.key not in seen.train and s.key not in seen.validation]
    return Overlap(
        samples=len(data.samples),
        train=sum(sample.key in seen.train for sample in data.samples),
        validation=sum(sample.key in seen.validation for sample in data.samples),
        is_validation_file=data.sha256 == validation_sha256,
        near=sum(trace_of_content(sample) in seen.contents for sample in new),
        related=sum(not seen.origins.isdisjoint(traces_of_origin(sample)) for sample in new),
    )


def settle_threshold(
    decision: Decision, overlap: Overlap, data: Labelled, options: EvaluateOptions
) -> float:
    """The threshold that `options` ask for.

    Raises:
        TrainingError: it is the run's own, and was fitted on samples that it is to be reported on;
            or the run, from which cross-fitting starts, knows some of the samples.
    """
    if options.cross_fit is not None and (overlap.train or overlap.fits_threshold):
        raise TrainingError(
            f"{overlap.train} of {overlap.samples} samples of {data.path} trained this run, and "
            f"{overlap.validation} chose its epoch; cross-fitting starts from its weights",
            hint="give data that the run has not seen, or cross-fit a run that has not seen these",
        )
    if options.threshold == "argmax":
        return ARGMAX
    if options.threshold != "validation":
        return options.threshold
    if not overlap.fits_threshold:
        return decision.threshold
    what = (
        f"{data.path} is the validation file that chose this run's threshold"
        if overlap.is_validation_file
        else f"{overlap.validation} of {overlap.samples} samples of {data.path} are among the "
        "validation samples that chose this run's threshold"
    )
    raise TrainingError(
        f"{what}; a threshold is never fitted on the data it is reported on",
        hint="give data that the run has not seen, or --threshold argmax, or a number",
    )
