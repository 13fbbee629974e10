"""What `accelerate launch` starts: train the run in --run-dir."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from iacfilter_hpc.config import load_config
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.layout import RunLayout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    layout = RunLayout(parser.parse_args().run_dir.absolute())
    rank = int(os.environ.get("RANK", "0"))
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(message)s")
    from iacfilter_hpc.training.run import train

    try:
        train(layout, load_config(layout))
    except IacfilterError as error:
        # most errors meet every process alike: one shows how to mend it, the others name their rank
        sys.stderr.write(f"{error.text()}\n" if rank == 0 else f"[rank {rank}] {error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
