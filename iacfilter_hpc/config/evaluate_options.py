"""Evaluation options: how a run is to be scored, and the words that tell a job so.

The flags themselves stand in cli/evaluate_flags.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mode = Literal["validation", "argmax"]
Threshold = Mode | float
MODES: tuple[Mode, ...] = ("validation", "argmax")
DRAWS = 2000
SEED = 0
FEWEST_DRAWS = 100
"""With fewer, each end of a 95 % interval would rest on not even three draws."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How a run is to be scored.

    `threshold` is the run's own (of its calibration, else of validation data), 0.5 (argmax), or a
    number in (0, 1).
    `groups` is a CSV file that names repositories or families; `draws` and `seed` are the
    bootstrap's; `cross_fit` is a number of folds to fine-tune and report in turn, None to report
    the run as it is, and then `seed` is also that of folds and training; `output` is written to
    in place of the run's evaluation/. A `seed` of None is one that nobody asked for.
    """

    # pickled with a queued job by the order of the fields: none may move, nor go
    threshold: Threshold = "validation"
    groups: Path | None = None
    draws: int = DRAWS
    seed: int | None = None
    output: Path | None = None
    cross_fit: int | None = None

    @property
    def used_seed(self) -> int:
        """The seed that is used where none is asked for too."""
        return SEED if self.seed is None else self.seed


DEFAULTS = EvaluateOptions()


def as_flags(options: EvaluateOptions) -> list[str]:
    """The command line's words from which evaluate_flags.from_flags makes the same options."""
    flags = {
        "--threshold": (options.threshold, DEFAULTS.threshold),
        "--groups": (options.groups, DEFAULTS.groups),
        "--draws": (options.draws, DEFAULTS.draws),
        "--seed": (options.seed, DEFAULTS.seed),
        "--output": (options.output, DEFAULTS.output),
        "--cross-fit": (options.cross_fit, DEFAULTS.cross_fit),
    }
    # in one word each, as a value may begin with a dash; a float's text is the same number again
    return [f"{name}={value}" for name, (value, usual) in flags.items() if value != usual]
