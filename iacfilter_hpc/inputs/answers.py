"""Answers: TP and FP as token ids, as they follow a prompt.

They are derived from the tokenizer at hand, in their place behind "Answer:", and never written down
as numbers: many tokenizers spell a word otherwise where it begins a text than behind a space.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iacfilter_hpc.errors import TrainingError

Encode = Callable[[str], list[int]]
"""Text to token ids, without special tokens."""


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


def derive_answers(encode: Encode) -> Answers:
    """Token ids of the answers TP and FP as they follow "Answer:".

    Raises:
        TrainingError: question and answer merge into one token, or one answer begins the other.
    """
    # training lays the answer's ids behind the prompt's: the tokenizer makes the same of the whole
    # text only if no token spans both
    question = encode("Answer:")
    tp, fp = (encode(f"Answer: {word}") for word in ("TP", "FP"))
    if not (tp[: len(question)] == fp[: len(question)] == question):
        raise TrainingError("this tokenizer merges the answer into the question before it")
    tp, fp = tp[len(question) :], fp[len(question) :]
    # what both begin with goes to the prompt: the next token then decides, in one forward pass
    same = 0
    while same < min(len(tp), len(fp)) and tp[same] == fp[same]:
        same += 1
    if same in (len(tp), len(fp)):
        raise TrainingError("for this tokenizer one of the answers TP and FP begins the other")
    return Answers(tuple(tp[:same]), tuple(tp[same:]), tuple(fp[same:]))
