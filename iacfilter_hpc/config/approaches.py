"""Approaches: the kinds of model that can be trained, as settings and commands know them; no torch.

An approach has two halves. An `ApproachEntry` here says what its name is, which settings go with it
and where its defaults lie. A class of iacfilter_hpc.training.approaches, named in the entry as
'package.module:Class' and imported only where torch is, tokenises, trains and scores.

A package adds an approach without a change in this one: an entry point of the group
`iacfilter_hpc.approaches`, with the approach's name, that leads to its `ApproachEntry`.
Source: https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from iacfilter_hpc.errors import IacfilterError, UsageError
from iacfilter_hpc.runs.layout import resource

GROUP = "iacfilter_hpc.approaches"
"""The group of entry points that other packages register theirs in."""

HOW_TO_ADD = f"a package can add one, with an entry point of the group {GROUP}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproachEntry:
    """An approach as declared: its name, its rules, and where the rest of it is found.

    The name is also that of its directory of runs, models/<name>/, and of its defaults.
    """

    name: str
    about: str
    """Behind the name in --help."""
    subject: str
    """In messages: `the encoder` trains in one process."""
    kind: str
    """In messages, one of its models: `an encoder` trains all weights."""
    implementation: str
    """The other half, a subclass of training.approaches.base.Approach: 'package.module:Class'."""
    configs_directory: Path | None = None
    """Holds <name>.yaml, every setting, and perhaps <name>-tiny.yaml, what a dry run lays over it;
    None for configs/ of this package."""
    lora: bool = False
    """An adapter is trained beside frozen weights, which may be quantized; else all weights are."""
    several_processes: bool = False
    """It trains on several GPUs and nodes, with DeepSpeed; else in one process without it."""
    reads_fields: bool = False
    """The input is made of data.input_fields; else it is with_prompt."""
    answers: bool = False
    """The model answers with tokens, which decision.json then keeps."""
    packed_attention: tuple[str, ...] = ()
    """Forms of attention over packed rows, as packing.attention names them."""
    shares_prefixes: bool = False
    """Packed rows compute once what their samples begin with."""
    architecture: Literal["encoder", "decoder"] | None = None
    """The transformer whose GPU memory can be planned; None where none is known."""

    @property
    def configs(self) -> Path:
        """The directory of its defaults."""
        return self.configs_directory or resource("configs")

    @property
    def defaults(self) -> Path:
        """Every setting, and what each means."""
        return self.configs / f"{self.name}.yaml"

    @property
    def dry_run_settings(self) -> Path:
        """What a dry run lays over the defaults; the file may be missing."""
        return self.configs / f"{self.name}-tiny.yaml"


APPROACHES = {
    entry.name: entry
    for entry in (
        ApproachEntry(
            name="generative",
            about="CodeLlama with LoRA",
            subject="the generative approach",
            kind="a generative model",
            implementation="iacfilter_hpc.training.approaches.generative:Generative",
            lora=True,
            several_processes=True,
            answers=True,
            packed_attention=("segments",),
            shares_prefixes=True,
            architecture="decoder",
        ),
        ApproachEntry(
            name="encoder",
            about="CodeBERT, all weights, one GPU",
            subject="the encoder",
            kind="an encoder",
            implementation="iacfilter_hpc.training.approaches.encoder:Encoder",
            reads_fields=True,
            packed_attention=("blocks",),
            architecture="encoder",
        ),
    )
}
"""Those of this package, by name: every list of approaches is made from these."""


def find_approach(name: str) -> ApproachEntry:
    """The approach of that name: one of this package, else the one that a package has registered.

    Raises:
        UsageError: there is none.
        IacfilterError: the package that registers it is broken.
    """
    # no search among installed packages for what is here: that takes longer than --help
    return APPROACHES.get(name) or _registered(name)


def subjects(is_one: Callable[[ApproachEntry], bool]) -> str:
    """Approaches of this package that `is_one` holds for, in words: "the encoder and ..."."""
    # no registered ones: a message is not worth a search among all installed packages
    return " and ".join(entry.subject for entry in APPROACHES.values() if is_one(entry))


# a configuration asks for its approach at every use, and the search reads every package's metadata
@cache
def _registered(name: str) -> ApproachEntry:
    from importlib.metadata import entry_points  # 20 ms that --help need not spend

    registered = entry_points(group=GROUP)
    if name not in registered.names:
        known = ", ".join([*APPROACHES, *sorted(registered.names)])
        raise UsageError(f"there is no approach {name!r}; there are {known}", hint=HOW_TO_ADD)
    point = registered[name]
    package = point.dist.name if point.dist else "a package"
    try:
        entry = point.load()
    # what load() raises where the value leads nowhere; other errors are the package's own, with a
    # traceback for its author
    except (ImportError, AttributeError) as error:
        raise IacfilterError(
            f"the approach {name} of {package} cannot be loaded from {point.value}: {error}",
            hint=f"install {package} anew, or see its entry points",
        ) from error
    # the name too: by it runs are found in models/<name>/, and defaults in <name>.yaml
    if not isinstance(entry, ApproachEntry) or entry.name != name:
        raise IacfilterError(
            f"{point.value} of {package} is no ApproachEntry named {name}",
            hint=f"see iacfilter_hpc.config.approaches: {HOW_TO_ADD}",
        )
    return entry
