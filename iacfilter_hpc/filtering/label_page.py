"""Model beside a person who labels: its p(TP) of each question, and what labels say of it.

A threshold is judged by all labels so far. They are drawn at random in proportion (see
verdicts/questions.py), so shares of them are those of the whole report, within Wilson's intervals.
Findings of one file are alike, which these intervals do not know: the true ones are wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.evaluation.bootstrap import wilson
from iacfilter_hpc.evaluation.predict import load_scorer, score
from iacfilter_hpc.filtering.threshold import FilterThreshold, choose_filter_threshold
from iacfilter_hpc.inputs.encode import NoFit
from iacfilter_hpc.samples.prompt import PromptForm
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.smells import smell_of_words
from iacfilter_hpc.trained_model.decision import read_decision
from iacfilter_hpc.verdicts.questions import Score

MORE = 20
"""Labels whose effect is told in advance."""


@dataclass(frozen=True, slots=True)
class LabelModel:
    """Model that scores questions, and the threshold that it filters with."""

    score: Score
    threshold: FilterThreshold
    form: PromptForm


@dataclass(frozen=True, slots=True)
class Share:
    """Share with its interval (95 %), and that interval after MORE labels of the same kind."""

    hits: int
    count: int
    low: float
    high: float
    later: tuple[float, float]


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Figures of a threshold on the labels so far; a share of nothing is None.

    `recall` is of the real ones, those kept; `precision` of the kept ones, those real; `removed` of
    the false alarms, those removed. `bound` is the threshold that keeps every real one so far.
    """

    threshold: float
    labels: int
    recall: Share | None
    precision: Share | None
    removed: Share | None
    bound: float | None


def load_label_model(final: Path) -> LabelModel:
    """The model of a final/ directory.

    Raises:
        TrainingError: `final` holds no finished model, or files of it are missing or changed.
    """
    scorer = load_scorer(final)
    known = {smell_of_words(smell) or smell for smell in scorer.decision.smells}

    def scores(samples: Sequence[Sample]) -> list[float | None]:
        encoded = scorer.encode(samples)
        # of a smell that it was not trained on a model's p(TP) means nothing
        fits = {
            place: each
            for place, (sample, each) in enumerate(zip(samples, encoded, strict=True))
            if not isinstance(each, NoFit) and sample.smell in known
        }
        p_tp = score(scorer, [samples[place] for place in fits], list(fits.values()))
        found = dict(zip(fits, p_tp, strict=True))
        return [found.get(place) for place in range(len(samples))]

    decision = read_decision(final)
    threshold = choose_filter_threshold(final, decision)
    return LabelModel(scores, threshold, PromptForm(decision.prompt_form))


def figures(labels: Sequence[tuple[bool, float]], threshold: float) -> LabelFigures:
    """What labels say of a threshold: each is whether a person calls it real, and p(TP)."""
    real = [p for is_real, p in labels if is_real]
    false = [p for is_real, p in labels if not is_real]
    kept_real = sum(p >= threshold for p in real)
    kept_false = sum(p >= threshold for p in false)
    growth = 1 + MORE / max(1, len(labels))
    return LabelFigures(
        threshold,
        len(labels),
        _share(kept_real, len(real), growth),
        _share(kept_real, kept_real + kept_false, growth),
        _share(len(false) - kept_false, len(false), growth),
        min(real, default=None),
    )


def _share(hits: int, count: int, growth: float) -> Share | None:
    if not count:
        return None
    later = wilson(round(hits * growth), round(count * growth))
    return Share(hits, count, *wilson(hits, count), later)
