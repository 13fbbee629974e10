"""Attempt to train a run, by one of its processes: how it ended is left in a file."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys

from accelerate.state import PartialState

from iacfilter_hpc.config.schema import load_config
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.record_schema import write
from iacfilter_hpc.runs.records import DrainedRecord, FailureRecord, now, write_record
from iacfilter_hpc.runs.states import FailureCause
from iacfilter_hpc.runs.variables import ATTEMPT, STARTED
from iacfilter_hpc.training.callbacks import LastStep
from iacfilter_hpc.training.phases import LAUNCHER, Phases
from iacfilter_hpc.training.run import ALONE, train
from iacfilter_hpc.training.trainer.drain import Drained, listen

MESSAGE_LENGTH = 2000
"""Characters of an error that its record keeps; the log has all of it."""

logger = logging.getLogger(__name__)


def run_attempt(layout: RunLayout, rank: int, began: float) -> int:
    """Train; the exit code, 0 also where it has stopped as asked: drained.json tells the two apart.

    A code of its own would not get through, since accelerate turns any but 0 into 1.

    A process that is killed leaves no file, which tells a kill from a failure. `began` is when this
    process did, in seconds since 1970.
    """
    phases = Phases()
    # not where a job of this machine trains, nor where date knows no nanoseconds
    if re.fullmatch(r"[0-9]+\.[0-9]+", started := os.environ.get(STARTED, "")):
        phases.enter(LAUNCHER, at=float(started))
    phases.enter("imports", at=began)
    attempt = os.environ.get(ATTEMPT, ALONE)
    drain, step = listen(layout), LastStep()
    try:
        train(layout, load_config(layout), attempt, drain, [step], phases)
    except Drained as end:
        if rank == 0:
            _note_drained(layout, attempt, end)
        # else NCCL work of this process may still hold up another one, as PyTorch warns at exit
        PartialState().destroy_process_group()
    except IacfilterError as error:
        _note_failure(layout, attempt, rank, step.value, error, kind=FailureCause.ERROR)
        # most errors meet every process alike: one shows how to mend it, the others name their rank
        sys.stderr.write(f"{error.text()}\n" if rank == 0 else f"[rank {rank}] {error.message}\n")
        return 1
    except Exception as error:
        # raised on for its traceback; by `kind` it is decided whether the run goes on
        _note_failure(layout, attempt, rank, step.value, error, kind=FailureCause.EXCEPTION)
        raise
    return 0


def _note_drained(layout: RunLayout, attempt: str, end: Drained) -> None:
    kept = f"all is in {end.checkpoint}" if end.checkpoint else "nothing was done yet"
    logger.info("asked to stop (%s): stopped at step %d, %s", end.reason, end.step, kept)
    record = DrainedRecord(
        attempt=attempt,
        step=end.step,
        checkpoint=end.checkpoint,
        reason=end.reason,
        saved_at=now(),
    )
    write_record(layout.drained(attempt), record)


def _note_failure(
    layout: RunLayout,
    attempt: str,
    rank: int,
    step: int | None,
    error: Exception,
    *,
    kind: FailureCause,
) -> None:
    record = FailureRecord(
        attempt=attempt,
        rank=rank,
        # Slurm's own name of the node, since sbatch --exclude takes no other
        node=os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        step=step,
        kind=kind,
        type=type(error).__name__,
        message=str(error)[:MESSAGE_LENGTH],
    )
    try:
        write(layout.failure(attempt, rank), record)
    except OSError as problem:
        # a disk that is full: the error itself must be seen all the same
        logger.warning("%s cannot be written: %s", layout.failure(attempt, rank), problem.strerror)
