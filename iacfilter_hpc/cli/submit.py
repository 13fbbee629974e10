"""iacfilter-submit: fine-tune a model on Slurm, or on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from iacfilter_hpc import layout
from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.submit_flags import AUTO, arguments, given_settings
from iacfilter_hpc.errors import UsageError

if TYPE_CHECKING:
    from iacfilter_hpc.config import RunConfig
    from iacfilter_hpc.launch import Submitted
    from iacfilter_hpc.site import Site

REHEARSAL = (
    # many short epochs: time enough to be stopped twice, and small steps
    "training.num_train_epochs=60",
    "training.save_total_limit=2",
    "data.test_file=null",
    "resources.mem=null",
    "resources.time=00:30:00",
)
"""Settings of a rehearsal, over those of a dry run."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = arguments(__doc__.partition(": ")[2].strip())
    given = parser.parse_args(argv)
    if given.resume is None and given.approach is None:
        parser.error("the following arguments are required: --approach")
    return terminal.run(lambda: _submit(given) if given.resume is None else _resume(given))


def _submit(given: argparse.Namespace) -> int:
    from iacfilter_hpc import launch, resolve
    from iacfilter_hpc.cli import submit_plan
    from iacfilter_hpc.plan.plan import with_batch_size

    if given.preempt_with and not given.rehearse:
        raise UsageError("--preempt-with goes with --rehearse")
    if given.dry_run and given.executor == "slurm":
        raise UsageError(
            "--dry-run runs on this machine, not with --executor slurm",
            hint=f"tiny models on Slurm: --config {given.approach}-tiny --executor slurm",
        )
    for name in ("dry_run", "rehearse", "print_script"):
        if given.plan and getattr(given, name):
            raise UsageError(f"--plan does not go with --{name.replace('_', '-')}")
    site = resolve.site_settings()
    config = resolve.run_config(
        given.approach,
        site=site,
        config_file=given.config,
        assignments=[*(REHEARSAL if given.rehearse else ()), *given.assignments],
        flags=given_settings(given),
        dry_run=given.dry_run or given.rehearse,
        needs_data=not given.plan,
    )
    models = layout.models_dir(given.models_dir)
    if given.batch_size == AUTO:
        config = with_batch_size(config, site, models)
    if given.rehearse:
        return _rehearse(given, config, site)
    if given.plan:
        return submit_plan.show(config, site, models, given.json)
    if given.print_script:
        script = launch.script_text(config, site, models)
        if given.json:
            terminal.print_json({"script": script})
        else:
            print(script, end="")
        return 0
    executor = "local" if given.dry_run else launch.choose_executor(given.executor)
    if executor == "local" and given.executor == "auto" and not given.dry_run:
        terminal.say("sbatch is not on PATH: the job runs on this machine (--executor local)")
    planned = submit_plan.check(config, site, models)
    submitted = launch.submit(config, site, models, executor, planned)
    if given.dry_run:
        return _run_to_the_end(submitted, config, given.json)
    if given.json:
        terminal.print_json(_document(submitted, config))
    else:
        print(_announcement(submitted, config))
    return 0


def _rehearse(given: argparse.Namespace, config: RunConfig, site: Site) -> int:
    from iacfilter_hpc import launch, rehearsal

    if given.dry_run or given.executor == "local":
        raise UsageError("--rehearse is about Slurm: neither --dry-run nor --executor local")
    launch.choose_executor("slurm")
    models = layout.models_dir(given.models_dir)
    verdict = rehearsal.rehearse(config, site, models, terminal.say, given.preempt_with)
    if given.json:
        terminal.print_json({**asdict(verdict), "survives": verdict.survives})
    else:
        print(rehearsal.describe(verdict))
    return 0 if verdict.survives else 1


def _resume(given: argparse.Namespace) -> int:
    from iacfilter_hpc import launch, resolve, resume, runs
    from iacfilter_hpc.cli import submit_plan
    from iacfilter_hpc.config import load_config

    alone = "approach", "config", "dry_run", "plan", "print_script", "rehearse", "preempt_with"
    for name in alone:
        if getattr(given, name):
            raise UsageError(
                f"--{name.replace('_', '-')} does not go with --resume: a run has its settings",
                hint="only resources can change, such as --time or --set resources.X=Y",
            )
    if given.batch_size == AUTO:
        raise UsageError("--batch-size auto does not go with --resume: a run has its batches")
    models = layout.models_dir(given.models_dir)
    run = runs.find(models, given.resume)
    config = resolve.resumed_config(load_config(run), given.assignments, given_settings(given))
    executor, site = launch.choose_executor(given.executor), resolve.site_settings()
    submit_plan.check(config, site, models)
    submitted = resume.resume(run, config, site, executor)
    saved = resume.newest_saved(run)
    if given.json:
        terminal.print_json({**_document(submitted, config), "step": saved.step if saved else 0})
    else:
        print(_announcement(submitted, config))
        print(f"Goes on from step {saved.step}" if saved else "Starts anew: nothing was saved")
    return 0


def _announcement(submitted: Submitted, config: RunConfig) -> str:
    run = submitted.layout.name
    where = "job" if submitted.executor == "slurm" else "process"
    lines = [
        f"Submitted {where} {submitted.job_id}: {run}",
        f"  batch   {_batch(config)}",
        *([f"  script  {submitted.script}"] if submitted.script else []),
        f"  log     {submitted.log}",
        f"Next: iacfilter-status {run} | iacfilter-logs {run} -f | iacfilter-cancel {run}",
    ]
    return "\n".join(lines)


def _batch(config: RunConfig) -> str:
    training = config.training
    return (
        f"{config.global_batch_size} samples a step = {training.per_device_train_batch_size} "
        f"a device x {config.num_processes} processes x "
        f"{training.gradient_accumulation_steps} accumulated"
    )


def _document(submitted: Submitted, config: RunConfig) -> dict[str, object]:
    return {
        "run": submitted.layout.name,
        "approach": config.approach,
        "job_id": submitted.job_id,
        "executor": submitted.executor,
        "directory": str(submitted.layout.directory),
        "script": str(submitted.script) if submitted.script else None,
        "log": str(submitted.log),
        "global_batch_size": config.global_batch_size,
    }


def _run_to_the_end(submitted: Submitted, config: RunConfig, as_json: bool) -> int:
    """Follow a dry run's log until it ends, then show what it led to."""
    from iacfilter_hpc.cli import follow, status

    terminal.say(_announcement(submitted, config))
    terminal.say(
        "a tiny random model: the run shows that everything works, its scores mean nothing"
    )
    state = follow.until_end(submitted)
    if as_json:
        terminal.print_json({**_document(submitted, config), "state": state.state})
    else:
        print(status.render([state]))
    return 0 if state.state == "COMPLETED" else 1


if __name__ == "__main__":
    sys.exit(main())
