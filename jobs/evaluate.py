"""Score the samples in --data with the trained run in --run-dir, and print the table."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.layout import RunLayout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from iacfilter_hpc.evaluation.report import evaluate, render

    try:
        done = evaluate(RunLayout(given.run_dir.absolute()), given.data)
    except IacfilterError as error:
        sys.stderr.write(f"{error.text()}\n")
        return 1
    sys.stdout.write(render(done) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
