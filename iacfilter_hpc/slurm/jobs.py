"""Jobs: requeue one, submit its script anew, move what depends on it to the new job."""

from __future__ import annotations

import re
import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from iacfilter_hpc.errors import (
    IacfilterError,
    JobMayExist,
    SlurmError,
    SlurmMissing,
    SlurmRefused,
    SubmissionError,
)
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import JobRecord
from iacfilter_hpc.runs.states import Executor, JobState, Purpose
from iacfilter_hpc.slurm.client import call
from iacfilter_hpc.slurm.environment import outside_any_job
from iacfilter_hpc.slurm.queue import squeue
from iacfilter_hpc.slurm.retry import retry_while_away

# as submitit writes it into the script that is submitted again
EXCLUDED = re.compile(r"^#SBATCH --exclude=['\"]?([^'\"\n]+)", re.MULTILINE)


class JobReason(StrEnum):
    """Slurm's reasons that something here depends on; there are many more.

    Source: https://slurm.schedmd.com/job_reason_codes.html
    """

    TIME_LIMIT = "TimeLimit"
    HELD = "JobHeldUser"
    """By its owner: so is a job from its submission with --hold until it is released."""


@dataclass(frozen=True, slots=True)
class JobNow:
    """A job as the controller knows it; `restarts` is how often it has been started again."""

    state: JobState
    reason: str
    """Slurm's own word, such as TimeLimit; one of JobReason where something depends on it."""
    restarts: int
    said: str = field(default="", compare=False)
    """Slurm's own word for the state, for a reader where this version has not heard it."""


def job_now(job_id: str) -> JobNow:
    """A job as the controller knows it now; its state is UNKNOWN where it does not say one.

    Raises:
        SlurmRefused: it knows no such job.
        SlurmUnreachable: it does not answer.
    """
    shown = call(["scontrol", "--oneliner", "show", "job", job_id])
    state = _field(shown, "JobState")
    return JobNow(
        state=JobState(state),
        reason=_field(shown, "JobReason"),
        restarts=int(_field(shown, "Restarts") or 0),
        said=state,
    )


def _field(shown: str, name: str) -> str:
    # after white space: JobState must not be found inside another field's name
    found = re.search(rf"(?:^|\s){name}=(\S+)", shown)
    return found[1] if found else ""


def requeue(job_id: str) -> None:
    """Put a running job back into the queue; its processes are killed at once.

    Source: https://slurm.schedmd.com/scontrol.html#OPT_requeue

    Raises:
        SlurmRefused: the job may not be requeued.
        SlurmUnreachable: the controller does not answer.
    """
    call(["scontrol", "requeue", job_id])


def send_signal(name: str, job_id: str) -> None:
    """Send a signal to a job's steps, as a preemption does, and not to its batch shell.

    Source: https://slurm.schedmd.com/scancel.html#OPT_signal
    """
    call(["scancel", f"--signal={name}", job_id])


def take_nodes(partition: str, nodes: str) -> None:
    """Submit a job that wants these nodes for itself, for a moment.

    Raises:
        SubmissionError: sbatch refused it.
        SlurmUnreachable: the controller does not answer.
    """
    with outside_any_job():
        try:
            call(
                [
                    *("sbatch", "--parsable", f"--partition={partition}", f"--nodelist={nodes}"),
                    *("--exclusive", "--time=1", "--output=/dev/null", "--wrap=true"),
                ]
            )
        except SlurmRefused as error:
            raise SubmissionError(error.message) from error


