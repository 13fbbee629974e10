"""iacfilter-label: say of GLITCH's findings which are real, and keep that in the repository."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import UsageError, counted
from iacfilter_hpc.runs import layout

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.filtering.label_page import LabelFigures, LabelModel, Share
    from iacfilter_hpc.verdicts.export import Exported
    from iacfilter_hpc.verdicts.labelling import Labelling, LabelRequest

EPILOG = """\
examples:
  iacfilter-label glitch.csv --scripts .
  iacfilter-label glitch.csv --scripts . --model RUN
  iacfilter-label --scripts . --export human.jsonl

Each answer is a line of .iacfilter/verdicts.jsonl in the repository of DIR, on disk before the next
question. Stop at any time (q) and go on later: what has an answer is not asked again. Commit the
file: iacfilter-filter then decides these findings as you have, until their lines change.
"""


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-label", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.add_argument(
        "source",
        type=Path,
        nargs="?",
        metavar="REPORT",
        help="GLITCH's CSV, filtered or not, or a JSON Lines file of samples",
    )
    parser.add_argument(
        "--scripts", type=Path, required=True, metavar="DIR", help="the analysed scripts"
    )
    parser.add_argument(
        "--model", metavar="RUN", help="a run, whose p(TP) is shown and whose threshold is judged"
    )
    parser.add_argument(
        "--blind", action="store_true", help="do not show p(TP), which answers may lean to"
    )
    parser.add_argument(
        "--verdicts",
        type=Path,
        metavar="FILE",
        help="where answers are kept (default: .iacfilter/verdicts.jsonl of the repository)",
    )
    parser.add_argument("--by", metavar="NAME", help="who answers (default: the user's login name)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the order of questions (default: 0)"
    )
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="CSV",
        help="a list of answers in place of the page: file,line,smell,decision,note",
    )
    _add_export(parser)
    parser.add_argument(
        "--technology", metavar="NAME", help="of all scripts (default: by each file's extension)"
    )
    parser.add_argument(
        "--path-prefix",
        metavar="PREFIX",
        help="what the report's paths have in place of DIR (default: found)",
    )
    return parser


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--export",
        type=Path,
        metavar="JSONL",
        help="write all verdicts that stand as labelled samples, to train and calibrate on",
    )
    parser.add_argument("--repo", metavar="NAME", help="repository of the exported samples")
    parser.add_argument("--family", metavar="NAME", help="family of the exported samples")


def request_of(args: argparse.Namespace) -> LabelRequest:
    """The request that the flags make."""
    from iacfilter_hpc.verdicts.labelling import LabelRequest

    return LabelRequest(
        source=args.source,
        scripts=args.scripts,
        models=layout.models_dir(args.models_dir),
        model=args.model,
        verdicts=args.verdicts,
        by=_login_name() if args.by is None else args.by,
        seed=args.seed,
        answers=args.answers,
        export=args.export,
        repo=args.repo,
        family=args.family,
        technology=args.technology,
        prefix=args.path_prefix,
        blind=args.blind,
        as_json=args.json,
    )


def _login_name() -> str:
    try:
        return getpass.getuser()
    # what getpass raises of a user without a name, before Python 3.13 and since
    except (KeyError, OSError) as error:
        raise UsageError(
            "this user has no name, and a verdict is somebody's", hint="--by NAME says whose"
        ) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    args = arguments().parse_args(argv)
    return terminal.run(lambda: run(request_of(args)))


def run(request: LabelRequest) -> int:
    """Label, export, or both, and return 0.

    Raises:
        UsageError: flags that make no sense together, or a page without a terminal.
        DataError: a file cannot be read, or has wrong lines; no finding makes a question.
    """
    from iacfilter_hpc.verdicts.labelling import check

    check(request)
    _check_terminal(request)
    labelling, model = None, None
    if request.source is not None:
        model = _load_model(request)
        labelling = _label(request, model)
    exported = _export(request) if request.export else None
    if request.as_json:
        terminal.print_json(document(labelling, model, exported))
    else:
        print(render(labelling, model, exported))
    return 0


def _check_terminal(request: LabelRequest) -> None:
    if request.source is None or request.answers is not None:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "labels are asked for on a terminal, and there is none",
            hint="--answers FILE takes a list: file,line,smell,decision,note",
        )


def _load_model(request: LabelRequest) -> LabelModel | None:
    if request.model is None:
        return None
    from iacfilter_hpc.trained_model.find import find_trained

    final = find_trained(request.models, request.model).final
    # only now: torch takes seconds to import
    with terminal.talk_on_stderr():
        from iacfilter_hpc.filtering.label_page import load_label_model

        return load_label_model(final)


def _label(request: LabelRequest, model: LabelModel | None) -> Labelling:
    from iacfilter_hpc.cli.labels.label_page import ask
    from iacfilter_hpc.verdicts.answers import read_answers
    from iacfilter_hpc.verdicts.labelling import open_labelling

    labelling = (
        open_labelling(request, model.score, model.form) if model else open_labelling(request, None)
    )
    for reason, count in labelling.left_out.items():
        terminal.say(f"not asked: {count}, because {terminal.plain(reason)}")
    if request.answers is None:
        ask(labelling, _told_each_time(model), blind=request.blind)
    else:
        for each in read_answers(request.answers, labelling.questions):
            labelling.keep(each.question, each.decision, each.note)
    return labelling


def _export(request: LabelRequest) -> Exported:
    from iacfilter_hpc.samples.groups import Origin
    from iacfilter_hpc.verdicts.export import export
    from iacfilter_hpc.verdicts.repository import find_verdicts

    assert request.export is not None, "asked for"
    kept = find_verdicts(request.scripts, request.verdicts)
    return export(kept, request.export, Origin(request.repo, request.family), request.technology)


def told(labelling: Labelling, model: LabelModel | None, before: LabelFigures | None = None) -> str:
    """What the labels so far say: of a model's threshold, or their counts alone."""
    table = _by_smell(labelling)
    found = _figures(labelling, model)
    return table if found is None else f"{table}\n\n{_said(found, before)}"


