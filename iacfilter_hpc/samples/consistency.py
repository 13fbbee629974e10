"""Consistency of a sample: its fields can be of one place in one file, and its names are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from iacfilter_hpc.samples.hashes import normalised
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.smells import COUNT_IN_WORDS, smell_of_words
from iacfilter_hpc.samples.technologies import NAMES


def contradictions_in(sample: Sample) -> Iterator[str]:
    """What cannot be true of a sample, in words; case, white space and quotes do not matter."""
    first, last = sample.detection_span
    lines = sample.with_context.split("\n")
    if not sample.with_context.strip():
        yield "with_context is empty"
    elif not first <= sample.line <= last:
        yield f"line {sample.line} is outside detection_span [{first}, {last}]"
    elif sample.line - first >= len(lines):
        yield f"with_context has {len(lines)} lines, and line {sample.line} is not among them"
    elif normalised(sample.content) not in normalised(lines[sample.line - first]):
        yield f"content is not on line {sample.line} of with_context"


def unknown_names(samples: Sequence[Sample]) -> Iterator[str]:
    """Smells and technologies that nothing else here knows, each once: they may be slips."""
    smells = Counter(s.smell for s in samples if smell_of_words(s.smell) is None)
    technologies = Counter(s.technology for s in samples if s.technology not in NAMES)
    for smell, count in sorted(smells.items()):
        yield f"{count} samples of smell {smell!a}, which is none of the {COUNT_IN_WORDS}"
    for technology, count in sorted(technologies.items()):
        known = ", ".join(NAMES)
        yield f"{count} samples of technology {technology!a}, which is none of {known}"
