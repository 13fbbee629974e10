"""iacfilter-export: the adapter of a generative run merged into a model that stands alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.terminal import talk_on_stderr
from iacfilter_hpc.runs import layout

EPILOG = """\
examples:
  iacfilter-export RUN -o merged
  iacfilter-filter --model merged glitch.csv --scripts DIR

The directory holds safetensors, the tokenizer and a card; transformers, vLLM and others load it.
Merging rounds to 16 bits where the base model has them; --dtype float32 keeps the adapter's scores.
"""


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-export", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    made.add_argument("run", metavar="RUN", help="its name, its directory, or a copy of its final/")
    made.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="a directory to be made"
    )
    made.add_argument(
        "--dtype",
        choices=("bfloat16", "float16", "float32"),
        help="of the weights; by default that of the base model in training",
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    given = arguments().parse_args(argv)
    return terminal.run(lambda: _export(given))


def _export(given: argparse.Namespace) -> int:
    from iacfilter_hpc.launch.submission import check_training_is_installed
    from iacfilter_hpc.trained_model.find import find_trained

    model = find_trained(layout.models_dir(given.models_dir), given.run)
    check_training_is_installed()
    with talk_on_stderr():
        # only now: torch takes seconds to import
        from iacfilter_hpc.evaluation.export import export

        done = export(model.final, layout.absolute(given.output), given.dtype)
    if given.json:
        terminal.print_json({"schema": 1, **asdict(done)})
    else:
        print(
            f"Merged {model.name} into {done.directory} ({done.dtype}): on {done.compared} samples "
            f"its log-odds differ from the adapter's by at most {done.largest_difference:.2g}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
