"""iacfilter-export: a trained model in another form: an adapter merged, an encoder in ONNX."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.terminal import talk_on_stderr
from iacfilter_hpc.errors import UsageError, counted
from iacfilter_hpc.runs import layout

# typing.TYPE_CHECKING without typing, whose import is a sixteenth of the time of --help
TYPE_CHECKING = False
if TYPE_CHECKING:
    from iacfilter_hpc.exporting.merge import Dtype, Merged
    from iacfilter_hpc.exporting.to_onnx import InOnnx
    from iacfilter_hpc.trained_model.find import Trained

EPILOG = """\
examples:
  iacfilter-export GENERATIVE -o merged
  iacfilter-export ENCODER --onnx --int8 -o small
  iacfilter-filter --model small glitch.csv --scripts DIR

A merged adapter is safetensors, tokenizer and card; transformers, vLLM and others load it. Merging
rounds to 16 bits where the base model has them; --dtype float32 keeps the adapter's scores.

What --onnx writes is filtered with where there is no torch: pip install 'iacfilter-hpc[filter]'.
It is refused where more than 1 % of the decisions on --data are others than the model's own.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Request to write a model in another form into a new directory.

    `dtype` is of a merged adapter, None that of the base model; `int8` and `data` are of an encoder
    in ONNX, `data` None for the validation file of its training.
    """

    models: Path
    run: str
    output: Path
    dtype: Dtype | None = None
    onnx: bool = False
    int8: bool = False
    data: Path | None = None
    as_json: bool = False


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-export", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.add_argument(
        "run",
        metavar="RUN",
        help="its name, its directory, a copy of its final/, or ORG/NAME@REVISION on the hub",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="a directory to be made"
    )
    parser.add_argument(
        "--dtype",
        choices=("bfloat16", "float16", "float32"),
        help="of a merged adapter's weights; by default that of the base model in training",
    )
    parser.add_argument("--onnx", action="store_true", help="an encoder, for onnxruntime")
    parser.add_argument(
        "--int8", action="store_true", help="with --onnx: a quarter of the size, and faster"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="JSONL",
        help="with --onnx: samples on which the decisions are compared (default: the validation "
        "file of the training)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    args = arguments().parse_args(argv)
    return terminal.run(lambda: _export(request_of(args)))


def request_of(args: argparse.Namespace) -> ExportRequest:
    """The request that the flags make.

    Raises:
        UsageError: flags that make no sense together, or a file that is none.
    """
    if args.onnx and args.dtype:
        raise UsageError("--dtype is of a merged adapter, and --onnx of an encoder")
    for flag, given in (("--int8", args.int8), ("--data", args.data)):
        if given and not args.onnx:
            raise UsageError(f"{flag} is about --onnx, which is not given")
    if args.data is not None and not args.data.is_file():
        raise UsageError(f"--data {args.data} is not a file")
    return ExportRequest(
        models=layout.models_dir(args.models_dir),
        run=args.run,
        output=layout.absolute(args.output),
        dtype=args.dtype,
        onnx=args.onnx,
        int8=args.int8,
        data=args.data and layout.absolute(args.data),
        as_json=args.json,
    )


def _export(request: ExportRequest) -> int:
    from iacfilter_hpc.config.extras import check_training_is_installed
    from iacfilter_hpc.trained_model.find import find_trained

    # names first: whether they are right can be said without the packages
    model = find_trained(request.models, request.run)
    _check(request, model)
    check_training_is_installed()
    done = _in_onnx(request, model) if request.onnx else _merged(request, model)
    if request.as_json:
        terminal.print_json(asdict(done))
    return 0


def _check(request: ExportRequest, model: Trained) -> None:
    """Raise what makes the export impossible, which the model's small files tell at once."""
    from iacfilter_hpc.exporting import checks

    if request.onnx:
        decision, _ = checks.exportable(model.final)
        checks.compared_file(decision, request.data)
    else:
        checks.mergeable(model.final)
    checks.check_is_new(request.output)


def _merged(request: ExportRequest, model: Trained) -> Merged:
    with talk_on_stderr():
        # only now: torch takes seconds to import
        from iacfilter_hpc.exporting.merge import merge

        done = merge(model.final, request.output, request.dtype)
    if not request.as_json:
        print(
            f"Merged {model.name} into {done.directory} ({done.dtype}): "
            f"on {counted(done.compared, 'sample')} its log-odds differ from the adapter's by "
            f"at most {done.largest_difference:.2g}"
        )
    return done


def _in_onnx(request: ExportRequest, model: Trained) -> InOnnx:
    from iacfilter_hpc.config.extras import EXPORT, EXPORT_PACKAGES, check_installed

    check_installed(EXPORT_PACKAGES, EXPORT)
    with talk_on_stderr():
        from iacfilter_hpc.exporting.to_onnx import export_onnx

        done = export_onnx(model.final, request.output, int8=request.int8, data=request.data)
    if done.is_compared_on_few:
        terminal.say(
            f"warning: {counted(done.compared, 'sample')} of {done.data} cannot show a flip in a "
            "hundred: --data names others"
        )
    if not request.as_json:
        print(
            f"Exported {model.name} to {done.directory} ({done.architecture}, "
            f"{'int8' if done.int8 else 'float32'}, {done.size / 1e6:.1f} MB): "
            f"{done.flips} of {counted(done.compared, 'decision')} on {done.data} flip, "
            f"and p(TP) differs by at most {done.largest_difference:.2g}"
        )
    return done


if __name__ == "__main__":
    sys.exit(main())
