"""What a trained model must not be trusted with, in words for its card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from iacfilter_hpc.config import TINY
from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.training.audit import Audit
from iacfilter_hpc.training.decision import Decision
from iacfilter_hpc.training.markdown import code

FEW = 10
MOST_SOURCES = 10

LIMITS = """\
- It is as good as its labels, which come from: {sources}.
- It was trained on the smells {smells} and the technologies {technologies}; about others it knows
  nothing.
- {few}
- {cut}
- A detection that it calls a false alarm may be a real smell, and a smell that GLITCH does not
  report stays unseen: its answers are no proof of security.
- The licences of the base model and of the training data apply; this card names none."""

NO_MODEL = """\
- Its base model is a tiny one of random weights, made to try the toolkit: it judges nothing."""


def limits(decision: Decision, train: Sequence[Sample], validation: Sequence[Sample]) -> str:
    """A list in Markdown."""
    text = LIMITS.format(
        sources=_sources([*train, *validation]),
        smells=_listed(decision.smells),
        technologies=_listed(sorted({sample.technology for sample in train})),
        few=_few({"training": train, "validation": validation}),
        cut=_cut({"training": decision.train_audit, "validation": decision.validation_audit}),
    )
    return f"{text}\n{NO_MODEL}" if decision.base_model == TINY else text


def _sources(samples: Sequence[Sample]) -> str:
    counts = Counter(sample.source for sample in samples).most_common()
    shown = [f"{code(source)} ({count})" for source, count in counts[:MOST_SOURCES]]
    others = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {others} other sources" if others else "")


def _few(parts: dict[str, Sequence[Sample]]) -> str:
    few = []
    # a smell that one part lacks is where the model knows least
    names = sorted({sample.smell for samples in parts.values() for sample in samples})
    for part, samples in parts.items():
        counts = Counter(sample.smell for sample in samples if sample.label == "TP")
        there = {sample.smell for sample in samples}
        few += [
            f"{code(name)} in {part} ({counts[name] if name in there else 'no sample'})"
            for name in names
            if counts[name] < FEW
        ]
    if not few:
        return f"Each smell has at least {FEW} real TPs in training and in validation."
    return f"Smells with fewer than {FEW} real TPs, where it may be far off: {', '.join(few)}."


def _cut(parts: dict[str, Audit]) -> str:
    cut = [f"{audit.samples_cut} of {audit.samples} {part}" for part, audit in parts.items()]
    return f"It sees a limited number of tokens: {' and '.join(cut)} samples were cut to fit."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(code, names))
