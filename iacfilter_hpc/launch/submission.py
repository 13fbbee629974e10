"""Submission: from a RunConfig to a run's directory and its job, on Slurm or on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from iacfilter_hpc.config.evaluate_options import DEFAULTS, EvaluateOptions
from iacfilter_hpc.config.extras import check_extras, check_training_is_installed, extras_of
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import DataError, IacfilterError, JobMayExist, SlurmMissing, together
from iacfilter_hpc.launch.run_record import describe
from iacfilter_hpc.launch.walltime_lead import lead_seconds, recorded_pace
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import JobRecord
from iacfilter_hpc.runs.states import Executor, Purpose
from iacfilter_hpc.runs.tree import create_run, new_name
from iacfilter_hpc.samples.label_counts import check_both_classes
from iacfilter_hpc.samples.sample import SampleFile, read_sample_file

if TYPE_CHECKING:
    from iacfilter_hpc.slurm.executor import TemplateExecutor

AskedExecutor = Literal["auto", "slurm", "local"]


@dataclass(frozen=True)
class Submitted:
    """Submitted job: its run, its id, and where its script and its log are."""

    layout: RunLayout
    job_id: str
    executor: Executor

    @property
    def script(self) -> Path | None:
        """The sbatch script, under submitit's name for it."""
        path = self.layout.slurm / f"{self.job_id}_submission.sh"
        return path if self.executor == Executor.SLURM else None

    @property
    def log(self) -> Path:
        return self.layout.log(self.job_id)


def choose_executor(asked: AskedExecutor) -> Executor:
    """The executor to use: `auto` is Slurm where sbatch is on PATH, else this machine.

    Raises:
        SlurmMissing: Slurm is asked for, and is not here.
    """
    if asked == "auto":
        return Executor.SLURM if shutil.which("sbatch") else Executor.LOCAL
    if asked == "slurm" and not shutil.which("sbatch"):
        raise SlurmMissing(
            "--executor slurm, but sbatch is not on PATH", hint="--executor local runs it here"
        )
    return Executor(asked)


def script_text(config: RunConfig, site: Site, models: Path) -> str:
    """The sbatch script of a run, without a side effect of any kind."""
    name = config.name or new_name(config.approach)
    layout = RunLayout(models / config.approach / name)
    return _slurm_executor(layout, config, site, Purpose.TRAIN).text()


def submit(
    config: RunConfig,
    site: Site,
    models: Path,
    executor: Executor,
    planned: records.Planned | None = None,
) -> Submitted:
    """Submit a new run: check its data, claim its directory, write its record, submit its job.

    `planned` GPU memory is kept in the record, beside which training leaves its peak.

    Raises:
        DataError: lines of a data file are wrong.
        UsageError: the name is taken, or this machine cannot do what was asked for.
        SubmissionError, SlurmUnreachable: no job was made, and no directory is left.
    """
    # all that can be checked comes before the directory, whose name is taken from then on
    data = _checked_data(config)
    # what another Python has, on nodes perhaps, only the job can find out
    if executor == Executor.LOCAL or site.python is None:
        check_training_is_installed()
        check_extras(extras_of(config))
    layout = create_run(models, config.approach, config.name or new_name(config.approach))
    try:
        describe(layout, config, data, planned)
        job_id = _start(layout, config, site, executor)
    except JobMayExist as error:
        # the job, if there is one, needs its files; status finds it by the run's name
        hint = f"the job may exist: squeue --me --name={layout.name}"
        raise JobMayExist(error.message, hint=hint) from error
    except (IacfilterError, OSError):
        # a directory without a job would be a run that never starts, and block its name
        shutil.rmtree(layout.directory)
        raise
    return _noted(layout, job_id, executor, Purpose.TRAIN)


def start_training(
    layout: RunLayout, config: RunConfig, site: Site, executor: Executor
) -> Submitted:
    """Submit a training job for a run's directory that exists already.

    Raises:
        SubmissionError, SlurmUnreachable: no job was made; JobMayExist if that is not known.
    """
    return _noted(layout, _start(layout, config, site, executor), executor, Purpose.TRAIN)


def submit_evaluation(
    layout: RunLayout,
    config: RunConfig,
    data: Path,
    options: EvaluateOptions,
    site: Site,
    executor: Executor,
) -> Submitted:
    """Submit a job that evaluates a finished run on one GPU.

    `config` is the run's own: its resources but for GPUs and nodes are asked for again, `data` the
    labelled samples to score.

    Raises:
        SubmissionError, SlurmUnreachable: no job was made.
    """
    asked = config.resources.gpus
    # of the same type as in training; none for a run on the CPU
    one = asked.counting(min(1, asked.count))
    resources = config.resources.model_copy(update={"gpus": one, "nodes": 1})
    single = config.model_copy(update={"resources": resources})
    job_id = _start(layout, single, site, executor, data, options)
    return _noted(layout, job_id, executor, Purpose.EVALUATE)


