"""iacfilter-compare: runs, baselines and predictions of others side by side on labelled samples."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.evaluate_flags import add_flags, from_flags
from iacfilter_hpc.cli.terminal import talk_on_stderr
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.errors import IacfilterError, UsageError, together
from iacfilter_hpc.runs import layout
from iacfilter_hpc.runs.layout import RunLayout

if TYPE_CHECKING:
    from iacfilter_hpc.comparison.compare import Comparison, Request
    from iacfilter_hpc.comparison.external import PredictionsFile
    from iacfilter_hpc.evaluation.data import Labelled

LONGEST_NAME = 60
FOLDER = "comparisons"
# in the order of the texts in _write
FILES = ("report.html", "report.md", "comparison.json")

EPILOG = """\
examples:
  iacfilter-compare RUN RUN --data oracle.jsonl
  iacfilter-compare RUN --data oracle.jsonl --predictions regexes=regexes.csv
  iacfilter-compare --data oracle.jsonl --predictions a=a.csv --predictions b=b.jsonl
  iacfilter-compare RUN --data oracle.jsonl --teacher llm=taught.jsonl --misses missed.csv

Runs are scored here, or were before: iacfilter-evaluate --submit does it on a GPU. Runs that differ
in nothing but their seed are one system, with mean and standard deviation; so are predictions given
several times under one NAME. Baselines: keep every detection, and TF-IDF with logistic regression
trained on the first run's training data. With --cross-fit the runs' cross-fits are compared (made
here, or before by iacfilter-evaluate; of any seed without --seed), and TF-IDF fitted on folds joins
them.

A file of predictions is one that iacfilter-evaluate wrote, the labels of iacfilter-teach, or CSV
with the columns file, line, smell, and decision (TP or FP) or p_tp (0 to 1) or both; a row for
every sample and no other.

--misses names real smells, in a CSV with the columns file, line, smell, such as all that an oracle
names: those that are no samples were not reported, and count as lost by every system, so that
precision, recall and F1 are those of GLITCH and the system as one. A column label may have TP or FP
for reports that no system judges and that are kept, and FN for all others.

