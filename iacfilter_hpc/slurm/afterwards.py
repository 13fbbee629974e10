"""Old name of worker.after_step, which the scripts of jobs queued by earlier versions start."""

from __future__ import annotations

import runpy

# by its name alone: Slurm knows nothing of the worker, which stands above it
if __name__ == "__main__":
    runpy.run_module("iacfilter_hpc.worker.after_step", run_name="__main__")
