"""iacfilter-data: turn detections into samples, check sample files, split and weakly label them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.config.approaches import APPROACHES
from iacfilter_hpc.samples.duplicates import KINDS
from iacfilter_hpc.samples.smells import FILTERED, NAMES, RULES
from iacfilter_hpc.samples.split import KEPT_WHOLE

Commands = argparse._SubParsersAction  # the type has no public name
Act = Callable[[argparse.Namespace], int]
"""Makes the request of a subcommand's flags, and runs it."""


def _add(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    about: str,
    act: Act,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=f"{about}.", allow_abbrev=False)
    # Given before or after the subcommand, it means the same: a default of the subparser would be
    # copied over what stands before it.
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON document"
    )
    parser.set_defaults(act=act)
    return parser


def add_import(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add iacfilter-data import and its flags."""
    parser = _add(commands, "import", "make samples of a GLITCH report and its scripts", _import)
    parser.add_argument(
        "report",
        type=Path,
        metavar="REPORT",
        help="GLITCH's report, as --csv or --linter writes it",
    )
    parser.add_argument(
        "--scripts", type=Path, required=True, metavar="DIR", help="the analysed scripts"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="JSONL", help="the samples"
    )
    parser.add_argument(
        "--oracle",
        type=Path,
        metavar="CSV",
        help="labels: PATH,LINE,CATEGORY,AGREEMENT; without it the samples have none",
    )
    parser.add_argument(
        "--smells",
        nargs="+",
        # not choices: argparse would list all of them to whoever mistypes one
        type=parse_smell,
        default=list(FILTERED),
        metavar="SMELL",
        help=f"all, codes of GLITCH such as {RULES[0].id}, or some of {', '.join(NAMES)} "
        f"(default: {', '.join(FILTERED)})",
    )
    parser.add_argument(
        "--technology", metavar="NAME", help="of all scripts (default: by each file's path)"
    )
    parser.add_argument(
        "--groups",
        type=Path,
        metavar="CSV",
        help="repositories and families: columns file, repo, family",
    )
    parser.add_argument("--repo", metavar="NAME", help="of all scripts; not with --groups")
    parser.add_argument(
        "--family", metavar="NAME", help="of all scripts: a repository with its near-copies"
    )
    parser.add_argument(
        "--path-prefix",
        metavar="PREFIX",
        help="what the report's paths have in place of DIR (default: found)",
    )
    parser.add_argument(
        "--source",
        metavar="NAME",
        help="who labelled (default: oracle:<file name>, else glitch:<form>)",
    )
    parser.add_argument(
        "--rejects",
        type=Path,
        metavar="JSONL",
        help="where detections that make no sample are written, with the reason",
    )
    parser.add_argument(
        "--skip-bad-rows",
        action="store_true",
        help="report lines that are no row of the report, instead of ending",
    )


def add_check(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add iacfilter-data check and its flags."""
    parser = _add(commands, "check", "check sample files, and that they share nothing", _check)
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="JSONL", help="train, validation, test"
    )
    parser.add_argument(
        "--groups",
        type=Path,
        metavar="CSV",
        help="repositories and families: columns file, repo, family",
    )
    parser.add_argument(
        "--allow",
        action="append",
        choices=KINDS,
        default=[],
        metavar="KIND",
        help=f"accept that files share this; may be repeated: {', '.join(KINDS)}",
    )
    parser.add_argument(
        "--show",
        type=int,
        default=10,
        metavar="N",
        help="clusters of samples shown of each kind (default: 10; --json has all)",
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        metavar="JSONL",
        help="where every pair of samples that files share is written",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="count tokens as this model does: a directory, or a name in this machine's hub cache "
        "(HF_HUB_OFFLINE=0 fetches it)",
    )
    parser.add_argument(
        "--approach",
        # not choices: an installed package may have another, which --help need not look for
        metavar=f"{{{','.join(APPROACHES)}}}",
        help="how the model is used; with --model",
    )
    parser.add_argument(
        "--max-length", type=int, metavar="TOKENS", help="(default: of configs/<approach>.yaml)"
    )
    parser.add_argument(
        "--input-fields",
        nargs="+",
        # as in config/schema.py, whose pydantic --help must not wait for
        choices=("smell", "technology", "content", "with_context"),
        metavar="FIELD",
        help="of the encoder: smell, technology, content, with_context "
        "(default: of configs/encoder.yaml)",
    )


