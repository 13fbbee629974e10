"""Sentences of a comparison: what the numbers let one say, and what they do not."""

from __future__ import annotations

from collections.abc import Sequence

from iacfilter_hpc.comparison.compare import Comparison
from iacfilter_hpc.comparison.statistics import ALPHA, Pair, Separation
from iacfilter_hpc.comparison.systems import Protocol, System, SystemKind
from iacfilter_hpc.errors import counted
from iacfilter_hpc.evaluation.bootstrap import FEW_GROUPS, FEWEST_GROUPS
from iacfilter_hpc.evaluation.text import pooled_caveat
from iacfilter_hpc.trained_model.evidence import FEW_POSITIVES

CROSS_FIT_COSTS = (
    "Costs of a cross-fit are those of the run that it starts from; fine-tuning it on each fold "
    "comes on top."
)


def subject(done: Comparison) -> str:
    """Subject of a comparison: how many systems, samples and groups."""
    samples, groups = done.data.samples, done.group_counts
    real = sum(sample.label == "TP" for sample in samples)
    grouped = ", ".join(f"{count} by {unit}" for unit, count in groups.samples_by_unit.items())
    return (
        f"{counted(len(done.entries), 'system')} on {counted(len(samples), 'sample')}: "
        f"{counted(real, 'real smell')} (TP) and "
        f"{counted(len(samples) - real, 'false alarm')} (FP), in "
        f"{counted(groups.groups, 'group')} ({grouped})."
    )


def conclusions(done: Comparison) -> list[str]:
    """Conclusions: a sentence a pair told apart; one for unclear pairs, one for all others."""
    # what is sure comes first; pairs that are not told apart need no numbers, they are in the table
    found = [_different(pair) for pair in _with(done.pairs, Separation.DIFFERENT)]
    if unclear := _with(done.pairs, Separation.UNCLEAR):
        named = "; ".join(_unclear(pair) for pair in unclear)
        found.append(f"Unclear, since McNemar's test and the difference in F1 disagree: {named}.")
    if same := _with(done.pairs, Separation.NOT_SEPARATED):
        found.append(_not_separated(same, len(done.data.samples), all_pairs=len(done.pairs)))
    return found


def method(done: Comparison) -> list[str]:
    """Method in words: how to read the numbers, and what they rest on."""
    options = done.options
    return [
        "The positive class is TP: a real smell. A detection that is decided FP is filtered out, "
        "so recall is the share of real smells kept, and false alarms removed is the share of "
        "false alarms that a reader is spared.",
        f"Intervals hold the middle 95 % of {options.draws} bootstrap draws (seed "
        f"{options.used_seed}) "
        "of whole groups, since samples of one family, repository or file are no independent "
        "witnesses. A dash marks what is not defined.",
        "McNemar's exact test compares which samples two systems decide rightly; p is adjusted by "
        "Holm over all pairs. It takes samples for independent and a lost real smell for no worse "
        f"than a kept false alarm. Two systems are called different only if p is below {ALPHA} "
        "after adjustment, the interval of the difference in F1 excludes 0, and both favour the "
        "same system.",
        "Of several seeds the mean is shown, with the standard deviation (n - 1) of one seed; the "
        "interval is that of the mean. McNemar's test, the confusion matrix and the curves are "
        "those of the lowest seed, which was fixed before any score was known.",
        *pipeline_notes(done),
        *varieties(done),
        *([sentence] if (sentence := pooled(done)) else []),
        *([CROSS_FIT_COSTS] if done.options.cross_fit is not None else []),
        f"* marks fewer than {FEW_POSITIVES} real smells: such scores say little. # marks fewer "
        f"than {FEW_GROUPS} groups, whose intervals are likely too narrow; with fewer than "
        f"{FEWEST_GROUPS} there is none. w marks Wilson's interval, which takes samples for "
        "independent: it stands where all draws are alike.",
    ]


def pipeline_notes(done: Comparison) -> list[str]:
    """How to read what is said of a teacher, and of GLITCH's misses; none where nothing is."""
    found = []
    if done.teacher is not None:
        found.append(
            f"What a student keeps is its F1 over that of {done.teacher} on these samples, and the "
            "share of samples that both decide alike; both are drawn together for the intervals."
        )
    if done.end_to_end is not None:
        found.append(
            "End to end, a real smell that GLITCH did not report is one that every system lost, "
            "and a report that nothing judges is kept; labels of both are those of "
            f"{done.end_to_end.path.name}."
        )
    return found


