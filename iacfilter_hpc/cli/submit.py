"""iacfilter-submit: fine-tune a model on Slurm, or on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.runs import layout

if TYPE_CHECKING:
    from iacfilter_hpc.config.layers import Layer
    from iacfilter_hpc.config.schema import RunConfig
    from iacfilter_hpc.config.site import Site
    from iacfilter_hpc.launch.submission import Submitted

EPILOG = """\
examples:
  iacfilter-submit --approach generative --dry-run
  iacfilter-submit --approach generative --gpus 4 --train-file a.jsonl --validation-file b.jsonl
  iacfilter-submit --approach encoder --config mine.yaml --set resources.constraint=a100
"""

KEY_OF_FLAG = {
    "name": "name",
    "model_name": "model.model_name_or_path",
    "train_file": "data.train_file",
    "validation_file": "data.validation_file",
    "test_file": "data.test_file",
    "batch_size": "training.per_device_train_batch_size",
    "num_epochs": "training.num_train_epochs",
    "gpus": "resources.gpus",
    "nodes": "resources.nodes",
    "cpus_per_task": "resources.cpus_per_task",
    "mem": "resources.mem",
    "time": "resources.time",
    "partition": "resources.partition",
    "account": "resources.account",
    "qos": "resources.qos",
}
"""The setting that each flag gives; a flag that is not given gives none."""

AUTO = "auto"
"""The --batch-size that the plan decides."""


def arguments(description: str) -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-submit", description, epilog=EPILOG)
    made.set_defaults(**dict.fromkeys(KEY_OF_FLAG))
    made.add_argument(
        "--approach",
        choices=("generative", "encoder"),
        help="required but with --resume; generative: CodeLlama with LoRA; encoder: CodeBERT, all "
        "weights, one GPU",
    )
    made.add_argument("--name", metavar="RUN", help="name of the run (default: made from the date)")
    _add_training(made.add_argument_group("training"))
    _add_slurm(
        made.add_argument_group("Slurm (as in sbatch; any other option: --set resources.X=Y)")
    )
    _add_mode(made.add_argument_group("mode"))
    return made


def _add_training(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--train-file", metavar="JSONL", help="samples to train on")
    group.add_argument("--validation-file", metavar="JSONL", help="samples to choose by")
    group.add_argument("--test-file", metavar="JSONL", help="evaluated once training has ended")
    group.add_argument("--model-name", metavar="MODEL", help="hub name or directory of the model")
    group.add_argument(
        "--batch-size",
        metavar="N",
        help="samples a device takes at once (default: 2); auto: as many as its memory takes, with "
        "as many samples an optimizer step as without",
    )
    group.add_argument("--num-epochs", metavar="N", help="passes over the data (default: 2)")
    group.add_argument("--config", type=Path, metavar="YAML", help="settings that differ")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="assignments",
        help="one setting, such as training.seed=7; may be repeated",
    )


def _add_slurm(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--gpus", metavar="N", help="GPUs of the whole job, such as 4 or a100:4")
    group.add_argument("--nodes", metavar="N")
    group.add_argument("--cpus-per-task", metavar="N", help="CPUs of each node")
    group.add_argument("--mem", metavar="SIZE", help="memory of each node, such as 64G")
    group.add_argument("--time", metavar="TIME", help="limit, such as 12:00:00")
    group.add_argument("--partition", metavar="NAME")
    group.add_argument("--account", metavar="NAME")
    group.add_argument("--qos", metavar="NAME")


def _add_mode(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="run it here and now, on the CPU, with a tiny model (and the demo data)",
    )
    group.add_argument(
        "--rehearse",
        action="store_true",
        help="on Slurm, with a tiny model: stop a run twice and see that nothing is lost",
    )
    group.add_argument(
        "--preempt-with",
        metavar="PARTITION",
        help="with --rehearse: stop it once more by a job of this partition, which preempts",
    )
    group.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with a run from its newest checkpoint; resources may differ",
    )
    group.add_argument(
        "--print-script", action="store_true", help="show the sbatch script, touch nothing"
    )
    group.add_argument(
        "--plan",
        action="store_true",
        help="show how much GPU memory it needs and whether it fits, touch nothing",
    )
    group.add_argument(
        "--executor",
        choices=("auto", "slurm", "local"),
        default="auto",
        help="auto: Slurm where sbatch is on PATH, else this machine",
    )


def given_settings(given: argparse.Namespace) -> list[Layer]:
    """The settings that the command line gives, each with its flag as the place."""
    from iacfilter_hpc.config.layers import from_value

    return [
        from_value(key, value, f"--{name.replace('_', '-')}")
        for name, key in KEY_OF_FLAG.items()
        if (value := getattr(given, name)) is not None and not asks_plan(name, value)
    ]


def asks_plan(name: str, value: object) -> bool:
    """Whether the plan, not the command line, gives the setting."""
    return name == "batch_size" and value == AUTO


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
    from iacfilter_hpc.cli import plan
    from iacfilter_hpc.config import resolve
    from iacfilter_hpc.gpu_memory.plan import with_batch_size
    from iacfilter_hpc.launch import submission

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
        return plan.show(config, site, models, given.json)
    if given.print_script:
        script = submission.script_text(config, site, models)
        if given.json:
            terminal.print_json({"script": script})
        else:
            print(script, end="")
        return 0
    executor = "local" if given.dry_run else submission.choose_executor(given.executor)
    if executor == "local" and given.executor == "auto" and not given.dry_run:
        terminal.say("sbatch is not on PATH: the job runs on this machine (--executor local)")
    planned = plan.check(config, site, models)
    submitted = submission.submit(config, site, models, executor, planned)
    if given.dry_run:
        return _run_to_the_end(submitted, config, given.json)
    if given.json:
        terminal.print_json(_document(submitted, config))
    else:
        print(_announcement(submitted, config))
    return 0


def _rehearse(given: argparse.Namespace, config: RunConfig, site: Site) -> int:
    from iacfilter_hpc.launch import rehearsal, submission

    if given.dry_run or given.executor == "local":
        raise UsageError("--rehearse is about Slurm: neither --dry-run nor --executor local")
    submission.choose_executor("slurm")
    models = layout.models_dir(given.models_dir)
    verdict = rehearsal.rehearse(config, site, models, terminal.say, given.preempt_with)
    if given.json:
        terminal.print_json({**asdict(verdict), "survives": verdict.survives})
    else:
        print(rehearsal.describe(verdict))
    return 0 if verdict.survives else 1


def _resume(given: argparse.Namespace) -> int:
    from iacfilter_hpc.checkpoints.checkpoints import newest_saved
    from iacfilter_hpc.cli import plan
    from iacfilter_hpc.config import resolve
    from iacfilter_hpc.config.schema import load_config
    from iacfilter_hpc.launch import resume, submission
    from iacfilter_hpc.runs.tree import find_run

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
    run = find_run(models, given.resume)
    config = resolve.resumed_config(load_config(run), given.assignments, given_settings(given))
    executor, site = submission.choose_executor(given.executor), resolve.site_settings()
    plan.check(config, site, models)
    submitted = resume.resume(run, config, site, executor)
    saved = newest_saved(run)
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
