"""Executor: submitit's SlurmExecutor with the script of a template of ours."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from subprocess import CalledProcessError

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from iacfilter_hpc.config.slurm_options import Option, Resources
from iacfilter_hpc.errors import (
    IacfilterError,
    JobMayExist,
    SlurmMissing,
    SlurmRefused,
    SlurmUnanswered,
    SlurmUnreachable,
    SubmissionError,
)
from iacfilter_hpc.slurm.client import failure
from iacfilter_hpc.slurm.environment import outside_any_job
from iacfilter_hpc.slurm.template import JobScript


class TemplateExecutor(submitit.SlurmExecutor):
    """Executor with our script; submitit formats options, pickles the worker and calls sbatch."""

    def __init__(self, folder: Path, script: JobScript) -> None:
        self.script = script
        # submitit puts it into a line of bash as it is
        super().__init__(folder, python=shlex.quote(script.python))

    @classmethod
    def affinity(cls) -> int:
        """Above 0 also where srun is not on PATH, since a script can be shown anywhere.

        Upstream answers -1 there, and its __init__ then raises RuntimeError.
        """
        return 2

    def text(self) -> str:
        """Text of the script that would be submitted; nothing is written and nothing called."""
        return self._make_submission_file_text(self._submitit_command_str, "")

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        # Upstream makes the whole script, and has no hook for what follows the #SBATCH lines. Those
        # are taken from it, as it knows how sbatch spells each option; the rest is our template's.
        # tests/slurm/test_upstream.py fails when submitit's method changes.
        made: str = super()._make_submission_file_text(command, uid)
        head = made.partition("export SUBMITIT_EXECUTOR=slurm\n")[0]
        directives = [
            line
            for line in head.splitlines()
            # submitit's --signal goes to every process under proctrack/linuxproc and kills them
            if line.startswith("#SBATCH ") and not line.startswith("#SBATCH --signal=")
        ]
        if self.script.lead_s:
            # B: to the batch shell, which passes the request on in a way that no process dies of
            directives.append(f"#SBATCH --signal=B:USR1@{self.script.lead_s}")
        return self.script.render(directives, str(self.folder), command)


def slurm_executor(folder: Path, script: JobScript, resources: Resources) -> TemplateExecutor:
    """Executor that asks Slurm for these resources.

    Raises:
        IacfilterError: the folder's name is one that #SBATCH --output cannot hold.
    """
    # Slurm replaces %j and its like in names of logs, and a line break would end the #SBATCH line
    if any(not c.isprintable() or c == "%" for c in str(folder)):
        raise IacfilterError(
            f"{str(folder)!r} cannot hold logs of Slurm: it has % or a control character in it",
            hint="choose another --models-dir",
        )
    executor = TemplateExecutor(folder, script)
    executor.update_parameters(
        job_name=script.run,
        time=resources.minutes,  # submitit multiplies it: it must be a number
        nodes=resources.nodes,
        ntasks_per_node=1,  # the worker; accelerate starts a process a GPU below it
        gpus_per_node=resources.gpus_per_node,
        cpus_per_task=resources.cpus_per_task,
        mem=resources.mem,
        partition=resources.partition,
        account=resources.account,
        qos=resources.qos,
        wckey=None,  # submitit's default is refused where wckeys are checked
        # one job of a name and user at a time: a run's jobs bear its name, and two would both train
        dependency="singleton",
        additional_parameters=_additional(resources.extra, requeue=script.trains),
    )
    return executor


def _additional(extra: Mapping[str, Option], *, requeue: bool) -> dict[str, Option]:
    """sbatch's other options; false means that an option is not given."""
    chosen = {name: value for name, value in extra.items() if value is not False}
    # said in either case: the site's default is JobRequeue, and an evaluation goes on from nothing
    chosen["requeue" if requeue else "no_requeue"] = True
    # a dependency that cannot be met any more must not keep the job for ever
    return {"kill_on_invalid_dep": "yes", **chosen}


def submit(executor: TemplateExecutor, worker: Callable[[], None]) -> str:
    """Submit a job and return its id.

    Raises:
        SubmissionError: sbatch refused it.
        SlurmUnreachable: the controller does not answer; JobMayExist if it may have taken the job.
    """
    said = io.StringIO()
    try:
        # submitit copies sbatch's stderr to ours and puts it into its exception as well
        with outside_any_job(), redirect_stderr(said):
            job = executor.submit(worker)
    except FailedJobError as error:
        raise _why(error) from error
    except FailedSubmissionError as error:
        raise JobMayExist(f"sbatch gave no job id: {' '.join(str(error).split())}") from error
    except FileNotFoundError as error:  # submitit calls sbatch itself, past client.call
        raise SlurmMissing("sbatch is not on PATH") from error
    sys.stderr.write(said.getvalue())  # warnings of sbatch
    return str(job.job_id)


def _why(error: FailedJobError) -> IacfilterError:
    """Error of a submission that gave no job, in sbatch's words without its name in each line."""
    ended = error.__cause__
    # where submitit broke off itself there is no exit code, as if sbatch had been killed
    code = ended.returncode if isinstance(ended, CalledProcessError) else -1
    text = str(error)
    found = [line.removeprefix("sbatch: ") for line in text.splitlines() if "sbatch: " in line]
    message = "; ".join(line.removeprefix("error: ") for line in found) or " ".join(text.split())
    # the same table as for all other commands decides whether a job may exist
    match failure("sbatch", code, text):
        case SlurmRefused():
            return SubmissionError(f"sbatch refused the job: {message}")
        case SlurmUnanswered():
            return JobMayExist(f"sbatch: {message}")
        case _:
            return SlurmUnreachable(f"sbatch: {message}")
