"""Accelerate argv: the command lines and the environment of one node's processes (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.config.evaluate_options import EvaluateOptions, as_flags
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.runs.layout import RunLayout, resource
from iacfilter_hpc.runs.variables import ATTEMPT, DRAIN
from iacfilter_hpc.slurm.environment import without_launch


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a job: its rank, how many there are, and where the processes of all meet."""

    rank: int
    count: int
    host: str
    port: int


def train(config: RunConfig, layout: RunLayout, node: Node, python: str) -> list[str]:
    """`accelerate launch` of jobs/train.py on one node, through jobs/launch.py.

    Source: https://huggingface.co/docs/accelerate/package_reference/cli#accelerate-launch
    """
    return [
        python,
        str(resource("jobs", "launch.py")),
        # ours, or accelerate would read a person's own in ~/.cache/huggingface
        f"--config_file={resource('configs', 'accelerate.yaml')}",
        *_deepspeed(config, layout),
        f"--num_processes={config.num_processes}",
        f"--num_machines={node.count}",
        f"--machine_rank={node.rank}",
        f"--main_process_ip={node.host}",
        f"--main_process_port={node.port}",
        f"--mixed_precision={'bf16' if config.training.bf16 else 'no'}",
        "--dynamo_backend=no",
        "--quiet",  # the trainer's own words are in the log: no stack of the launcher after them
        str(resource("jobs", "train.py")),
        f"--run-dir={layout.directory}",
    ]


def evaluate(layout: RunLayout, data: Path, options: EvaluateOptions, python: str) -> list[str]:
    """Command line of jobs/evaluate.py, without accelerate: scoring is one process."""
    job = str(resource("jobs", "evaluate.py"))
    return [python, job, f"--run-dir={layout.directory}", f"--data={data}", *as_flags(options)]


def environment(
    config: RunConfig, node: Node, attempt: str, drain: Path, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Environment of a launch: the inherited one less what would steer it, plus what it needs.

    `attempt` is the name of this start of the job; `drain` is a file of this node that asks its
    processes to save and stop once it exists.
    """
    kept = without_launch(inherited)
    # on this node; torchrun would give each process one thread, however many CPUs the job has
    processes = config.num_processes // node.count
    threads = max(1, (config.resources.cpus_per_task or processes) // processes)
    # tokenizers turns its threads off itself after a fork, with a warning for each process
    kept |= {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    kept |= {ATTEMPT: attempt, DRAIN: str(drain)}
    if config.training.use_cpu:
        # that setting holds the Trainer alone; DeepSpeed looks for its accelerator by itself
        kept |= {"CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"}
    return kept


def _deepspeed(config: RunConfig, layout: RunLayout) -> list[str]:
    if config.accelerate.deepspeed_config_file is None:
        return []
    # Without "standard", two machines mean pdsh: it trains on one node only, exits 0,
    # and writes the whole environment, tokens included, to .deepspeed_env
    return [
        "--use_deepspeed",
        f"--deepspeed_config_file={layout.deepspeed}",
        "--deepspeed_multinode_launcher=standard",
    ]