def add_split(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add iacfilter-data split and its flags."""
    parser = _add(commands, "split", "split samples into train, validation and test files", _split)
    parser.add_argument("samples", type=Path, metavar="JSONL", help="labelled samples")
    parser.add_argument(
        "--sizes",
        required=True,
        type=parse_sizes,
        metavar="A/B[/C]",
        help="samples (600/75) or shares (0.8/0.1/0.1) of train, validation and test",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="a new or empty directory"
    )
    parser.add_argument(
        "--by",
        choices=tuple(KEPT_WHOLE),
        default="auto",
        help="what is kept whole; auto: family, else repo, else file",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(default: 0)")
    parser.add_argument(
        "--groups",
        type=Path,
        metavar="CSV",
        help="repositories and families: columns file, repo, family",
    )
    parser.add_argument(
        "--dedupe",
        action="store_true",
        help="first leave out samples whose smell and reported line another one has",
    )


def add_weak_label(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add iacfilter-data weak-label and its flags."""
    parser = _add(
        commands, "weak-label", "label samples by the votes of labelling functions", _weak_label
    )
    parser.add_argument(
        "samples", type=Path, metavar="JSONL", help="samples; labels that they have are not used"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="JSONL", help="where the labelled ones are written"
    )
    parser.add_argument(
        "--functions", type=Path, metavar="YAML", help="labelling functions of your own"
    )
    parser.add_argument(
        "--min-confidence",
        type=parse_confidence,
        default=0.5,
        metavar="P",
        help="leave out labels that are less likely to be right (default: 0.5)",
    )


EPILOG = """\
examples:
  iacfilter-data import glitch.csv --scripts DIR -o samples.jsonl
  iacfilter-data import glitch.csv --scripts DIR --oracle labels.csv -o labelled.jsonl
  iacfilter-data split labelled.jsonl --sizes 600/75 --seed 1 -o split
  iacfilter-data check split/train.jsonl split/validation.jsonl
  iacfilter-data weak-label samples.jsonl -o weak.jsonl
"""


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser(
        "iacfilter-data", __doc__.partition(": ")[2].strip(), epilog=EPILOG, models_dir=False
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_import(commands)
    add_check(commands)
    add_split(commands)
    add_weak_label(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    args = arguments().parse_args(argv)
    act: Act = args.act
    return terminal.run(lambda: act(args))


# each imports what it alone needs: --help and the other subcommands do not wait for it


def _import(args: argparse.Namespace) -> int:
    from iacfilter_hpc.cli.data import import_report

    return import_report.run(import_report.request_of(args), as_json=args.json)


def _check(args: argparse.Namespace) -> int:
    from iacfilter_hpc.cli.data import check

    return check.run(check.request_of(args), as_json=args.json)


def _split(args: argparse.Namespace) -> int:
    from iacfilter_hpc.cli.data import split

    return split.run(split.request_of(args), as_json=args.json)


def parse_smell(text: str) -> str:
    """A smell, GLITCH's code of one, or all.

    Raises:
        argparse.ArgumentTypeError: it is none of them.
    """
    known = ("all", *NAMES, *(rule.id for rule in RULES))
    if text in known:
        return text
    from difflib import get_close_matches

    near = " or ".join(get_close_matches(text, known))
    said = f"did you mean {near}?" if near else "--help lists them"
    raise argparse.ArgumentTypeError(f"{text!a} is neither a smell nor a code of GLITCH: {said}")


def _weak_label(args: argparse.Namespace) -> int:
    from iacfilter_hpc.cli.data import weak_label

    return weak_label.run(weak_label.request_of(args), as_json=args.json)


def parse_confidence(text: str) -> float:
    """A probability from 0.5 to 1.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    # NaN is in no range
    if 0.5 <= value <= 1:
        return value
    raise argparse.ArgumentTypeError(f"{text!a} is no number from 0.5 to 1")


def parse_sizes(text: str) -> tuple[float, ...]:
    """Sizes such as 600/75 or 0.8/0.1/0.1: whole numbers of samples, or shares of all.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    parts = text.split("/")
    if len(parts) in (2, 3):
        # isdigit alone holds for digits such as a superscript 2, which int() refuses
        if all(part.isascii() and part.isdigit() and int(part) for part in parts):
            return tuple(int(part) for part in parts)
        try:
            shares = tuple(float(part) for part in parts)
        except ValueError:
            shares = ()
        # shares that make up 1 may exceed it in floating point
        if shares and all(0 < share < 1 for share in shares) and sum(shares) < 1 + 1e-9:
            return shares
    raise argparse.ArgumentTypeError(
        f"{text!a} is neither numbers of samples (600/75) nor shares up to 1 (0.8/0.1/0.1)"
    )


if __name__ == "__main__":
    sys.exit(main())
