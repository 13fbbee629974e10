"""Lengths of samples in tokens of a model's tokenizer, and what a limit would cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iacfilter_hpc.inputs.encode import NoFit
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.training.approaches.base import approach_named


@dataclass(frozen=True, slots=True)
class Measure:
    """A model's view of samples: which model, which input, and how many tokens may be."""

    model: str
    approach: str
    max_length: int
    input_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of each input before it is cut, special tokens and the longer answer included.

    `over` counts samples beyond the limit, `cut` those that lose something, `kept_over` those that
    stay longer than the limit because only the reported line is left of their context. `no_fit`
    are samples that cannot be used, by index, and why.
    """

    p50: int
    p90: int
    p99: int
    longest: int
    over: int
    cut: int
    tokens_dropped: int
    lines_dropped: int
    kept_over: int
    no_fit: tuple[tuple[int, str], ...]


def measure_lengths(samples: Sequence[Sample], measure: Measure) -> Lengths:
    """Measure samples, of which there is at least one.

    Raises:
        TrainingError: there is no such model here, or it is not one of the approach.
    """
    inputs = approach_named(measure.approach).load_inputs(
        measure.model, None, measure.max_length, measure.input_fields
    )
    encoded = inputs.encode(samples)
    lengths = inputs.whole_lengths(samples, encoded)
    # what does not fit may have a length all the same, but nothing was cut from it
    fitting = [row for row in encoded if isinstance(row, Encoded)]
    ordered = sorted(lengths)
    return Lengths(
        p50=_percentile(ordered, 50),
        p90=_percentile(ordered, 90),
        p99=_percentile(ordered, 99),
        longest=ordered[-1],
        over=sum(length > measure.max_length for length in lengths),
        cut=sum(row.tokens_dropped > 0 for row in fitting),
        tokens_dropped=sum(row.tokens_dropped for row in fitting),
        lines_dropped=sum(row.lines_dropped for row in fitting),
        kept_over=sum(row.over_max_length for row in fitting),
        no_fit=tuple((i, row.problem) for i, row in enumerate(encoded) if isinstance(row, NoFit)),
    )


def _percentile(ordered: Sequence[int], percent: int) -> int:
    """The smallest value that at least `percent` of all are not above (nearest rank)."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
