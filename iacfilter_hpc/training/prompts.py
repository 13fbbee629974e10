"""Turn a sample's prompt into token ids that fit, losing only far context lines.

The contract: the answer is never truncated, and neither are the instructions or the reported line.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.training.context import Block, find_context

Encode = Callable[[str], list[int]]
"""Text to token ids, without special tokens."""

YES = re.compile(r"\bYES\b")
NO = re.compile(r"\bNO\b")
BEGIN = "<s>"


@dataclass(frozen=True, slots=True)
class Answers:
    """Token ids of the two answers: `shared` begins both, `tp` and `fp` differ from their first."""

    shared: tuple[int, ...]
    tp: tuple[int, ...]
    fp: tuple[int, ...]

    @property
    def longest(self) -> int:
        """Tokens of the longer answer."""
        return len(self.shared) + max(len(self.tp), len(self.fp))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as token ids (no special tokens), and what was done to make it fit."""

    ids: tuple[int, ...]
    tokens_dropped: int
    lines_dropped: int
    asks_yes_no: bool
    context_found: bool


def derive_answers(encode: Encode) -> Answers:
    """Token ids of the answers TP and FP as they follow "Answer:".

    Raises:
        TrainingError: question and answer merge into one token, or one answer begins the other.
    """
    question = encode("Answer:")
    tp, fp = (encode(f"Answer: {word}") for word in ("TP", "FP"))
    if not (tp[: len(question)] == fp[: len(question)] == question):
        raise TrainingError("this tokenizer merges the answer into the question before it")
    tp, fp = tp[len(question) :], fp[len(question) :]
    same = 0
    while same < min(len(tp), len(fp)) and tp[same] == fp[same]:
        same += 1
    if same in (len(tp), len(fp)):
        raise TrainingError("for this tokenizer one of the answers TP and FP begins the other")
    return Answers(tuple(tp[:same]), tuple(tp[same:]), tuple(fp[same:]))


def fit_prompt(sample: Sample, encode: Encode, limit: int) -> Prompt:
    """The prompt of a sample in at most `limit` tokens, where dropping context lines can do that.

    Otherwise `ids` is longer than `limit`, and the caller judges.
    """
    lines = sample.with_prompt.rstrip().removeprefix(BEGIN).split("\n")
    block = find_context(sample, lines)
    asks_yes_no = _asks_yes_no(lines, block)
    if asks_yes_no and block:
        lines = [
            line if block.start <= i < block.stop else _ask_tp_fp(line, sample.content)
            for i, line in enumerate(lines)
        ]

    def ids_without(dropped: int) -> list[int]:
        if block is None or dropped == 0:
            return encode("\n".join(lines))
        first, last = block.kept(dropped)
        return encode("\n".join(lines[: block.start] + lines[first:last] + lines[block.stop :]))

    whole = ids_without(0)
    dropped = 0
    if block and len(whole) > limit:
        counts = range(block.droppable)
        dropped = bisect_left(counts, True, key=lambda n: len(ids_without(n)) <= limit)
    ids = ids_without(dropped) if dropped else whole
    return Prompt(
        ids=tuple(ids),
        tokens_dropped=len(whole) - len(ids),
        lines_dropped=dropped,
        asks_yes_no=asks_yes_no,
        context_found=block is not None,
    )


def _asks_yes_no(lines: list[str], block: Block | None) -> bool:
    """Whether the instructions ask for YES or NO; without a block only the question is known."""
    if block is None:
        instructions = next((line for line in reversed(lines) if line.strip()), "")
    else:
        instructions = "\n".join(lines[: block.start] + lines[block.stop :])
    return bool(YES.search(instructions) and NO.search(instructions))


def _ask_tp_fp(line: str, content: str) -> str:
    # an instruction that quotes the reported line holds code
    if content.strip() in line:
        return line
    return NO.sub("FP", YES.sub("TP", line))
