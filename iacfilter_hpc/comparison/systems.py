"""Systems that are compared, each with its decisions on the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SystemKind(StrEnum):
    """Kind of a system: where its decisions come from."""

    RUN = "run"
    PREDICTIONS = "predictions"
    BASELINE = "baseline"


class Protocol(StrEnum):
    """Protocol: how far the samples had been seen when they were decided."""

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
"""Meaning of each protocol, for a reader."""


@dataclass(frozen=True, slots=True)
class Member:
    """Member of a system: one set of decisions, in the order of the samples; True is TP.

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
    """System: one or more members that decide the same samples.

    Several are its seeds, lowest first, or repeated runs of it in the order of the command line.
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
        """Title: the name, the number of members if there are several, a mark of cross-fits."""
        count = len(self.members)
        notes = (
            [f"{count} {'seeds' if self.kind is SystemKind.RUN else 'runs'}"] if count > 1 else []
        )
        # in the title itself: figures and sentences have no column for the protocol
        notes += ["cross-fit"] if self.protocol is Protocol.CROSS_FIT else []
        return f"{self.name} ({', '.join(notes)})" if notes else self.name
