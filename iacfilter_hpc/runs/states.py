"""States: the fixed words for what a run and its jobs are in, and why; each is what files say.

Whatever decides by such a word takes it from here. They are strings, so that JSON and text say the
same as ever.
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Slurm's states of a job, and two of ours.

    Source: https://slurm.schedmd.com/job_state_codes.html
    """

    BOOT_FAIL = "BOOT_FAIL"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"
    COMPLETING = "COMPLETING"
    CONFIGURING = "CONFIGURING"
    DEADLINE = "DEADLINE"
    EXPEDITING = "EXPEDITING"
    FAILED = "FAILED"
    LAUNCH_FAILED = "LAUNCH_FAILED"
    NODE_FAIL = "NODE_FAIL"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    PENDING = "PENDING"
    POWER_UP_NODE = "POWER_UP_NODE"
    PREEMPTED = "PREEMPTED"
    RECONFIG_FAIL = "RECONFIG_FAIL"
    REQUEUED = "REQUEUED"
    REQUEUE_FED = "REQUEUE_FED"
    REQUEUE_HOLD = "REQUEUE_HOLD"
    RESIZING = "RESIZING"
    RESV_DEL_HOLD = "RESV_DEL_HOLD"
    REVOKED = "REVOKED"
    RUNNING = "RUNNING"
    SIGNALING = "SIGNALING"
    SPECIAL_EXIT = "SPECIAL_EXIT"
    STAGE_OUT = "STAGE_OUT"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    TIMEOUT = "TIMEOUT"
    UPDATE_DB = "UPDATE_DB"
    DRAINED = "DRAINED"
    """Ours: it has saved and stopped as asked. On Slurm such a run is queued again."""
    UNKNOWN = "UNKNOWN"
    """Ours: nobody can say."""

    @property
    def ended(self) -> bool:
        """Whether it is over, though a run that has drained may be queued again."""
        return self in ENDED or self is JobState.DRAINED

    @classmethod
    def _missing_(cls, value: object) -> JobState:
        """UNKNOWN for a word that this version has not heard, of Slurm's or a later version's."""
        # no guess: were a live job taken for one that has ended, --resume would start a second one
        return cls.UNKNOWN


# Not COMPLETING, whose processes may still write, nor REQUEUED, REQUEUE_HOLD and SPECIAL_EXIT,
# whose job is back in the queue. REVOKED ran on another cluster of a federation
ENDED = frozenset(
    (
        *(JobState.BOOT_FAIL, JobState.CANCELLED, JobState.COMPLETED, JobState.DEADLINE),
        *(JobState.FAILED, JobState.NODE_FAIL, JobState.OUT_OF_MEMORY, JobState.PREEMPTED),
        *(JobState.REVOKED, JobState.TIMEOUT),
    )
)
"""Slurm's states of jobs that have ended."""


class FailureCause(StrEnum):
    """What broke an attempt: by it is decided whether the run goes on."""

    # the words stand in files of earlier versions: they may be added to, not renamed
    NONE = ""
    """Nothing did: it did not fail."""
    ERROR = "error"
    """An error of ours, which names what a person is to mend."""
    EXCEPTION = "exception"
    """A fault in the code."""
    MEMORY = "memory"
    """A GPU's memory ran out, or the job's."""
    NODE = "node"
    """A GPU, a disk or a network of the node, so that the run goes on elsewhere."""
    KILLED = "killed"
    """Something ended its processes, which left no word."""

    @classmethod
    def _missing_(cls, value: object) -> FailureCause:
        """KILLED for a cause that only a later version knows: the run may go on, within bounds."""
        return cls.KILLED


class Executor(StrEnum):
    """What runs a job: Slurm, or the machine that it was submitted on."""

    SLURM = "slurm"
    LOCAL = "local"


class Purpose(StrEnum):
    """What a job is for."""

    TRAIN = "train"
    EVALUATE = "evaluate"
