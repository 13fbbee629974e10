"""iacfilter-submit: fine-tune a model on Slurm, or on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc import layout
from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import UsageError

if TYPE_CHECKING:
    from iacfilter_hpc.config import RunConfig
    from iacfilter_hpc.launch import Submitted
    from iacfilter_hpc.layers import Layer

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


def arguments() -> argparse.ArgumentParser:
    """Every flag of the command."""
    made = terminal.parser("iacfilter-submit", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    made.set_defaults(**dict.fromkeys(KEY_OF_FLAG))
    made.add_argument(
        "--approach",
        required=True,
        choices=("generative", "encoder"),
        help="generative: CodeLlama with LoRA; encoder: CodeBERT, all weights, one GPU",
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
        "--batch-size", metavar="N", help="samples a device takes at once (default: 2)"
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
        "--print-script", action="store_true", help="show the sbatch script, touch nothing"
    )
    group.add_argument(
        "--executor",
        choices=("auto", "slurm", "local"),
        default="auto",
        help="auto: Slurm where sbatch is on PATH, else this machine",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    given = arguments().parse_args(argv)
    return terminal.run(lambda: _submit(given))


def _submit(given: argparse.Namespace) -> int:
    from iacfilter_hpc import launch, resolve

    if given.dry_run and given.executor == "slurm":
        raise UsageError(
            "--dry-run runs on this machine, not with --executor slurm",
            hint=f"tiny models on Slurm: --config {given.approach}-tiny --executor slurm",
        )
    site = resolve.site_settings()
    config = resolve.run_config(
        given.approach,
        site=site,
        config_file=given.config,
        assignments=given.assignments,
        flags=_flags(given),
        dry_run=given.dry_run,
    )
    models = layout.models_dir(given.models_dir)
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
    submitted = launch.submit(config, site, models, executor)
    if given.dry_run:
        return _run_to_the_end(submitted, config, given.json)
    if given.json:
        terminal.print_json(_document(submitted, config))
    else:
        print(_announcement(submitted, config))
    return 0


def _flags(given: argparse.Namespace) -> list[Layer]:
    from iacfilter_hpc.layers import from_value

    return [
        from_value(key, value, f"--{name.replace('_', '-')}")
        for name, key in KEY_OF_FLAG.items()
        if (value := getattr(given, name)) is not None
    ]


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