Written: report.html (all of it, with figures; needs no other file), report.md, comparison.json.
"""


class Answer(Enum):
    """Form of the answer on standard output."""

    TEXT = auto()
    MARKDOWN = auto()
    JSON = auto()


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """Request to compare runs, by name, and files of predictions, by system, on labelled samples.

    Paths are absolute; `fresh` scores runs again whose results are there.
    """

    models: Path
    runs: tuple[str, ...]
    predictions: tuple[tuple[str, Path], ...]
    data: Path
    options: EvaluateOptions
    fresh: bool
    answer: Answer
    teacher: str | None = None
    misses: Path | None = None


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-compare", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="its name, its directory or a job id"
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="JSONL",
        help="labelled samples, ten fields each",
    )
    parser.add_argument(
        "--predictions",
        type=_named,
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="decisions of another system; may be given several times",
    )
    parser.add_argument(
        "--teacher",
        type=_named,
        metavar="NAME=FILE",
        help="predictions of the teacher: how much of its F1 the others keep, and how they agree",
    )
    parser.add_argument(
        "--misses",
        type=Path,
        metavar="CSV",
        help="real smells that GLITCH did not report, for scores of GLITCH and each system as one",
    )
    add_flags(
        parser,
        output=f"write into DIR (default: {FOLDER}/ in the tree of runs, a folder for each set of "
        "systems and data)",
        seed="of the bootstrap, and of --cross-fit (default: 0, and cross-fits that are there "
        "already are used whatever their seed)",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="score runs again, whatever was found before"
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    return parser


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not path or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE")
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(
            f"{name!r} is no name of 1 to {LONGEST_NAME} printable characters"
        )
    return name.strip(), Path(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    parser = arguments()
    args = parser.parse_args(argv)
    if not args.runs and not args.predictions and not args.teacher:
        parser.error("nothing to compare: name a RUN, or --predictions NAME=FILE")
    if args.json and args.markdown:
        parser.error("--json and --markdown are two answers; ask for one")
    return terminal.run(lambda: _compare(request_of(args)))


def request_of(args: argparse.Namespace) -> CompareRequest:
    """The request that the flags make.

    Raises:
        UsageError: files that are none (all are named), or flags that make no sense together.
    """
    options = from_flags(args)
    # here, where a path still is what the person has written; all of them, not one a try
    files = (("--data", args.data), ("--groups", args.groups), ("--misses", args.misses))
    teacher = [] if args.teacher is None else [args.teacher]
    named = ((f"--predictions {name}", path) for name, path in [*args.predictions, *teacher])
    problems = [
        f"{flag}: {path} is not a file"
        for flag, path in (*files, *named)
        if path is not None and not layout.absolute(path).is_file()
    ]
    if options.output is not None and options.output.exists() and not options.output.is_dir():
        problems.append(f"--output: {options.output} is not a directory")
    if problems:
        raise UsageError("\n".join(problems))
    return CompareRequest(
        models=layout.models_dir(args.models_dir),
        runs=tuple(args.runs),
        predictions=tuple(
            (name, layout.absolute(path)) for name, path in [*args.predictions, *teacher]
        ),
        data=layout.absolute(args.data),
        options=options,
        fresh=args.fresh,
        answer=Answer.JSON if args.json else Answer.MARKDOWN if args.markdown else Answer.TEXT,
        teacher=None if args.teacher is None else args.teacher[0],
        misses=None if args.misses is None else layout.absolute(args.misses),
    )


def _compare(asked: CompareRequest) -> int:
    from iacfilter_hpc.config.extras import check_training_is_installed
    from iacfilter_hpc.slurm.accounting import accounted_seconds

    # names first: whether they are right can be said without the packages
    runs = _trained_runs(asked.models, asked.runs)
    check_training_is_installed()
    seconds = accounted_seconds(runs)
    with talk_on_stderr():
        # only now: numpy, scikit-learn and scipy take a second to import
        from iacfilter_hpc.comparison.compare import Request, compare
        from iacfilter_hpc.comparison.external import PredictionsFile
        from iacfilter_hpc.evaluation.results import make_writable

        files = tuple(PredictionsFile(name, path) for name, path in asked.predictions)
        request = Request(
            runs=tuple(runs),
            files=files,
            data=asked.data,
            options=asked.options,
            fresh=asked.fresh,
            teacher=asked.teacher,
            misses=asked.misses,
        )

        # It depends on the data's hash, so compare() asks for it between reading and scoring: hours
        # of scoring must not end at a place that cannot be written to.
        def place(labelled: Labelled) -> Path:
            return asked.options.output or asked.models / FOLDER / _folder(request, labelled)

        done = compare(
            request, seconds, terminal.say, lambda found: make_writable(place(found), FILES)
        )
        directory = _write(done, place(done.data))
    _print(asked.answer, done, directory)
    return 0


def _trained_runs(models: Path, names: Sequence[str]) -> list[RunLayout]:
    """The runs of these names; all that are none are named at once."""
    found: list[RunLayout] = []
    problems: list[IacfilterError] = []
    for name in names:
        try:
            found.append(_trained_run(models, name))
        except IacfilterError as error:
            problems.append(error)
    if problems:
        raise together(problems)
    return found


def _trained_run(models: Path, name: str) -> RunLayout:
    from iacfilter_hpc.trained_model.find import find_trained

    model = find_trained(models, name)
    if model.run is None:
        raise UsageError(
            f"{model.final} lies in no run, so nothing says how it was trained",
            hint="iacfilter-evaluate it, and give its predictions.jsonl to --predictions",
        )
    return model.run


def _print(answer: Answer, done: Comparison, directory: Path) -> None:
    """Print the answer on stdout and warnings on stderr."""
    from iacfilter_hpc.comparison.document import document
    from iacfilter_hpc.comparison.markdown import render_markdown
    from iacfilter_hpc.comparison.text import render

    for warning in (*done.warnings, *(f"left out: {reason}" for reason in done.left_out)):
        terminal.say(f"warning: {warning}")
    if answer is Answer.JSON:
        terminal.print_json({**document(done), "directory": str(directory)})
    elif answer is Answer.MARKDOWN:
        print(render_markdown(done), end="")
    else:
        print(render(done))
        print(f"Written: {directory / 'report.html'}, report.md, comparison.json")


def _write(done: Comparison, directory: Path) -> Path:
    """Put the report into a directory: all of its files or none."""
    # else, after a full disk, an old page could stand beside new numbers
    from iacfilter_hpc.comparison.document import document
    from iacfilter_hpc.comparison.html import render_html
    from iacfilter_hpc.comparison.markdown import render_markdown
    from iacfilter_hpc.runs.files import replacing

    values = json.dumps(document(done), indent=2, allow_nan=False) + "\n"
    texts = (render_html(done), render_markdown(done), values)
    with replacing(*(directory / name for name in FILES)) as files:
        for file, text in zip(files, texts, strict=True):
            file.write(text.encode())
    return directory


def _folder(request: Request, data: Labelled) -> str:
    """The report's folder: the same for the same systems, data and options.

    So a question that is asked again replaces its report, and no other. Data count by content, and
    files of predictions by path: made anew, they answer the same question.
    """
    options = request.options
    systems = [[run.name for run in request.runs], [_words(file) for file in request.files]]
    asked: list[object] = [options.threshold, str(options.groups), options.draws, options.seed]
    asked.append(options.cross_fit)
    # only where they are asked for: other folders keep the names that they had before
    asked += [str(each) for each in (request.teacher, request.misses) if each is not None]
    digest = hashlib.sha256(json.dumps([*systems, asked]).encode()).hexdigest()
    return f"{data.path.stem}-{data.sha256[:8]}-{digest[:8]}"


def _words(file: PredictionsFile) -> list[str]:
    return [file.name, str(file.path)]


if __name__ == "__main__":
    sys.exit(main())
