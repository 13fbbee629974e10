"""Find the code context of a sample inside its prompt, whatever decorates the lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from iacfilter_hpc.detections.samples import Sample

# "42 | code", "42: code", "42  code", or the number of an empty line
LINE_NUMBER = re.compile(r"\d+(?=[\s|:]|$)\s*(?P<code>[|:]?(?P<after_mark>.*))")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines [start, stop) of a prompt are the context; `reported` is the line complained about."""

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
    forms = [_forms(line) for line in prompt_lines]
    for first, last in dict.fromkeys([(0, len(context)), _without_blank_ends(context)]):
        start = _last_match([_forms(line) for line in context[first:last]], forms)
        if start is not None:
            return Block(start, start + last - first, start + reported - first)
    return None


def _reported_line(sample: Sample, context: list[str]) -> int | None:
    """Index of the reported line: the place of `content` nearest to where `line` says."""
    content = sample.content.strip()
    if not content:
        return None
    expected = sample.line - sample.detection_span[0]
    matching = [i for i, line in enumerate(context) if content in _forms(line)]
    return min(matching, key=lambda i: abs(i - expected), default=None)


def _without_blank_ends(lines: list[str]) -> tuple[int, int]:
    filled = [i for i, line in enumerate(lines) if line.strip()]
    return filled[0], filled[-1] + 1


def _forms(line: str) -> frozenset[str]:
    """What code a line may show: itself, less `>` marks, less its number, less `|` or `:`."""
    stripped = line.strip()
    unmarked = stripped.lstrip(">").strip()
    numbered = LINE_NUMBER.fullmatch(unmarked)
    inner = [part.strip() for part in numbered.group("code", "after_mark")] if numbered else []
    return frozenset([stripped, unmarked, *inner])


def _last_match(wanted: list[frozenset[str]], lines: list[frozenset[str]]) -> int | None:
    for start in range(len(lines) - len(wanted), -1, -1):
        if all(form & lines[start + i] for i, form in enumerate(wanted)):
            return start
    return None
