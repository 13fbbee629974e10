"""Training process, as `accelerate launch` starts it: train the run in --run-dir."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path

from iacfilter_hpc.runs.drain_request import DRAIN_SIGNALS
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.worker.process_tree import follow_parent
from iacfilter_hpc.worker.quick_exit import QuickExit


def main() -> int:
    began = time.time()
    # before torch: what is registered first with atexit runs last
    quick_exit = QuickExit()
    # what comes while torch is imported waits until there is a handler for it: see drain.listen
    signal.pthread_sigmask(signal.SIG_BLOCK, DRAIN_SIGNALS)
    # saves and stops if its launcher is killed
    follow_parent(signal.SIGTERM)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    layout = RunLayout(parser.parse_args().run_dir.absolute())
    # torchelastic sets it; a lone process is started without
    rank = int(os.environ.get("RANK", "0"))
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(message)s")
    # only here: torch takes seconds, in which the mask above must hold already
    from iacfilter_hpc.training.attempt import run_attempt

    return quick_exit.leave_with(run_attempt(layout, rank, began))


if __name__ == "__main__":
    sys.exit(main())
