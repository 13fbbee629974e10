"""iacfilter_hpc.worker.accelerate_argv: the command lines and the environment of a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.config.evaluate_options import DEFAULTS, EvaluateOptions
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.worker.accelerate_argv import Node, environment, evaluate, train
from tests.made_runs import demo_config

LAYOUT = RunLayout(Path("/models/generative/it's $(mine)"))
NODE = Node(rank=1, count=2, host="10.0.0.7", port=29500)
TWO_NODES = ("resources.gpus=8", "resources.nodes=2")


def test_generative_launches_deepspeed_on_each_node() -> None:
    argv = train(demo_config("generative", *TWO_NODES), LAYOUT, NODE, "/a python")
    assert argv[0] == "/a python"
    assert Path(argv[1]).name == "launch.py"
    assert argv[-1] == "--run-dir=/models/generative/it's $(mine)"
    assert Path(argv[-2]).name == "train.py"
    assert set(argv) >= {
        "--use_deepspeed",
        "--deepspeed_config_file=/models/generative/it's $(mine)/deepspeed.json",
        "--deepspeed_multinode_launcher=standard",
        "--num_processes=8",
        "--num_machines=2",
        "--machine_rank=1",
        "--main_process_ip=10.0.0.7",
        "--main_process_port=29500",
        "--mixed_precision=bf16",
    }


def test_the_encoder_launches_one_plain_process() -> None:
    one = Node(rank=0, count=1, host="127.0.0.1", port=1)
    argv = train(demo_config("encoder", "training.bf16=false"), LAYOUT, one, "/python")
    assert not any("deepspeed" in word for word in argv)
    assert {"--num_processes=1", "--num_machines=1", "--mixed_precision=no"} <= set(argv)


def test_the_launcher_ignores_the_settings_of_a_person() -> None:
    argv = train(demo_config("encoder"), LAYOUT, NODE, "/python")
    (settings,) = (word for word in argv if word.startswith("--config_file="))
    assert Path(settings.partition("=")[2]).is_file()


def test_evaluation_is_one_process() -> None:
    argv = evaluate(LAYOUT, Path("/data; $(id)"), DEFAULTS, "/a python")
    assert argv[0] == "/a python"
    assert Path(argv[1]).name == "evaluate.py"
    assert argv[2:] == ["--run-dir=/models/generative/it's $(mine)", "--data=/data; $(id)"]


def test_the_job_is_told_how_to_evaluate() -> None:
    options = EvaluateOptions(threshold=0.25, groups=Path("/a b.csv"), seed=7)
    argv = evaluate(LAYOUT, Path("/data"), options, "/python")
    assert argv[4:] == ["--threshold=0.25", "--groups=/a b.csv", "--seed=7"]


@pytest.mark.parametrize(
    ("assignments", "threads"),
    [
        ((*TWO_NODES, "resources.cpus_per_task=16"), "4"),
        ((*TWO_NODES, "resources.cpus_per_task=3"), "1"),
        ((*TWO_NODES, "resources.cpus_per_task=null"), "1"),
    ],
)
def test_processes_share_the_node_s_cpus(assignments: tuple[str, ...], threads: str) -> None:
    config = demo_config("generative", *assignments)
    inherited = {"PATH": "/bin", "RANK": "3", "ACCELERATE_USE_CPU": "1"}
    found = environment(config, NODE, "7.1", Path("/tmp/drain"), inherited)
    assert found == {
        "PATH": "/bin",
        "OMP_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "IACFILTER_ATTEMPT": "7.1",
        "IACFILTER_DRAIN": "/tmp/drain",
    }


def test_training_on_cpus_hides_the_gpus() -> None:
    config = demo_config("generative", "training.use_cpu=true")
    one = Node(rank=0, count=1, host="127.0.0.1", port=1)
    found = environment(config, one, "7", Path("/drain"), {"CUDA_VISIBLE_DEVICES": "0,1"})
    assert (found["CUDA_VISIBLE_DEVICES"], found["DS_ACCELERATOR"]) == ("", "cpu")