def pooled(done: Comparison) -> str | None:
    """Caveat of cross-fits for scores that rank; None if nothing is cross-fit."""
    if any(entry.system.protocol is Protocol.CROSS_FIT for entry in done.entries):
        return f"Of what is cross-fit, {pooled_caveat()}."
    return None


def varieties(done: Comparison) -> list[str]:
    """Varieties behind each ±: a sentence a system of several members."""
    found = ((entry.system.title, varied(entry.system)) for entry in done.entries)
    return [f"± of {title}: {what}." for title, what in found if what]


def varied(system: System) -> str | None:
    """Difference between the members of a system, in words; None for one alone."""
    if len(system.members) == 1:
        return None
    # a file says nothing of seeds, so ± covers whatever its maker varied
    if system.kind is not SystemKind.RUN:
        return f"{len(system.members)} files of predictions"
    seeds = f"training seeds {_listed([member.seed for member in system.members])}"
    folds = [member.fold_seed for member in system.members if member.fold_seed is not None]
    if not folds:
        return seeds
    # whether folds vary too decides what ± measures: training alone, or training and folds
    if len(set(folds)) == 1:
        return f"{seeds}; folds are those of seed {folds[0]} for all"
    return f"{seeds}; and folds, of seeds {_listed(folds)} in this order"


def p_value(p: float) -> str:
    """P-value as text, never shown as zero."""
    # below 0.001 three decimals would read 0.000, which no test can give
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def representative(system: System) -> str | None:
    """Representative: which member stands for a system of several; None for one alone."""
    if len(system.members) == 1:
        return None
    return f"seed {system.first.seed}" if system.kind is SystemKind.RUN else "the first"


def _listed(seeds: Sequence[int | None]) -> str:
    return ", ".join(map(str, seeds))


def _with(pairs: Sequence[Pair], separation: Separation) -> list[Pair]:
    return [pair for pair in pairs if pair.separation is separation]


def _different(pair: Pair) -> str:
    better, worse, right, wrong = _by_errors(pair)
    return (
        f"{better} decides better than {worse}: it alone is right on {counted(right, 'sample')}, "
        f"the other alone on {wrong} (adjusted p {p_value(pair.p_adjusted)}), and its F1 is "
        f"higher by {_gain(pair, better)}."
    )


def _unclear(pair: Pair) -> str:
    """Sentence on a pair where only one of the two tests tells a difference, and which one."""
    ahead, behind, _, _ = _by_errors(pair)
    # McNemar's test tells nothing here, so it is the interval of F1 that excludes 0
    if pair.p_adjusted >= ALPHA:
        ahead, behind = pair.first, pair.second
        # the one of higher F1 is named first, as in the sentences that are sure
        if pair.difference is not None and pair.difference < 0:
            ahead, behind = behind, ahead
    p = f"adjusted p {p_value(pair.p_adjusted)}"
    return f"{ahead} over {behind} ({p}, difference in F1 {_gain(pair, ahead)})"


def _by_errors(pair: Pair) -> tuple[str, str, int, int]:
    """Who decides more samples rightly, who fewer, and the samples that each alone is right on."""
    test = pair.mcnemar
    if test.second_only > test.first_only:
        return pair.second, pair.first, test.second_only, test.first_only
    return pair.first, pair.second, test.first_only, test.second_only


def _gain(pair: Pair, system: str) -> str:
    """F1 of one system of the pair less that of the other, with its interval."""
    if pair.difference is None:
        return "unknown"
    # the pair holds first less second, and the sentence is about the one ahead
    sign = 1 if system == pair.first else -1
    ends = "no interval"
    if pair.interval is not None:
        # a change of sign swaps the ends
        low, high = sorted((sign * pair.interval.low, sign * pair.interval.high))
        ends = f"{low:.3f} to {high:.3f}"
    return f"{sign * pair.difference:.3f} [{ends}]"


def _not_separated(pairs: Sequence[Pair], samples: int, all_pairs: int) -> str:
    # a single pair is named: "any two" would sound like more than two systems
    if len(pairs) == all_pairs and all_pairs > 1:
        return f"These {samples} samples cannot tell any two of the systems apart."
    named = "; ".join(f"{pair.first} and {pair.second}" for pair in pairs)
    return f"These {samples} samples cannot tell apart: {named}."
