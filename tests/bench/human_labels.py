"""Recipes side by side on human labels: python -m tests.bench.human_labels DATA MODELS [SEED...].

DATA as for tests.bench.real_encoder, which trains the weak encoders (weak-SEED in MODELS) that are
not there yet. Every recipe is judged in the same folds by family: what is chosen, is chosen inside
them. A row is mean and standard deviation over PARTITIONS into folds, with the 95 % interval over
families of the first one; below, every recipe against the regular expressions, paired.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

from scipy.special import expit

from iacfilter_hpc.calibration.calibrate import averaged_log_odds
from iacfilter_hpc.calibration.fit import fit, judge, table_of
from iacfilter_hpc.calibration.forms import FORMS, Form
from iacfilter_hpc.comparison.baselines import cross_fit_tfidf
from iacfilter_hpc.comparison.statistics import Pair, compare_pairs, holm
from iacfilter_hpc.comparison.systems import Member, Protocol, System, SystemKind
from iacfilter_hpc.evaluation.bootstrap import bootstrap_scores
from iacfilter_hpc.evaluation.crossfit import split_groups
from iacfilter_hpc.evaluation.metrics import score
from iacfilter_hpc.labelling.functions import FUNCTIONS
from iacfilter_hpc.samples.groups import read_groups, with_groups
from iacfilter_hpc.samples.sample import LABELS, Sample, read_samples
from iacfilter_hpc.trained_model.decision import read_decision
from iacfilter_hpc.trained_model.find import of_run
from tests.bench.real_encoder import MEASURES, SHORT, baseline_decisions, joined, run_of, train

SEEDS = (41, 42, 43, 44, 45)
PARTITIONS = 5
FOLDS = 5
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions of one recipe in one partition; p(TP) None where it gives none."""

    decided: tuple[bool, ...]
    p_tp: tuple[float, ...] | None


Recipe = Callable[[int], Decisions]
"""Decisions in the partition of a seed."""


