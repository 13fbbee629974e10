"""Old name of worker.after_step, which the scripts of jobs queued by earlier versions start."""

from __future__ import annotations

import runpy

if __name__ == "__main__":
    runpy.run_module("iacfilter_hpc.worker.after_step", run_name="__main__")
