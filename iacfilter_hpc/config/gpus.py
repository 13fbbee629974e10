"""GPUs of a job, as sbatch's --gpus has them: a number, perhaps of one type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

# [0-9], not \d, which takes the digits of any script
PATTERN = re.compile(r"(?:(?P<kind>[A-Za-z0-9_.-]+):)?(?P<count>[0-9]+)")


@dataclass(frozen=True, slots=True)
class Gpus:
    """GPUs of a job: how many, of the type `kind` (Slurm's name of it, such as a100) or of any.

    Source: https://slurm.schedmd.com/sbatch.html#OPT_gpus, of which a list of types is left out: a
    run's processes must be alike.
    """

    count: int
    kind: str | None = None

    @classmethod
    def parse(cls, text: str) -> Gpus:
        """GPUs of a text, `4` or `a100:4`.

        Raises:
            ValueError: it is neither.
        """
        match = PATTERN.fullmatch(text)
        if not match:
            raise ValueError("it must be a number, or TYPE:NUMBER such as a100:4")
        return cls(int(match["count"]), match["kind"])

    def __str__(self) -> str:
        return str(self.count) if self.kind is None else f"{self.kind}:{self.count}"

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.count > 0

    def counting(self, count: int) -> Gpus:
        """Another number of GPUs, of the same type."""
        return Gpus(count, self.kind)


def _parsed(value: object) -> Gpus:
    # str of what is neither a number nor a text never matches
    return value if isinstance(value, Gpus) else Gpus.parse(str(value))


def _written(gpus: Gpus) -> int | str:
    """As files have them: a plain number stays a number."""
    return gpus.count if gpus.kind is None else str(gpus)


GpusField = Annotated[
    Gpus, BeforeValidator(_parsed), PlainSerializer(_written, return_type=int | str)
]
"""A field of a settings model: read from and written as `4` or `a100:4`."""