def main() -> None:
    """Print a row a recipe, then its test against the regular expressions."""
    data, models = Path(sys.argv[1]), Path(sys.argv[2])
    seeds = tuple(map(int, sys.argv[3:])) or SEEDS
    os.environ |= {"IACFILTER_MODELS": str(models), "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as scratch:
        oracle = joined(data, Path(scratch))
        groups = read_groups(data / "oracle" / "meta.csv")
        samples = with_groups(read_samples(oracle), groups)
        for seed in seeds:
            train(data, seed)
        print(f"{'':44}" + "".join(f"{name:>13}" for name in (*SHORT, "F1 95 %", "AP 95 %")))
        first = {
            name: report(name, recipe, samples)
            for name, recipe in recipes(data, oracle, samples, seeds).items()
        }
    print()
    for line in tests(first, samples):
        print(line)


def recipes(
    data: Path, oracle: Path, samples: Sequence[Sample], seeds: Sequence[int]
) -> dict[str, Recipe]:
    """Every recipe, by its name."""
    each = {seed: log_odds([seed], samples) for seed in seeds}
    by_regexes = baseline_decisions(data, oracle, "weak_rules_v1")
    found: dict[str, Recipe] = {
        REGEXES: lambda _: Decisions(tuple(by_regexes), None),
        "TF-IDF, same folds": lambda seed: tfidf(samples, seed),
        "votes alone": calibrated([0.0] * len(samples), samples, FORMS[2:3]),
    }
    for seed in seeds:
        found[f"weak encoder {seed}, as it is"] = as_it_is(seed, each[seed])
    for seed in seeds:
        found[f"weak encoder {seed}, offset and scale"] = calibrated(each[seed], samples, FORMS[:1])
    for chosen in sorted({seeds[:2], seeds}, key=len):
        name = f"{len(chosen)} seeds averaged"
        mixed = [mean(row) for row in zip(*(each[seed] for seed in chosen), strict=True)]
        found[f"{name}, as they are"] = as_it_is(chosen[0], mixed)
        found[f"{name}, offset and scale"] = calibrated(mixed, samples, FORMS[:1])
        found[f"{name}, and votes"] = calibrated(mixed, samples, FORMS[2:3])
        found[f"{name}, form by folds"] = calibrated(mixed, samples, FORMS)
        found[f"{name}, an LLM's labels"] = taught(mixed, samples, data, oracle)
    return found


REGEXES = "regular expressions"


def log_odds(seeds: Sequence[int], samples: Sequence[Sample]) -> list[float]:
    """Log-odds of the runs of these seeds, averaged, uncalibrated."""
    return averaged_log_odds([of_run(run_of(seed)) for seed in seeds], samples)


def as_it_is(seed: int, odds: Sequence[float]) -> Recipe:
    """The model with the threshold that its own validation data have chosen."""
    threshold = read_decision(run_of(seed).final).threshold
    p_tp = tuple(expit(odds).tolist())
    return lambda _: Decisions(tuple(p >= threshold for p in p_tp), p_tp)


def calibrated(odds: Sequence[float], samples: Sequence[Sample], forms: tuple[Form, ...]) -> Recipe:
    """What iacfilter-calibrate does, with these forms to choose from."""
    table = table_of(samples, odds, FUNCTIONS)

    def decide(seed: int) -> Decisions:
        judged = judge(table, FOLDS, seed, forms)
        return Decisions(tuple(judged.decided), judged.p_tp)

    return decide


def taught(odds: Sequence[float], samples: Sequence[Sample], data: Path, oracle: Path) -> Recipe:
    """The same with an LLM's decisions in the place of people's labels, on which it is judged."""
    decisions = baseline_decisions(data, oracle, "secllm_I")
    relabelled = [
        replace(sample, label=LABELS[decided])
        for sample, decided in zip(samples, decisions, strict=True)
    ]
    table = table_of(relabelled, odds, FUNCTIONS)

    def decide(seed: int) -> Decisions:
        p_tp, thresholds = [0.0] * len(samples), [0.0] * len(samples)
        for split in split_groups(samples, FOLDS, seed):
            fitted = fit(table.rows(split.inside), seed)
            held_out = expit(fitted.log_odds(table.rows(split.outside))).tolist()
            for place, p in zip(split.outside, held_out, strict=True):
                p_tp[place], thresholds[place] = p, fitted.threshold
        kept = tuple(p >= t for p, t in zip(p_tp, thresholds, strict=True))
        return Decisions(kept, tuple(p_tp))

    return decide


def tfidf(samples: Sequence[Sample], seed: int) -> Decisions:
    """TF-IDF and logistic regression, as iacfilter-compare cross-fits it."""
    member = cross_fit_tfidf(samples, FOLDS, seed).system.first
    return Decisions(member.decided, member.p_tp)


def report(name: str, recipe: Recipe, samples: Sequence[Sample]) -> Decisions:
    """Print a row, and return the decisions of the first partition."""
    truth = [sample.label == "TP" for sample in samples]
    found = [recipe(seed) for seed in range(PARTITIONS)]
    scores = [score(truth, each.decided, each.p_tp) for each in found]
    cells = [spread([scores_[key] for scores_ in scores]) for key in MEASURES]
    groups = [sample.group for sample in samples]
    spans = bootstrap_scores(truth, found[0].decided, found[0].p_tp, groups, draws=DRAWS, seed=0)
    for key in ("f1", "average_precision"):
        span = spans[key]
        cells.append("-" if span is None else f"{span.low:.2f} to {span.high:.2f}")
    print(f"{name:44}" + "".join(f"{cell:>13}" for cell in cells), flush=True)
    return found[0]


def spread(values: Sequence[float | None]) -> str:
    """Mean and standard deviation over partitions."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "-"
    return f"{mean(known):.3f}" if len(set(known)) == 1 else f"{mean(known):.3f}±{stdev(known):.3f}"


def tests(first: dict[str, Decisions], samples: Sequence[Sample]) -> list[str]:
    """Every recipe less the regular expressions, a line each; Holm's p is over these alone."""
    regexes = _system(REGEXES, first[REGEXES])
    others = [_system(name, each) for name, each in first.items() if name != REGEXES]
    # the other one first, so that a difference is its gain
    found = [compare_pairs([other, regexes], samples, DRAWS, 0)[0] for other in others]
    adjusted = holm([pair.mcnemar.p for pair in found])
    return [
        f"{other.name:44} F1 {pair.difference:+.3f}, 95 % {_span(pair)}; McNemar "
        f"{pair.mcnemar.first_only}:{pair.mcnemar.second_only}, p {pair.mcnemar.p:.3g}, "
        f"Holm {p:.3g}"
        for other, pair, p in zip(others, found, adjusted, strict=True)
    ]


def _span(pair: Pair) -> str:
    return (
        "-" if pair.interval is None else f"{pair.interval.low:+.3f} to {pair.interval.high:+.3f}"
    )


def _system(name: str, found: Decisions) -> System:
    member = Member(
        name=name,
        decided=found.decided,
        p_tp=found.p_tp,
        threshold=None,
        threshold_origin="",
        source="",
    )
    return System(name, SystemKind.BASELINE, Protocol.CROSS_FIT, (member,))


if __name__ == "__main__":
    main()
