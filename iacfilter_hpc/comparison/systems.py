"""What is compared: systems, each with its decisions on the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["run", "predictions", "baseline"]
Protocol = Literal["held-out", "cross-fit", "seen", "external"]
PROTOCOLS: dict[Protocol, str] = {
    "held-out": "neither trained nor given a threshold on these samples",
    "cross-fit": "trained on some of these very samples and judged on the others, fold by fold",
    "seen": "trained or tuned on some of these samples: its scores say how well it remembers them",
    "external": "decisions from elsewhere; how they came about is not known here",
}
"""How decisions came about, and what that means for a reader."""


@dataclass(frozen=True, slots=True)
class Member:
    """One set of decisions, in the order of the samples; True is TP.

    `p_tp` is None where any is unknown, `threshold` where there is none or more than one;
    `threshold_origin` says in words where it comes from. `source` is what was read for it, and
    `look` counts this model's looks at the data (None for what is no run). `fold_seed` is that of a
    cross-fit's folds; `warnings` are what is to be known of these decisions before believing them.
    """

    name: str
    decided: tuple[bool, ...]
    p_tp: tuple[float, ...] | None
    threshold: float | None
    threshold_origin: str
    source: str
    seed: int | None = None
    temperature: float | None = None
    look: int | None = None
    fold_seed: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """A system; several members are its seeds, lowest first, or repeated runs of it, as given.

    The first member stands for the system wherever only one can: fixed in advance, not the best.
    """

    name: str
    kind: Kind
    protocol: Protocol
    members: tuple[Member, ...]

    @property
    def first(self) -> Member:
        """The member that stands for the system."""
        return self.members[0]

    @property
    def title(self) -> str:
        """The name, with the number of members if there are several, and the mark of cross-fits."""
        count = len(self.members)
        notes = [f"{count} {'seeds' if self.kind == 'run' else 'runs'}"] if count > 1 else []
        notes += ["cross-fit"] if self.protocol == "cross-fit" else []
        return f"{self.name} ({', '.join(notes)})" if notes else self.name
