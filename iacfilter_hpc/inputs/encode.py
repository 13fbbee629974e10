"""Encoding: samples to token ids, within a length, never at the cost of the answer.

Plain truncation at 512 tokens cut the answer off all of 230 real prompts of this task's first
trainer: the model never saw what it was to learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iacfilter_hpc.errors import DataError, TrainingError, numbered
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.inputs.field_tokenizer import FieldTokenizer
from iacfilter_hpc.inputs.prompts import Prompt, fit_prompt
from iacfilter_hpc.samples.sample import Sample

if TYPE_CHECKING:
    # it imports transformers, which fields are encoded without
    from iacfilter_hpc.inputs.tokenizer import PromptTokenizer


@dataclass(frozen=True, slots=True)
class NoFit:
    """Prompt that the model cannot take; `problem` says why, `kind` with N for its numbers."""

    problem: str
    kind: str | None = None


def try_prompts(
    samples: Sequence[Sample],
    tokenizer: PromptTokenizer,
    max_length: int,
    max_positions: int,
) -> list[Encoded | NoFit]:
    """Prompts as token ids that leave room for the longer answer and EOS within `max_length`."""
    # the longer one, whatever the label: else the length of a prompt would tell it
    answer = tokenizer.answers.longest + 1  # and EOS
    # max_length is asked for, and a prompt may exceed it; positions are all that the model has
    limit = max_length - answer - len(tokenizer.bos)
    room = max_positions - answer - len(tokenizer.bos)
    return [_encode_prompt(sample, tokenizer, limit, room) for sample in samples]


def _encode_prompt(
    sample: Sample, tokenizer: PromptTokenizer, limit: int, room: int
) -> Encoded | NoFit:
    prompt = fit_prompt(sample, tokenizer.encode, limit)
    if problem := _problem_of(prompt, limit, room):
        return problem
    return Encoded(
        ids=tokenizer.bos + prompt.ids + tokenizer.answers.shared,
        tokens_dropped=prompt.tokens_dropped,
        lines_dropped=prompt.lines_dropped,
        over_max_length=len(prompt.ids) > limit,
        yes_no_mapped=prompt.asks_yes_no,
    )


def all_fitting(samples: Sequence[Sample], encoded: Sequence[Encoded | NoFit]) -> list[Encoded]:
    """All of `encoded`, of `samples` in the same order, if every one fits.

    Raises:
        DataError: prompts that cannot be made to fit; each is named by its file and line.
    """
    fitting: list[Encoded] = []
    problems: list[str] = []
    for number, (sample, row) in enumerate(zip(samples, encoded, strict=True), start=1):
        if isinstance(row, NoFit):
            problems.append(f"sample {number} ({sample.file}:{sample.line}): {row.problem}")
        else:
            fitting.append(row)
    if problems:
        raise DataError(
            "\n".join(problems), hint="raise data.max_length, or shorten these samples' with_prompt"
        )
    return fitting


def _problem_of(prompt: Prompt, limit: int, room: int) -> NoFit | None:
    # what is too long with nothing left to cut is kept, and counted as over_max_length: without the
    # reported line or the instructions there is no question
    size = len(prompt.ids)
    if size > room:
        text = "its prompt has {} tokens even without context; the model takes {}"
        return NoFit(*numbered(text, size, room))
    if size > limit and not prompt.context_found:
        text = (
            "its prompt has {} tokens, {} fit, and with_context was not found in it, so nothing "
            "can be cut"
        )
        return NoFit(*numbered(text, size, limit))
    # the model answers TP or FP: a question for YES or NO is reworded, and code that says NO
    # must not be
    if prompt.asks_yes_no and not prompt.context_found:
        return NoFit(
            "it asks for YES or NO, and with_context was not found in it to tell code from question"
        )
    return None


def encode_fields(
    samples: Sequence[Sample],
    tokenizer: FieldTokenizer,
    fields: Sequence[str],
    max_length: int,
) -> list[Encoded]:
    """The encoder's input: fields joined by the separator token, cut at the end to `max_length`.

    Raises:
        TrainingError: the tokenizer has no separator, or takes less than `max_length` tokens.
    """
    begin, separator = tokenizer.begin, tokenizer.separator
    if begin is None or separator is None:
        raise TrainingError("this tokenizer has no CLS and SEP token: it is not an encoder's")
    if max_length > tokenizer.longest:
        raise TrainingError(
            f"data.max_length {max_length} is more than the {tokenizer.longest} tokens "
            "that the model takes"
        )
    encoded = []
    for sample in samples:
        ids: list[int] = []
        for name in fields:
            ids += [separator, *tokenizer.encode(_field(sample, name))]
        # CLS stands in place of the first separator, and the last token is a separator: by hand, as
        # tokenizers join two texts at most. Whole fields are made first, to count what is cut
        kept = ids[1 : max_length - 1]
        encoded.append(Encoded((begin, *kept, separator), tokens_dropped=len(ids) - 1 - len(kept)))
    return encoded


def _field(sample: Sample, name: str) -> str:
    text: str = getattr(sample, name)
    # words that the model has seen in pretraining, not a name of ours
    return text.replace("_", " ") if name == "smell" else text
