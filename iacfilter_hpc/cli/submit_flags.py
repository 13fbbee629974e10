"""The flags of iacfilter-submit, and the setting that each gives."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal

if TYPE_CHECKING:
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
    from iacfilter_hpc.layers import from_value

    return [
        from_value(key, value, f"--{name.replace('_', '-')}")
        for name, key in KEY_OF_FLAG.items()
        if (value := getattr(given, name)) is not None and not asks_plan(name, value)
    ]


def asks_plan(name: str, value: object) -> bool:
    """Whether the plan, not the command line, gives the setting."""
    return name == "batch_size" and value == AUTO
