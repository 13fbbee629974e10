"""iacfilter-export: the adapter of a generative run merged into a model that stands alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.terminal import talk_on_stderr
from iacfilter_hpc.errors import counted
from iacfilter_hpc.runs import layout

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.evaluation.export import Dtype

EPILOG = """\
examples:
  iacfilter-export RUN -o merged
  iacfilter-filter --model merged glitch.csv --scripts DIR

The directory holds safetensors, the tokenizer and a card; transformers, vLLM and others load it.
Merging rounds to 16 bits where the base model has them; --dtype float32 keeps the adapter's scores.
"""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Request to merge a run's adapter into a new directory; `dtype` None is the base model's."""

    models: Path
    run: str
    output: Path
    dtype: Dtype | None
    as_json: bool


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-export", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.add_argument(
        "run", metavar="RUN", help="its name, its directory, or a copy of its final/"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="a directory to be made"
    )
    parser.add_argument(
        "--dtype",
        choices=("bfloat16", "float16", "float32"),
        help="of the weights; by default that of the base model in training",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    request = request_of(arguments().parse_args(argv))
    return terminal.run(lambda: _export(request))


def request_of(args: argparse.Namespace) -> ExportRequest:
    """The request that the flags make."""
    return ExportRequest(
        models=layout.models_dir(args.models_dir),
        run=args.run,
        output=layout.absolute(args.output),
        dtype=args.dtype,
        as_json=args.json,
    )


def _export(request: ExportRequest) -> int:
    from iacfilter_hpc.config.extras import check_training_is_installed
    from iacfilter_hpc.trained_model.find import find_trained

    # names first: whether they are right can be said without the packages
    model = find_trained(request.models, request.run)
    check_training_is_installed()
    with talk_on_stderr():
        # only now: torch takes seconds to import
        from iacfilter_hpc.evaluation.export import export

        done = export(model.final, request.output, request.dtype)
    if request.as_json:
        terminal.print_json(asdict(done))
    else:
        print(
            f"Merged {model.name} into {done.directory} ({done.dtype}): "
            f"on {counted(done.compared, 'sample')} its log-odds differ from the adapter's by "
            f"at most {done.largest_difference:.2g}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