def _start(
    layout: RunLayout,
    config: RunConfig,
    site: Site,
    executor: Executor,
    data: Path | None = None,
    options: EvaluateOptions = DEFAULTS,
) -> str:
    _filter_submitit_logs()
    from iacfilter_hpc.worker.worker import Worker

    worker = Worker(layout.directory, data, options)
    if executor == Executor.SLURM:
        from iacfilter_hpc.slurm.executor import submit as submit_to_slurm

        purpose = Purpose.TRAIN if data is None else Purpose.EVALUATE
        return submit_to_slurm(_slurm_executor(layout, config, site, purpose), worker)
    from iacfilter_hpc.launch.local import start

    gpus = 0 if config.training.use_cpu else config.resources.gpus.count
    return start(layout.slurm, worker, config.resources, gpus=gpus)


def _noted(layout: RunLayout, job_id: str, executor: Executor, purpose: Purpose) -> Submitted:
    # the id is known only now: of a launcher that dies before this line the job stays, and is found
    # by its name, the run's
    record = JobRecord(
        job_id=job_id,
        executor=executor,
        purpose=purpose,
        host=socket.gethostname(),
        submitted_at=records.now(),
    )
    records.write_record(layout.job(job_id), record)
    return Submitted(layout, job_id, executor)


def _slurm_executor(
    layout: RunLayout, config: RunConfig, site: Site, purpose: Purpose
) -> TemplateExecutor:
    _filter_submitit_logs()
    from iacfilter_hpc.slurm.executor import slurm_executor
    from iacfilter_hpc.slurm.template import JobScript

    # not resolved: a virtual environment's Python is a link, and only the link knows its packages
    python = site.python or str(Path(sys.executable).absolute())
    # an evaluation has no checkpoint to save before a limit and none to go on from
    trains = purpose is Purpose.TRAIN
    script = JobScript(
        template=purpose,  # which has the name of one in slurm_templates/
        run=layout.name,
        python=python,
        site=site,
        directory=layout.directory,
        lead_s=_lead(layout, config) if trains else 0,
        requeue=config.requeue if trains else None,
        rendezvous=trains and config.entry.several_processes,
    )
    return slurm_executor(layout.slurm, script, config.resources)


def _lead(layout: RunLayout, config: RunConfig) -> int:
    """Walltime lead in seconds: as configured, else by what runs of the approach took so far."""
    if config.requeue.lead_seconds is not None:
        return config.requeue.lead_seconds
    # of all runs of the approach: a new one has not saved yet
    metrics = layout.directory.parent.glob("*/metrics.jsonl")
    return lead_seconds(recorded_pace(metrics), config.resources.minutes)


def _filter_submitit_logs() -> None:
    """Keep submitit's logger off stdout, which is for answers alone; it is set up on import."""
    os.environ.setdefault("SUBMITIT_LOG_LEVEL", "NOCONFIG")


def _checked_data(config: RunConfig) -> dict[str, str]:
    """The sha256 of each data file, once all of them have been read without a fault."""
    files = {
        name: path
        for name in ("train_file", "validation_file", "test_file")
        if (path := getattr(config.data, name)) is not None
    }
    problems = []
    found: dict[Path, SampleFile] = {}
    # each file once, and the hash from the same reading: in between it could be replaced
    for path in dict.fromkeys(files.values()):
        try:
            found[path] = read_sample_file(path)
        except DataError as error:
            problems.append(error)
    if problems:
        raise together(problems)
    _check_can_train(found[config.data.train_file], found[config.data.validation_file])
    if (test := config.data.test_file) is not None:
        _check_test_is_new(found[test], found[config.data.validation_file])
    return {name: found[path].sha256 for name, path in files.items()}


def _check_can_train(train: SampleFile, validation: SampleFile) -> None:
    """Refuse now what the job would refuse, or would not notice.

    Raises:
        DataError: a file lacks a class, or both files are the same.
    """
    for file in (train, validation):
        check_both_classes(file)
    if train.sha256 == validation.sha256:
        raise DataError(
            f"{train.path} and {validation.path} hold the same samples: the best epoch and the "
            "threshold would be chosen on what was learned by heart",
            hint="iacfilter-data split makes a training and a validation file",
        )


def _check_test_is_new(test: SampleFile, validation: SampleFile) -> None:
    """Refuse now what the evaluation after training would refuse hours later.

    Raises:
        DataError: samples of the test file would choose the threshold that it is scored with.
    """
    held_out = {sample.key for sample in validation.samples}
    if shared := len(held_out & {sample.key for sample in test.samples}):
        raise DataError(
            f"{test.path} shares {shared} of its samples with {validation.path}; a threshold is "
            "never fitted on the data it is reported on",
            hint="take them out of one of the files, or train without data.test_file",
        )
