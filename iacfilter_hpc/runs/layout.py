"""Layout: the paths of the models tree, of the files of one run, and of files that are shipped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
"""The directory of the package, which lies in a checkout or among installed packages."""
MODELS_VARIABLE = "IACFILTER_MODELS"
SITE_VARIABLE = "IACFILTER_SITE"


def resource(*parts: str) -> Path:
    """Path of a shipped file, such as `resource("configs", "encoder.yaml")`.

    A wheel holds them under `_resources/`; in a checkout they stand beside the package.
    """
    installed = PACKAGE / "_resources"
    root = installed if installed.is_dir() else PACKAGE.parent
    return root.joinpath(*parts)


def models_dir(path: Path | None = None) -> Path:
    """The models tree: `path`, else $IACFILTER_MODELS, else ./models."""
    # an empty variable counts as none: Path("") would be the working directory
    chosen = path or Path(os.environ.get(MODELS_VARIABLE) or "models")
    return absolute(chosen)


def absolute(path: Path) -> Path:
    """The path from the root; `~` is the home directory, the `~name` of nobody a plain name."""
    # Path.expanduser raises RuntimeError where os.path.expanduser leaves an unknown user alone
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111


@dataclass(frozen=True)
class RunLayout:
    """Where each file of one run lies, under `models/<approach>/<run>`.

    Each file has one writer at a time, and is written once, replaced whole, or appended to: so
    nothing is locked, and a reader may come at any moment.
    """

    directory: Path

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def approach(self) -> str:
        return self.directory.parent.name

    @property
    def record(self) -> Path:
        """What was asked for, written once at submission."""
        return self.directory / "run.json"

    @property
    def config(self) -> Path:
        """The resolved RunConfig, written at submission and anew by --resume."""
        return self.directory / "config.yaml"

    @property
    def deepspeed(self) -> Path:
        """The run's own copy of its DeepSpeed configuration."""
        return self.directory / "deepspeed.json"

    @property
    def slurm(self) -> Path:
        """Scripts, logs and records of the run's jobs."""
        return self.directory / "slurm"

    @property
    def metrics(self) -> Path:
        """A line for each log event, appended by the main process."""
        return self.directory / "metrics.jsonl"

    @property
    def heartbeat(self) -> Path:
        """The newest step, replaced every few seconds by the main process."""
        return self.directory / "heartbeat.json"

    @property
    def memory(self) -> Path:
        """The most GPU memory that training has needed, written when it has ended."""
        return self.directory / "memory.json"

    @property
    def tiny_model(self) -> Path:
        """A tiny random model, made where model.model_name_or_path is `tiny`."""
        return self.directory / "tiny-model"

    @property
    def tokens(self) -> Path:
        """Tokenised samples of all runs of the approach; no run's name begins with a dot."""
        # outside the run: another one on the same data need not tokenise them again
        return self.directory.parent / ".tokens"

    @property
    def final(self) -> Path:
        """The trained model: there as a whole, or not at all."""
        return self.directory / "final"

    @property
    def evaluation(self) -> Path:
        """What evaluations found, a folder for each file of samples."""
        return self.directory / "evaluation"

    def job(self, job_id: str) -> Path:
        """What the launcher knows about one job, written once after submission."""
        return self.slurm / f"{job_id}_job.json"

    @property
    def drain(self) -> Path:
        """While it exists, the running attempt is asked to save and to stop."""
        # a file, beside the signals: a person makes it without scancel, and it holds the reason
        return self.directory / "drain"

    @property
    def lease(self) -> Path:
        """Who may write checkpoints: one file a claim, the highest number holds."""
        return self.directory / "lease"

    def cancelled(self, job_id: str) -> Path:
        """Exists if iacfilter-cancel ended the job, so that nobody takes it for a preemption."""
        # scancel and preemption send the same SIGTERM
        return self.slurm / f"{job_id}_cancelled"

    def outcome(self, attempt: str) -> Path:
        """How one attempt ended, written by the worker on its first node and by what follows it."""
        return self.slurm / f"{attempt}_outcome.json"

    def drained(self, attempt: str) -> Path:
        """Where an attempt that was asked to stop has stopped, written by its main process."""
        return self.slurm / f"{attempt}_drained.json"

    def resumed(self, attempt: str) -> Path:
        """Where an attempt went on from a checkpoint, written by its main process."""
        return self.slurm / f"{attempt}_resumed.json"

    def failure(self, attempt: str, rank: int) -> Path:
        """What broke one training process; one that was killed leaves none."""
        return self.slurm / f"{attempt}_failure_{rank}.json"

    def log(self, attempt: str, task: int = 0) -> Path:
        """Standard output of one task of one attempt."""
        # named by the batch script: Slurm's patterns for logs have none for the restart count
        return self.slurm / f"{attempt}_{task}_log.out"

    def error_log(self, attempt: str, task: int = 0) -> Path:
        """Standard error of one task of one attempt."""
        return self.slurm / f"{attempt}_{task}_log.err"


def attempt_name(job_id: str, restarts: int) -> str:
    """The name of one start of a job: `12`, and `12.1` after it was requeued once."""
    # slurm_templates/base.sbatch.j2 makes the same name, of a variable that the first start lacks
    return f"{job_id}.{restarts}" if restarts else job_id
