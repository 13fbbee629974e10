"""Safety of filter and scan: its flags, and what text and JSON say of rows kept for it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from iacfilter_hpc.cli import terminal

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.filtering.report import Filtered
    from iacfilter_hpc.filtering.safety.guard import Kept, SafetyOptions
    from iacfilter_hpc.filtering.threshold import Promise
    from iacfilter_hpc.glitch.decisions import Tally

FEW_UNLIKE = 5
UNUSUAL = 0.15
"""Three times the share of lines of the validation data that count as unlike the training data."""


def add_safety_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of what may be removed; the defaults are those of SafetyOptions."""
    group = parser.add_argument_group("what is never removed")
    group.add_argument(
        "--min-train-tp",
        type=_count,
        metavar="N",
        help="judge only smells and technologies of which the model has seen so many real ones in "
        "training (default: 20)",
    )
    group.add_argument(
        "--min-validation-tp",
        type=_count,
        metavar="N",
        help="and in the data that chose its threshold (default: 10)",
    )
    group.add_argument(
        "--min-smell-recall",
        type=_share,
        metavar="R",
        help="and of whose real ones it keeps this share there (default: 0.5)",
    )
    group.add_argument(
        "--max-removed",
        type=_share,
        metavar="SHARE",
        help="keep a report of whose judged rows more would go (default: 0.8)",
    )
    group.add_argument(
        "--yes-remove",
        action="append",
        default=[],
        metavar="SMELL",
        help="let all judged rows of this smell go, which are kept otherwise; may be repeated",
    )
    group.add_argument(
        "--rules",
        type=Path,
        metavar="FILE",
        help="rules of what is never removed (default: .iacfilter.yaml in --scripts, if any)",
    )
    group.add_argument(
        "--allow-tiny",
        action="store_true",
        help="take a model that judges nothing: a tiny one, or one no better than chance",
    )


def safety_of(args: argparse.Namespace) -> SafetyOptions:
    """The options that the flags make; those that are not given stay as they are."""
    from iacfilter_hpc.filtering.safety.guard import SafetyOptions

    default = SafetyOptions()
    return SafetyOptions(
        min_train_tp=default.min_train_tp if args.min_train_tp is None else args.min_train_tp,
        min_validation_tp=default.min_validation_tp
        if args.min_validation_tp is None
        else args.min_validation_tp,
        min_smell_recall=default.min_smell_recall
        if args.min_smell_recall is None
        else args.min_smell_recall,
        max_removed=default.max_removed if args.max_removed is None else args.max_removed,
        yes_remove=tuple(args.yes_remove),
        rules=args.rules,
        allow_tiny=args.allow_tiny,
    )


def safety_warnings(done: Filtered) -> Iterator[str]:
    """What was kept although the model would have removed it, and the flag that removes it."""
    from iacfilter_hpc.glitch.reasons import Cause

    if done.rules.path is not None and not done.rules.keeps_credentials:
        yield f"{done.rules.path} switches off that what looks like a live credential is kept"
    if count := done.tally.because(Cause.UNKNOWN_TRAINING):
        yield (
            f"{rows_are(count)} not judged: the model is of an earlier version and does not "
            "say what trained it. Train or calibrate it again; --min-train-tp 0 "
            "--min-validation-tp 0 takes it at its word"
        )
    for smell, reason in done.spared.reasons.items():
        yield f"{smell}: {reason.text}, so they are kept; --yes-remove {smell} lets them go"
    unlike, of = done.tally.because(Cause.UNLIKE_TRAINING), would_go(done.tally)
    if unlike >= FEW_UNLIKE and unlike > UNUSUAL * of:
        yield (
            f"{unlike} of {of} rows that the model would remove are unlike its training data, and "
            "one in twenty is usual: they are kept; of the others it is less sure than it says"
        )


def rows_are(count: int) -> str:
    """Rows as the beginning of a sentence about what is done to them."""
    return f"{count} row is" if count == 1 else f"{count} rows are"


def would_go(tally: Tally) -> int:
    """Rows that the model would remove, and no rule and no look of a credential keeps."""
    from iacfilter_hpc.glitch.reasons import Cause

    kept = (Cause.UNLIKE_TRAINING, Cause.WHOLE_SMELL, Cause.TOO_MANY)
    by_model = tally.total().fp - tally.by_people().fp
    return by_model + sum(map(tally.because, kept))


def kept_rows(done: Filtered) -> dict[Kept, int]:
    """Rows without a decision, by why they are kept."""
    from iacfilter_hpc.filtering.safety.guard import CLASSES, Kept

    counts = dict.fromkeys(Kept, 0)
    for cause, kept in CLASSES.items():
        counts[kept] += done.tally.because(cause)
    counts[Kept.NOT_READ] = done.tally.total().unjudged - sum(counts.values())
    return counts


def safety_document(done: Filtered) -> dict[str, object]:
    """The part of the JSON document about what is kept for safety."""
    options, rules = done.request.safety, done.rules
    return {
        "min_train_tp": options.min_train_tp,
        "min_validation_tp": options.min_validation_tp,
        "min_smell_recall": options.min_smell_recall,
        "max_removed": options.max_removed,
        "yes_remove": list(options.yes_remove),
        "rules": None if rules.path is None else str(rules.path),
        "keeps_credentials": rules.keeps_credentials,
        "kept": {kept.value: count for kept, count in kept_rows(done).items()},
        "spared": {smell: reason.text for smell, reason in done.spared.reasons.items()},
    }


def safety_table(done: Filtered) -> str:
    """Rows without a decision by why they are kept, for people."""
    from iacfilter_hpc.filtering.safety.guard import SAID

    rows = [[str(count), SAID[kept]] for kept, count in kept_rows(done).items() if count]
    return terminal.table(["rows", "kept without a decision: what"], rows, ["rows"])


def recall_document(promise: Promise | None) -> dict[str, object] | None:
    """The part of the JSON document about a recall that was asked for."""
    from iacfilter_hpc.filtering.threshold import real_for
    from iacfilter_hpc.trained_model.recall import tries_for

    if promise is None:
        return None
    return {
        "asked": promise.recall,
        "real_ones_needed": real_for(promise.recall),
        "families_needed": tries_for(promise.recall),
        "found": [asdict(each) for each in promise.found],
    }


def recall_table(promise: Promise) -> str:
    """The recall of the labels that chose the threshold, with its lower bound, for people."""
    rows = [
        [
            each.smell or "all",
            f"{each.kept} of {each.real}",
            f"{each.kept / each.real:.3f}",
            f"{each.low:.3f}",
            each.grouped,
        ]
        for each in promise.found
    ]
    names = ["smell", "real ones kept", "recall", "lower bound", "over"]
    return f"{terminal.table(names, rows, names[1:4])}\n{_needed(promise.recall)}"


def _needed(recall: float) -> str:
    from iacfilter_hpc.filtering.threshold import real_for
    from iacfilter_hpc.trained_model.recall import tries_for

    if real_for(recall) is None:
        return f"no number of labels promises {recall:g}"
    return (
        f"a threshold for {recall:g} takes {real_for(recall)} real ones, a promise of it real ones "
        f"of {tries_for(recall)} families, none of them lost"
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0  # which fits nowhere
    # nan fits nowhere either, as it compares as false
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return value
