"""Prompts as token ids that fit, losing only the context lines farthest from the reported one.

The contract: the answer is never truncated, and neither are the instructions or the reported line.
Prompts come ready made, by any template, so that the code must first be found in them again.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from iacfilter_hpc.inputs.answers import Encode
from iacfilter_hpc.samples.sample import Sample

# "42 | code", "42: code", "42  code", or the number of an empty line; two groups, as a mark may
# also be the code's own
LINE_NUMBER = re.compile(r"\d+(?=[\s|:]|$)\s*(?P<code>[|:]?(?P<after_mark>.*))")


@dataclass(frozen=True, slots=True)
class Block:
    """Block of lines [start, stop) of a prompt, the context; `reported` is the reported one."""

    start: int
    stop: int
    reported: int

    def kept(self, dropped: int) -> tuple[int, int]:
        """Lines [first, last) that stay when the `dropped` farthest from the reported line go.

        Of two lines equally far the later one goes first. The reported line always stays.
        """
        first, last = self.start, self.stop
        for _ in range(dropped):
            if self.reported - first > last - 1 - self.reported:
                first += 1
            else:
                last -= 1
        return first, last

    @property
    def droppable(self) -> int:
        """Context lines besides the reported one."""
        return self.stop - self.start - 1


def find_context(sample: Sample, prompt_lines: list[str]) -> Block | None:
    """Where `with_context` stands in the prompt, or None: not there, or without the reported line.

    Lines compare without indentation, leading `>` marks and line numbers, on both sides.
    Of several places the last counts: prompts put code after instructions.
    """
    context = sample.with_context.split("\n")
    reported = _reported_line(sample, context)
    if reported is None:
        return None
    spellings = [_spellings(line) for line in prompt_lines]
    # templates may strip the context, and with it blank lines at its ends
    for first, last in dict.fromkeys([(0, len(context)), _without_blank_ends(context)]):
        start = _last_match([_spellings(line) for line in context[first:last]], spellings)
        if start is not None:
            return Block(start, start + last - first, start + reported - first)
    return None


def _reported_line(sample: Sample, context: list[str]) -> int | None:
    """Index of the reported line: the place of `content` nearest to where `line` says."""
    content = sample.content.strip()
    if not content:
        return None
    # numbers may be off by some lines, so that the text decides; where it stands twice, the number
    expected = sample.line - sample.detection_span[0]
    matching = [i for i, line in enumerate(context) if content in _spellings(line)]
    return min(matching, key=lambda i: abs(i - expected), default=None)


def _without_blank_ends(lines: list[str]) -> tuple[int, int]:
    filled = [i for i, line in enumerate(lines) if line.strip()]
    return filled[0], filled[-1] + 1


def _spellings(line: str) -> frozenset[str]:
    """What code a line may show: itself, less `>` marks, less its number, less `|` or `:`."""
    # all readings, as the line alone does not tell: "8080: open" may be code or a number and code
    stripped = line.strip()
    unmarked = stripped.lstrip(">").strip()
    numbered = LINE_NUMBER.fullmatch(unmarked)
    inner = [part.strip() for part in numbered.group("code", "after_mark")] if numbered else []
    return frozenset([stripped, unmarked, *inner])


def _last_match(wanted: list[frozenset[str]], lines: list[frozenset[str]]) -> int | None:
    # whole contexts alone: a single line that matches may be an example in the instructions
    for start in range(len(lines) - len(wanted), -1, -1):
        if all(code & lines[start + i] for i, code in enumerate(wanted)):
            return start
    return None


# in capitals alone, as templates ask for them: lower-case yes and no are words of sentences
YES = re.compile(r"\bYES\b")
NO = re.compile(r"\bNO\b")
BEGIN = "<s>"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as token ids (no special tokens), and what was done to make it fit."""

    ids: tuple[int, ...]
    tokens_dropped: int
    lines_dropped: int
    asks_yes_no: bool
    context_found: bool


def fit_prompt(sample: Sample, encode: Encode, limit: int) -> Prompt:
    """The prompt of a sample in at most `limit` tokens, where dropping context lines can do that.

    Otherwise `ids` is longer than `limit`, and the caller judges.
    """
    # a <s> typed into a prompt would be a second BOS, and a space at its end would not be the one
    # that the answer's first token begins with
    lines = sample.with_prompt.rstrip().removeprefix(BEGIN).split("\n")
    block = find_context(sample, lines)
    asks_yes_no = _asks_yes_no(lines, block)
    if asks_yes_no and block:
        lines = [
            line if block.start <= i < block.stop else _ask_tp_fp(line, sample.content)
            for i, line in enumerate(lines)
        ]

    # tokenised anew, not cut from ids: a token may span the end of a line
    def ids_without(dropped: int) -> list[int]:
        if block is None or dropped == 0:
            return encode("\n".join(lines))
        first, last = block.kept(dropped)
        return encode("\n".join(lines[: block.start] + lines[first:last] + lines[block.stop :]))

    whole = ids_without(0)
    dropped = 0
    if block and len(whole) > limit:
        # fewer lines are fewer tokens, so the least number that fits is found by halving
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
    # both: NO alone may be in "NO line is to be skipped"
    return bool(YES.search(instructions) and NO.search(instructions))


def _ask_tp_fp(line: str, content: str) -> str:
    # an instruction that quotes the reported line holds code
    if content.strip() in line:
        return line
    return NO.sub("FP", YES.sub("TP", line))
