"""Coverage of a model: the smells and technologies of which it has seen enough to judge them.

Enough are so many real ones in training, and so many in the data that chose the threshold, of which
at least half must be kept. A model that saw twelve real secrets and 660 false ones has learned that
secrets are false; one that loses 13 of 14 real addresses on its own validation data removes all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.samples.hashes import same_smell
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.known_labels import find_labels, find_scores
from iacfilter_hpc.trained_model.recall import recalls
from iacfilter_hpc.trained_model.trained_on import LabelCount, Recall

MIN_TRAIN_TP = 20
MIN_VALIDATION_TP = 10
"""As evaluations mark scores of fewer real ones: a threshold that ten chose is off by chance."""
MIN_RECALL = 0.5
"""Of a smell on the data that chose the threshold: below it more real ones are lost than kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Least real ones of a smell, and of a technology, that a model must have seen."""

    train_tp: int = MIN_TRAIN_TP
    validation_tp: int = MIN_VALIDATION_TP
    recall: float = MIN_RECALL

    @property
    def takes_its_word(self) -> bool:
        """Whether a model is believed that tells no numbers."""
        return self.train_tp == self.validation_tp == 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """Labels that a model has seen of one smell or technology."""

    labels: int = 0
    train_tp: int = 0
    validation_tp: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a model has seen by smell and by technology; None where it does not tell."""

    smells: frozenset[str]
    of_smell: dict[str, _Seen] | None
    of_technology: dict[str, _Seen] | None
    recall: dict[str, Recall]
    minimum: Minimum

    def lack(self, smell: str, technologies: Iterable[str]) -> Reason | None:
        """Why a detection cannot be judged, None if it can.

        Every one of the technologies must have been seen: that of a flag, and that of the path.
        """
        if self.of_smell is None or self.of_technology is None:
            return self._word_of(smell)
        if reason := _lack(
            smell, self.of_smell.get(smell, _Seen()), Cause.UNTRAINED_SMELL, self.minimum
        ):
            return reason
        if reason := self._loss(smell):
            return reason
        for name in technologies:
            seen = self.of_technology.get(name, _Seen())
            if reason := _lack(name, seen, Cause.UNTRAINED_TECHNOLOGY, self.minimum):
                return reason
        return None

    def _loss(self, smell: str) -> Reason | None:
        """Why a smell is not judged of whose real ones too many are lost."""
        found = self.recall.get(smell)
        if found is None or found.kept >= self.minimum.recall * found.real:
            return None
        lost = found.real - found.kept
        text = f"{smell}: the model loses {lost} of {found.real} real ones in validation"
        return Reason(Cause.LOW_RECALL, text)

    def _word_of(self, smell: str) -> Reason | None:
        if not self.minimum.takes_its_word:
            return UNKNOWN_TRAINING
        return None if smell in self.smells else _untrained(smell, Cause.UNTRAINED_SMELL)


UNKNOWN_TRAINING = Reason(
    Cause.UNKNOWN_TRAINING, "the model is of an earlier version and does not say what trained it"
)


def coverage_of(final: Path, decision: Decision, threshold: float, minimum: Minimum) -> Coverage:
    """What the model in a directory has seen, its calibration included, and kept at a threshold.

    Raises:
        TrainingError: its record or its calibration is damaged.
    """
    labels = find_labels(final)
    smells = frozenset(map(same_smell, decision.smells))
    if labels is None:
        return Coverage(smells, None, None, {}, minimum)
    return Coverage(
        smells,
        _totals((each.smell, each) for each in labels),
        _totals((each.technology, each) for each in labels),
        {each.smell: each for each in recalls(find_scores(final) or (), threshold) if each.smell},
        minimum,
    )


def _totals(named: Iterable[tuple[str, LabelCount]]) -> dict[str, _Seen]:
    labels, train, validation = Counter[str](), Counter[str](), Counter[str]()
    for name, each in named:
        labels[name] += each.train_tp + each.train_fp
        train[name] += each.train_tp
        validation[name] += each.validation_tp
    return {name: _Seen(labels[name], train[name], validation[name]) for name in labels}


def _lack(name: str, seen: _Seen, untrained: Cause, minimum: Minimum) -> Reason | None:
    if not seen.labels:
        return _untrained(name, untrained)
    if seen.train_tp >= minimum.train_tp and seen.validation_tp >= minimum.validation_tp:
        return None
    text = (
        f"{name}: the model saw {seen.train_tp} real ones (needs {minimum.train_tp}) and was "
        f"validated on {seen.validation_tp} (needs {minimum.validation_tp})"
    )
    return Reason(Cause.FEW_LABELS, text)


def _untrained(name: str, cause: Cause) -> Reason:
    return Reason(cause, f"the model was not trained on {name}")