def _told_each_time(model: LabelModel | None) -> Callable[[Labelling], str]:
    """What labels say, beside what they said the time before."""
    before: LabelFigures | None = None

    def tell(labelling: Labelling) -> str:
        nonlocal before
        text = told(labelling, model, before)
        before = _figures(labelling, model)
        return text

    return tell


def _by_smell(labelling: Labelling) -> str:
    from iacfilter_hpc.samples.smells import title_of

    columns = ["TP", "FP", "unsure", "left"]
    rows = [
        [terminal.plain(title_of(smell)), *(str(of[c]) for c in ("TP", "FP", "unsure", ""))]
        for smell, of in sorted(labelling.counts().items())
    ]
    return terminal.table(["smell", *columns], rows, columns)


def _said(found: LabelFigures, before: LabelFigures | None) -> str:
    from iacfilter_hpc.filtering.label_page import MORE

    was = (before.recall, before.precision, before.removed) if before else (None, None, None)
    lines = [
        f"{counted(found.labels, 'label')} with a p(TP), at the threshold {found.threshold:.4f}:",
        _share("kept of the real ones", found.recall, was[0]),
        _share("real of those kept", found.precision, was[1]),
        _share("removed of the false alarms", found.removed, was[2]),
    ]
    if found.bound is not None:
        lines.append(f"a threshold of {found.bound:.4f} would keep every real one so far")
    if found.labels:
        lines.append(
            f"(95 % intervals; -> what they would be after {MORE} more labels like these. Findings "
            "of one file are alike, so the true intervals are wider)"
        )
    return "\n".join(lines)


def _share(name: str, share: Share | None, before: Share | None) -> str:
    if share is None:
        return f"  {name:28} none yet"
    low, high = share.later
    was = f" (was {before.low:.2f} to {before.high:.2f})" if before else ""
    return (
        f"  {name:28} {share.hits} of {share.count}, {share.low:.2f} to {share.high:.2f}{was} "
        f"-> {low:.2f} to {high:.2f}"
    )


def render(labelling: Labelling | None, model: LabelModel | None, exported: Exported | None) -> str:
    """The text of the answer, for people."""
    lines = []
    if labelling is not None:
        given = counted(labelling.given, "answer")
        lines += [f"{given} kept in {labelling.kept.path}", "", told(labelling, model)]
        if labelling.expired:
            expired = counted(labelling.expired, "verdict has", "verdicts have")
            lines.append(f"\n{expired} expired: what they were about has changed")
    if exported is not None:
        labels = ", ".join(f"{count} {label}" for label, count in sorted(exported.labels.items()))
        lines.append(f"Wrote {labels} to {exported.path}")
        lines += [f"  left out {n}: {reason}" for reason, n in sorted(exported.left_out.items())]
    return "\n".join(lines)


def document(
    labelling: Labelling | None, model: LabelModel | None, exported: Exported | None
) -> dict[str, object]:
    """The JSON document of the answer."""
    return {
        "labelled": labelling and _labelled(labelling, model),
        "exported": exported
        and {
            "file": str(exported.path),
            "labels": exported.labels,
            "left_out": exported.left_out,
        },
    }


def _labelled(labelling: Labelling, model: LabelModel | None) -> dict[str, object]:
    from dataclasses import asdict

    found = _figures(labelling, model)
    names = {"TP": "tp", "FP": "fp", "unsure": "unsure", "": "left"}
    return {
        "verdicts": str(labelling.kept.path),
        "given": labelling.given,
        "questions": len(labelling.questions),
        "expired": labelling.expired,
        "left_out": labelling.left_out,
        "by_smell": {
            smell: {name: counts[key] for key, name in names.items()}
            for smell, counts in sorted(labelling.counts().items())
        },
        "figures": None if found is None else asdict(found),
    }


def _figures(labelling: Labelling, model: LabelModel | None) -> LabelFigures | None:
    if model is None:
        return None
    from iacfilter_hpc.filtering.label_page import figures

    return figures(labelling.labels(), model.threshold.value)


if __name__ == "__main__":
    sys.exit(main())
