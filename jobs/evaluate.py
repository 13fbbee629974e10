"""Evaluation: score the samples in --data with the run in --run-dir, and print the tables."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from iacfilter_hpc.cli.evaluate_flags import add_flags, from_flags
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.trained_model.find import of_run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    add_flags(parser)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # after the flags: torch takes seconds, and a wrong flag is to be told at once
    from iacfilter_hpc.evaluation.evaluate import evaluate
    from iacfilter_hpc.evaluation.text import render

    try:
        run = RunLayout(args.run_dir.absolute())
        done = evaluate(of_run(run), args.data, from_flags(args))
    except IacfilterError as error:
        sys.stderr.write(f"{error.text()}\n")
        return 1
    sys.stdout.write(render(done) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
