"""Encoded samples, and the counts of what encoding did to those of a file.

Nothing is cut or reworded in silence: the counts go to the log and to the model's card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iacfilter_hpc.errors import counted
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.samples.sample import Sample


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoded sample: token ids of the model's input, special tokens included, answer excluded.

    `over_max_length`: it is too long and was kept whole. `yes_no_mapped`: its instructions asked
    for YES or NO, and ask for TP or FP now.
    """

    # the fields are columns of the token cache, whose FORMAT must be raised when they change

    ids: tuple[int, ...]
    tokens_dropped: int = 0
    lines_dropped: int = 0
    over_max_length: bool = False
    yes_no_mapped: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """Audit: counts over the samples of one file."""

    samples: int
    samples_cut: int
    tokens_dropped: int
    context_lines_dropped: int
    kept_over_max_length: int
    yes_no_mapped: int
    technology_from_extension: int
    technology_unknown: int
    fitting_length: int = 0
    """The least max_length that cuts none; 0 where an earlier version did not say."""

    @property
    def cuts_most(self) -> bool:
        """Whether more than half of the samples are cut: the model seldom sees a whole one."""
        return 2 * self.samples_cut > self.samples

    def describe(self, name: str) -> list[str]:
        """Sentences for the log; `name` says which file."""
        lines = [f"{name}: {counted(self.samples, 'sample')}"]
        if self.samples_cut:
            lines.append(
                f"{name}: {counted(self.samples_cut, 'sample')} cut to fit max_length "
                f"({counted(self.context_lines_dropped, 'context line')}, "
                f"{counted(self.tokens_dropped, 'token')})"
            )
        if self.yes_no_mapped:
            lines.append(
                f"{name}: {counted(self.yes_no_mapped, 'prompt asks', 'prompts ask')} for YES or "
                "NO; the instructions now ask for TP or FP, code is untouched"
            )
        if self.technology_from_extension:
            lines.append(
                f"{name}: technology taken from the file's extension in "
                f"{counted(self.technology_from_extension, 'sample')}, still unknown in "
                f"{self.technology_unknown}"
            )
        return lines

    def warning(self, name: str) -> str | None:
        """What a person should look at, if anything."""
        found = []
        if self.cuts_most:
            found.append(
                f"{self.samples_cut} of {counted(self.samples, 'sample is', 'samples are')} cut to "
                f"fit data.max_length; {self.fitting_length} would hold all of them"
            )
        if self.kept_over_max_length:
            found.append(
                f"{counted(self.kept_over_max_length, 'sample is', 'samples are')} longer than "
                "data.max_length although only the reported line is left of their context; they "
                "are kept whole"
            )
        return f"{name}: {'; '.join(found)}" if found else None


def audit(
    samples: Sequence[Sample], encoded: Sequence[Encoded], answers: Answers | None = None
) -> Audit:
    """Audit of `samples`, of which `encoded` is the outcome in the same order.

    `answers` are the model's, for whose rest and EOS max_length keeps room.
    """
    room = 0 if answers is None else max(len(answers.tp), len(answers.fp)) + 1
    return Audit(
        samples=len(samples),
        samples_cut=sum(e.tokens_dropped > 0 for e in encoded),
        tokens_dropped=sum(e.tokens_dropped for e in encoded),
        context_lines_dropped=sum(e.lines_dropped for e in encoded),
        kept_over_max_length=sum(e.over_max_length for e in encoded),
        yes_no_mapped=sum(e.yes_no_mapped for e in encoded),
        technology_from_extension=sum(not s.technology_is_given for s in samples),
        technology_unknown=sum(
            not s.technology_is_given and s.technology == "unknown" for s in samples
        ),
        fitting_length=max((len(e.ids) + e.tokens_dropped + room for e in encoded), default=0),
    )
