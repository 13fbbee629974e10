"""iacfilter-data: turn detections into samples, check sample files, split them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data_flags import add_check, add_import, add_split

EPILOG = """\
examples:
  iacfilter-data import glitch.csv --scripts DIR -o samples.jsonl
  iacfilter-data import glitch.csv --scripts DIR --oracle labels.csv -o labelled.jsonl
  iacfilter-data split labelled.jsonl --sizes 600/75 --seed 1 -o split
  iacfilter-data check split/train.jsonl split/validation.jsonl
"""


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser(
        "iacfilter-data", __doc__.partition(": ")[2].strip(), epilog=EPILOG, models_dir=False
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_import(commands)
    add_check(commands)
    add_split(commands)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    given = arguments().parse_args(argv)
    act: Callable[[argparse.Namespace], int] = given.act
    return terminal.run(lambda: act(given))


if __name__ == "__main__":
    sys.exit(main())
