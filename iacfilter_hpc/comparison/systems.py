"""Systems that are compared, each with its decisions on the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SystemKind(StrEnum):
    """What a system is."""

    RUN = "run"
    PREDICTIONS = "predictions"
    BASELINE = "baseline"


class Protocol(StrEnum):
    """How decisions came about."""

    HELD_OUT = "held-out"
    CROSS_FIT = "cross-fit"
    SEEN = "seen"
    EXTERNAL = "external"


PROTOCOLS = {
    Protocol.HELD_OUT: "neither trained nor given a threshold on these samples",
    Protocol.CROSS_FIT: "trained on some of these very samples and judged on the others, fold by "
    "fold",
    Protocol.SEEN: "trained or tuned on some of these samples: its scores say how well it "
    "remembers them",
    Protocol.EXTERNAL: "decisions from elsewhere; how they came about is not known here",
}
"""What each protocol means for a reader."""


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
    kind: SystemKind
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
        notes = (
            [f"{count} {'seeds' if self.kind is SystemKind.RUN else 'runs'}"] if count > 1 else []
        )
        notes += ["cross-fit"] if self.protocol is Protocol.CROSS_FIT else []
        return f"{self.name} ({', '.join(notes)})" if notes else self.name
