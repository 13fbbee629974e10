"""Filter: the rows of a report judged by a trained model, a chunk at a time.

It fails safe: a row is removed only if the model gave it a p(TP) below the threshold. Whatever
cannot be judged is kept, with the reason.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from iacfilter_hpc.evaluation.predict import own_log_odds, probabilities
from iacfilter_hpc.filtering.first_reading import FirstReading, Result, result_for
from iacfilter_hpc.filtering.safety.guard import Guard
from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.glitch.report import BadRow
from iacfilter_hpc.glitch.rows import Row
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import Unusable, build_sample
from iacfilter_hpc.inputs.encode import NoFit
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.samples.prompt import PromptForm
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.smells import smell_of_words

if TYPE_CHECKING:
    from iacfilter_hpc.evaluation.predict import AnyScorer

# rows of a chunk are scored together, in batches of like length
ROWS_IN_A_CHUNK = 512
TEXT_IN_A_CHUNK = 8 * 1024 * 1024
"""Characters of rows and prompts after which a chunk is full, however few rows it has."""
# a report repeats lines (templates, copies of roles); a hash and a number are little memory
REMEMBERED = 16384
SOURCE = "iacfilter-filter"
NOT_CHOSEN = Reason(Cause.NOT_CHOSEN, "its smell is none of those that --smells names")
NO_SCORE = Reason(Cause.NO_SCORE, "the model's p(TP) is not a number")


@dataclass(frozen=True, slots=True)
class Filter:
    """A model with its threshold, and where the scripts are that a report is about.

    `technology` None means: as each file's extension says. `guard` None judges all that the model
    was trained on, and removes whatever it says. `smells` None: all that it knows.
    """

    scorer: AnyScorer
    threshold: float
    scripts: Scripts
    technology: str | None
    guard: Guard | None = None
    smells: frozenset[str] | None = None
    _remembered: OrderedDict[bytes, float] = field(default_factory=OrderedDict, repr=False)

    def judge(self, rows: Iterable[Row]) -> Iterator[list[DecidedRow]]:
        """Every row in its order, in lists; memory does not grow with the number of rows.

        A row that cannot be judged comes with the reason.

        Raises:
            DataError: the report can no longer be read.
        """
        for chunk in self._chunks(rows):
            yield self._decided(chunk)

    def judge_again(self, rows: Iterable[Row], first: FirstReading) -> Iterator[list[DecidedRow]]:
        """The same rows with the scores that a first reading has noted: nothing is scored twice."""
        results = first.results()
        for chunk in self._chunks(rows):
            yield [self._with_result(each, results) for each in chunk]

    def _chunks(self, rows: Iterable[Row]) -> Iterator[list[DecidedRow]]:
        """Rows that are to be scored, or have the reason why not, a chunk at a time."""
        # final/ names smells as the training file did, which may be in words of a report or an
        # oracle
        known = {smell_of_words(smell) or smell for smell in self.scorer.decision.smells}
        chunk: list[DecidedRow] = []
        size = 0
        for row in rows:
            made = self._prepared(row, known)
            chunk.append(made)
            size += _size(made)
            if len(chunk) == ROWS_IN_A_CHUNK or size > TEXT_IN_A_CHUNK:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk

    def _prepared(self, row: Row, known: set[str]) -> DecidedRow:
        """A row as a sample, or with the reason why it is none for this model."""
        found = row.found
        if isinstance(found, BadRow):
            return DecidedRow(
                row, None, None, reason=Reason(Cause.BAD_ROW, found.problem, found.kind)
            )
        file = self.scripts.relative(found.path)
        if self.smells is not None and found.smell not in self.smells:
            return DecidedRow(row, file, None, reason=NOT_CHOSEN)
        made = build_sample(
            found,
            self.scripts,
            technology=self.technology,
            source=SOURCE,
            form=PromptForm(self.scorer.decision.prompt_form),
        )
        if isinstance(made, Unusable):
            return DecidedRow(row, file, None, reason=made.reason)
        # it would give a p(TP), but one that nobody has trained or validated
        if self.guard is not None:
            reason = self.guard.abstention(made, found.detail)
        elif made.smell not in known:
            text = f"the model was not trained on {made.smell}"
            reason = Reason(Cause.UNTRAINED_SMELL, text)
        else:
            reason = None
        return DecidedRow(row, file, made, reason=reason)

    def _decided(self, chunk: Sequence[DecidedRow]) -> list[DecidedRow]:
        # by place, so that a detection reported twice is scored once and decided alike
        waiting = {_reported(e.sample): e.sample for e in chunk if e.sample and e.reason is None}
        scores = dict(zip(waiting, self._scores(list(waiting.values())), strict=True))
        return [
            self._with_score(each, scores[_reported(each.sample)])
            if each.sample and each.reason is None
            else each
            for each in chunk
        ]

    def _with_score(self, judged: DecidedRow, p_tp: float | NoFit) -> DecidedRow:
        if isinstance(p_tp, NoFit):
            no_fit = Reason(Cause.NO_FIT, p_tp.problem, p_tp.kind)
            return replace(judged, reason=self._protection(judged) or no_fit)
        # every comparison with NaN is false, which would remove the row
        if math.isnan(p_tp):
            return replace(judged, reason=self._protection(judged) or NO_SCORE)
        if p_tp >= self.threshold:
            return replace(judged, p_tp=p_tp, decision="TP")
        if reason := self._objection(judged):
            return replace(judged, reason=reason)
        return replace(judged, p_tp=p_tp, decision="FP")

    def _protection(self, judged: DecidedRow) -> Reason | None:
        """A rule or the look of a credential: it is a finding also where no model could judge."""
        if self.guard is None or judged.sample is None or isinstance(judged.row.found, BadRow):
            return None
        return self.guard.protection(judged.sample, judged.row.found.detail)

    def _objection(self, judged: DecidedRow) -> Reason | None:
        """Why a row stays although the model would remove it."""
        if self.guard is None or judged.sample is None or isinstance(judged.row.found, BadRow):
            return None
        return self.guard.objection(judged.sample, judged.row.found.detail)

    def _with_result(self, prepared: DecidedRow, results: Iterator[Result]) -> DecidedRow:
        # every row takes one, whether it needs it or not: that is how they stay in step
        result = result_for(prepared, next(results, None))
        if prepared.sample is None or prepared.reason is not None:
            return prepared
        if isinstance(result, Reason):
            return replace(prepared, reason=result)
        return self._with_score(prepared, result)

    def _scores(self, samples: Sequence[Sample]) -> list[float | NoFit]:
        """p(TP) of each sample; the same input is scored once, also if it was so lately."""
        encoded = self.scorer.encode(samples)
        inputs = {_input_key(each): each for each in encoded if not isinstance(each, NoFit)}
        new = {key: each for key, each in inputs.items() if key not in self._remembered}
        # log-odds are of the input alone; a calibrated p(TP) is of the sample, which may differ
        fresh = own_log_odds(self.scorer, list(new.values()))
        self._remembered.update(zip(new, fresh, strict=True))
        found = [
            each if isinstance(each, NoFit) else self._p_tp(sample, _input_key(each))
            for sample, each in zip(samples, encoded, strict=True)
        ]
        for key in inputs:
            self._remembered.move_to_end(key)
        # only now that `found` is made: one chunk may hold more inputs than are remembered
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return found

    def _p_tp(self, sample: Sample, key: bytes) -> float:
        (p_tp,) = probabilities(self.scorer, [sample], [self._remembered[key]])
        return p_tp


def _reported(sample: Sample) -> tuple[str, int, str, str]:
    """What two reports of one thing share: GLITCH may report it twice.

    The prompt too, as GLITCH can suggest several things for one line of Terraform.
    """
    return sample.file, sample.line, sample.smell, sample.with_prompt


def _input_key(encoded: Encoded) -> bytes:
    """What stands for an input; ids of different inputs give different keys."""
    # a hash, since the ids of 16384 long prompts would fill memory; of fixed width, so that no two
    # lists of ids give the same bytes
    return hashlib.blake2b(array("q", encoded.ids).tobytes(), digest_size=16).digest()


def _size(judged: DecidedRow) -> int:
    # rows as such are no measure: one may be 8 MiB long, and its sample as well
    sample = judged.sample
    text = 0 if sample is None else len(sample.with_prompt) + len(sample.with_context)
    return text + len(judged.row.found.raw)