def resubmit(layout: RunLayout, job_id: str, exclude: Sequence[str]) -> str:
    """Submit the script of a job again, as a new job of the same run; return the new id.

    The new job is held until all it needs is there, and `--dependency=singleton` in the script
    keeps it from starting beside the old one. Jobs that depend on the old one wait for it instead.

    Raises:
        SubmissionError: sbatch refused it, or what it needs cannot be written; there is no job.
        SlurmUnreachable: the controller is away for long, or sbatch gave no id (JobMayExist); the
            new job may be there, and held.
    """
    script = layout.slurm / f"{job_id}_submission.sh"
    # --hold: it must not start before the pickle lies under its id, and is known again by it below
    argv = ["sbatch", "--parsable", "--hold", *_excluding(script, exclude), str(script)]
    with outside_any_job():
        new = _submit(argv, layout.name, job_id)
        record = JobRecord(
            job_id=new,
            executor=Executor.SLURM,
            purpose=Purpose.TRAIN,
            host=socket.gethostname(),
            submitted_at=records.now(),
            follows=job_id,
        )
        try:
            _hand_on(layout.slurm, job_id, new)
            records.write_record(layout.job(new), record)
        except (OSError, IacfilterError) as error:
            # it is held and nobody would release it: it would pend for ever
            call(["scancel", new])
            for path in _handed_on(layout.slurm, new):
                path.unlink(missing_ok=True)
            said = error.message if isinstance(error, IacfilterError) else str(error)
            raise SubmissionError(f"job {new} cannot be prepared: {said}") from error
        # before it is released: the old job ends soon, and afterok on it could never be met
        _move_dependents(job_id, new)
        retry_while_away(lambda: call(["scontrol", "release", new]))
    return new


def moved(dependency: str, old: str, new: str) -> str | None:
    """A dependency as squeue shows it, with one job in another's place; None if it names it not.

    squeue adds the state of each in brackets, such as afterok:12(unfulfilled).
    """
    plain = re.sub(r"\([^)]*\)", "", dependency)
    # afterok:12:13,after:14+5 or with `?` for `,` (any of them): 12 must not be found in 120
    found = re.sub(rf"(?<=:){re.escape(old)}(?=[:,?+]|$)", new, plain)
    return found if found != plain else None


def _excluding(script: Path, nodes: Sequence[str]) -> list[str]:
    """sbatch's option that keeps a job off these nodes, and off those that its script names.

    What stands in the command line replaces what the script says.
    """
    if not nodes:
        return []
    found = EXCLUDED.search(script.read_text(encoding="utf-8"))
    return [f"--exclude={','.join([*nodes, *([found[1].strip()] if found else [])])}"]


def _submit(argv: list[str], run: str, old: str) -> str:
    """Id of the new job, also where a controller took the job and could not say so."""
    try:
        # whether the first request made a job is known by the job that it holds
        made = retry_while_away(lambda: call(argv), again=lambda: _held(run, old) or call(argv))
    except (SlurmRefused, SlurmMissing) as error:
        raise SubmissionError(error.message) from error
    new = made.strip().partition(";")[0]  # "12;cluster" where there are several
    if not new.isdecimal():
        raise JobMayExist(f"sbatch gave no job id: {' '.join(made.split())}")
    return new


def _held(run: str, old: str) -> str | None:
    """Job of the run that waits to be released, and is not the old one; None without one."""
    waiting = squeue(("JobID", "JobReason"), "--states=PENDING", f"--name={run}")
    return next((job for job, reason in waiting if reason == JobReason.HELD and job != old), None)


def _hand_on(folder: Path, old: str, new: str) -> None:
    """Copy what is found by the job's id: by submitit its pickle, by people the script."""
    for path, copy in zip(_handed_on(folder, old), _handed_on(folder, new), strict=True):
        shutil.copyfile(path, copy)


def _handed_on(folder: Path, job_id: str) -> list[Path]:
    return [folder / f"{job_id}_{name}" for name in ("submitted.pkl", "submission.sh")]


def _move_dependents(old: str, new: str) -> None:
    for job_id, dependency in retry_while_away(
        lambda: squeue(("JobID", "Dependency"), "--states=PENDING")
    ):
        if (changed := moved(dependency, old, new)) is not None:
            try:
                call(["scontrol", "update", f"JobId={job_id}", f"Dependency={changed}"])
            except SlurmError as error:
                # one that was cancelled just now must not keep the run from going on
                sys.stderr.write(f"job {job_id} still waits for {old}: {error.message}\n")
