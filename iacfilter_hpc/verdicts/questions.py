"""Questions to a person: the findings of a report or of samples, in the order to ask them.

The order is random, and stratified by smell and score: whenever a person stops, what they have
labelled is nearly in proportion to all there is, so shares of it are those of the whole. Asking
first what a model is unsure of was measured far worse: 50 such labels gave a threshold of F1 .12 to
.26, and 50 random ones .60 to .71.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from iacfilter_hpc.glitch.reasons import Cause
from iacfilter_hpc.glitch.report import BadRow, Detection
from iacfilter_hpc.glitch.to_samples import Unusable, build_sample
from iacfilter_hpc.samples.hashes import same_smell
from iacfilter_hpc.samples.prompt import NEWEST, PromptForm
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.verdicts.finding import LONGEST_HEAD, SUGGESTION, Place
from iacfilter_hpc.verdicts.repository import ReportedPlaces

SOURCE = "human"
QUARTERS = 4
FOR_PEOPLE = (Cause.UNKNOWN_CODE, Cause.NO_TECHNOLOGY, Cause.TOO_LONG)
"""What keeps a row from being a sample, and a model from judging it, but no person."""
Score = Callable[[Sequence[Sample]], Sequence[float | None]]
"""p(TP) of each sample, None where the model has none for it."""


@dataclass(frozen=True, slots=True)
class Question:
    """Finding that a person is asked about; `said` are GLITCH's words, `code` its name of it.

    Of a sample GLITCH's words are not known: its label is for the line as a whole.
    """

    place: Place
    code: str
    said: str
    sample: Sample | None
    p_tp: float | None = None


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions, and how many findings make none, by the reason."""

    asked: tuple[Question, ...]
    left_out: dict[str, int]


def questions_of_rows(
    rows: Iterable[Detection | BadRow],
    places: ReportedPlaces,
    technology: str | None,
    form: PromptForm = NEWEST,
) -> Questions:
    """A question for each place of a report; two codes of one smell ask the same.

    `form` is that of the prompts that a model is asked in, as a filter would.
    """
    found: dict[Place, Question] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        made = _of_row(row, places, technology, form)
        if isinstance(made, Question):
            found.setdefault(made.place, made)
        elif made:
            left_out[made] += 1
    return Questions(tuple(found.values()), dict(left_out))


def questions_of_samples(samples: Iterable[Sample], places: ReportedPlaces) -> Questions:
    """A question for each sample whose line is in the scripts as the sample has it."""
    found: dict[Place, Question] = {}
    left_out: Counter[str] = Counter()
    for each in samples:
        smell = same_smell(each.smell)
        row = Detection(0, each.file, each.line, smell, smell, "", "")
        made = build_sample(row, places.scripts, technology=each.technology, source=each.source)
        place = places.of(row)
        assert place is None or not place.words, "a sample has none of GLITCH's words"
        if isinstance(made, Unusable):
            left_out[made.reason.kind or made.reason.text] += 1
        elif made.content != each.content.strip():
            left_out["the line is not the sample's"] += 1
        elif place is not None:
            found.setdefault(place, Question(place, smell, each.content.strip(), each))
    return Questions(tuple(found.values()), dict(left_out))


def _of_row(
    row: Detection | BadRow, places: ReportedPlaces, technology: str | None, form: PromptForm
) -> Question | str:
    """The question of a row, or why there is none; "" for a blank line."""
    if isinstance(row, BadRow):
        return "" if row.is_blank else row.kind or row.problem
    made = build_sample(row, places.scripts, technology=technology, source=SOURCE, form=form)
    place = places.of(row)
    if isinstance(made, Sample) and place is not None:
        return Question(place, row.code, _said(row), made)
    assert isinstance(made, Unusable), "what makes a sample has a place"
    # a person can judge what a model cannot, if the line is there to be shown
    if place is not None and made.reason.cause in FOR_PEOPLE:
        return Question(place, row.code, _said(row), None)
    return made.reason.kind or made.reason.text


def _said(row: Detection) -> str:
    suggested = SUGGESTION.search(row.raw[:LONGEST_HEAD])
    return f"{suggested[0]} {row.detail}" if suggested else row.detail


def scored(questions: Iterable[Question], score: Score) -> list[Question]:
    """The questions with a model's p(TP), where it has one."""
    every = list(questions)
    samples = [each.sample for each in every if each.sample is not None]
    scores = dict(zip(map(id, samples), score(samples), strict=True))
    return [replace(each, p_tp=scores.get(id(each.sample))) for each in every]


def in_order(questions: Iterable[Question], seed: int) -> list[Question]:
    """The questions as a person is asked them: any first part of them is like the whole."""
    draw = random.Random(seed)
    placed: list[tuple[float, float, Question]] = []
    for stratum in _strata(questions):
        draw.shuffle(stratum)
        # evenly from 0 to 1, so that of every stratum the same share comes before any point
        start = draw.random()
        for number, each in enumerate(stratum):
            placed.append(((number + start) / len(stratum), draw.random(), each))
    return [each for *_, each in sorted(placed, key=lambda item: item[:2])]


def _strata(questions: Iterable[Question]) -> Iterator[list[Question]]:
    """The questions of each smell, by quarters of their p(TP), and those without."""
    of_smell: dict[str, list[Question]] = {}
    for each in sorted(questions, key=lambda question: question.place):
        of_smell.setdefault(each.place.smell, []).append(each)
    for smell in sorted(of_smell):
        ranked = sorted(
            (each for each in of_smell[smell] if each.p_tp is not None), key=lambda q: q.p_tp or 0.0
        )
        ends = [len(ranked) * number // QUARTERS for number in range(QUARTERS + 1)]
        yield from (ranked[a:b] for a, b in pairwise(ends) if a < b)
        if rest := [each for each in of_smell[smell] if each.p_tp is None]:
            yield rest
