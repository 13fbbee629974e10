"""Flags of every command that judges a report, and the request that they make."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from iacfilter_hpc.cli.judging.safety import add_safety_flags, safety_of
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.runs import layout

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.filtering.request import FilterRequest


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every command that judges a report, and is answered by `judge`."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="RUN",
        help="a run's name, its directory, a copy of its final/, what iacfilter-export has "
        "written, or ORG/NAME@REVISION on the hub",
    )
    _add_threshold(parser.add_mutually_exclusive_group())
    parser.add_argument(
        "--smells",
        type=_smells,
        metavar="NAMES",
        help="a list such as hard_coded_secret,use_of_http: only these are judged and count as "
        "findings, all other rows pass",
    )
    parser.add_argument(
        "--unjudged",
        choices=("keep", "ignore"),
        default="keep",
        help="whether rows that no model could judge count as findings (default: keep); among the "
        "rows they stay in any case",
    )
    _add_memory(parser)
    _add_outputs(parser)
    add_safety_flags(parser)


def _add_threshold(group: argparse._MutuallyExclusiveGroup) -> None:
    group.add_argument(
        "--threshold",
        type=_threshold,
        metavar="T",
        help="keep what has p(TP) >= T (default: the model's own, chosen on its validation data)",
    )
    group.add_argument(
        "--min-recall",
        type=_recall,
        metavar="R",
        help="the highest threshold that keeps this share of the real ones in the model's "
        "validation data and of the next one like them, such as 0.95; how sure that is, is said",
    )


def _add_memory(parser: argparse.ArgumentParser) -> None:
    verdicts = parser.add_mutually_exclusive_group()
    verdicts.add_argument(
        "--verdicts",
        type=Path,
        metavar="FILE",
        help="people's decisions, which come before the model's (default: .iacfilter/verdicts.jsonl"
        " of DIR or above it, up to the repository's root)",
    )
    verdicts.add_argument(
        "--no-verdicts", action="store_true", help="let the model decide, whatever people have said"
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="show only what is not in it: a file of --write-baseline, or an earlier report",
    )
    parser.add_argument(
        "--write-baseline",
        type=Path,
        metavar="FILE",
        help="write what all rows are known by, moved or not",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, metavar="CSV", help="the rows (default: standard output)"
    )
    parser.add_argument(
        "--annotate", action="store_true", help="write the rows judged FP too, marked as such"
    )
    parser.add_argument(
        "--bare", action="store_true", help="write rows without the columns DECISION and P_TP"
    )
    parser.add_argument(
        "--sarif",
        type=Path,
        metavar="FILE",
        help="SARIF 2.1.0: the findings, and as suppressed what is judged FP",
    )
    suppressed = parser.add_mutually_exclusive_group()
    suppressed.add_argument(
        "--omit-suppressed",
        action="store_true",
        help="leave out of --sarif what is judged FP (default where $GITHUB_ACTIONS is true)",
    )
    suppressed.add_argument(
        "--keep-suppressed", action="store_true", help="keep it there, in GitHub's actions too"
    )
    parser.add_argument(
        "--code-quality", type=Path, metavar="FILE", help="the findings for GitLab, as JSON"
    )
    parser.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="counts and findings as Markdown, for a job's page",
    )
    parser.add_argument(
        "--fail-on-findings",
        action="store_true",
        help="exit code 1 if there are findings, 2 after any error",
    )


def request_of(args: argparse.Namespace) -> FilterRequest:
    """The request that the flags make."""
    from iacfilter_hpc.filtering.findings import Unjudged
    from iacfilter_hpc.filtering.request import FilterRequest

    return FilterRequest(
        # one of the two, as the commands see to
        report=args.report or args.sarif_in,
        scripts=args.scripts,
        models=layout.models_dir(args.models_dir),
        model=args.model,
        threshold=args.threshold,
        min_recall=args.min_recall,
        technology=args.technology,
        prefix=args.path_prefix,
        output=args.output,
        sarif=args.sarif,
        annotate=args.annotate,
        bare=args.bare,
        omit_suppressed=args.omit_suppressed or is_omitted_unasked(args),
        fail_on_findings=args.fail_on_findings,
        as_json=args.json,
        safety=safety_of(args),
        verdicts=args.verdicts,
        use_verdicts=not args.no_verdicts,
        baseline=args.baseline,
        write_baseline=args.write_baseline,
        smells=_selected(args.smells),
        unjudged=Unjudged(args.unjudged),
        code_quality=args.code_quality,
        summary=args.summary,
    )


def is_omitted_unasked(args: argparse.Namespace) -> bool:
    """Whether a log for GitHub leaves out what is judged FP: it opens an alert for each result."""
    asked = args.omit_suppressed or args.keep_suppressed
    return bool(args.sarif) and not asked and os.environ.get("GITHUB_ACTIONS") == "true"


def _smells(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _selected(words: list[str] | None) -> frozenset[str] | None:
    import difflib

    from iacfilter_hpc.filtering.findings import known_smells
    from iacfilter_hpc.samples.smells import NAMES

    if words is None:
        return None
    smells, unknown = known_smells(words)
    if unknown:
        said = ", ".join(ascii(word) for word in unknown)
        near = difflib.get_close_matches(unknown[0], NAMES, n=1)
        raise UsageError(
            f"--smells: {said} is no smell that GLITCH reports",
            hint=f"did you mean {near[0]}?" if near else f"known are {', '.join(NAMES)}",
        )
    return smells


def _threshold(text: str) -> float:
    return _number(text, "a number between 0 and 1", lambda value: 0 < value < 1)


def _recall(text: str) -> float:
    return _number(text, "a share above 0 and up to 1", lambda value: 0 < value <= 1)


def _number(text: str, wanted: str, fits: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0  # which fits nowhere
    # nan fits nowhere either, as it compares as false
    if not fits(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value
