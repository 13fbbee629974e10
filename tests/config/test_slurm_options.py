"""iacfilter_hpc.config.slurm_options: sbatch's options, its times, its GPUs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import submitit
from pydantic import ValidationError

from iacfilter_hpc.config.site import Site
from iacfilter_hpc.config.slurm_options import (
    OURS,
    SBATCH_OPTIONS,
    Resources,
    option_problem,
    to_minutes,
)
from iacfilter_hpc.slurm.executor import slurm_executor
from iacfilter_hpc.slurm.template import JobScript

ASKED: dict[str, object] = {
    "gpus": 1,
    "nodes": 1,
    "cpus_per_task": None,
    "mem": None,
    "time": "1:00:00",
    "partition": None,
    "account": None,
    "qos": None,
}


def resources(**changes: object) -> Resources:
    return Resources.model_validate({**ASKED, **changes})


@pytest.mark.parametrize(
    ("time", "minutes"),
    [
        ("1", 1),
        ("90", 90),
        ("0:01", 1),
        ("90:00", 90),
        ("90:01", 91),
        ("00:00:01", 1),
        ("12:30:00", 750),
        ("12:30:30", 751),
        ("100:00:00", 6000),
        ("0-1", 60),
        ("1-0", 1440),
        ("1-12", 2160),
        ("1-12:30", 2190),
        ("1-12:30:00", 2190),
        ("1-12:30:15", 2191),
        ("0-00:00:59", 1),
        ("07-00:00:00", 10080),
    ],
)
def test_every_form_of_a_slurm_time(time: str, minutes: int) -> None:
    assert to_minutes(time) == minutes
    assert resources(time=time).minutes == minutes


@pytest.mark.parametrize(
    "time",
    [
        *("", "0", "0:00", "00:00:00", "0-0", "-5", "1.5", "1h", "12:30:00:00", "1-", "1-2-3"),
        *(":30", "1 ", " 1", "1\n", "infinite", "UNLIMITED", "12;00", "$(id)", "9" * 5000),
    ],
)
def test_a_time_that_is_none_is_refused(time: str) -> None:
    with pytest.raises(ValidationError, match="time"):
        resources(time=time)


@pytest.mark.parametrize(
    ("gpus", "nodes", "count", "per_node"),
    [
        (0, 1, 0, None),
        ("0", 1, 0, None),
        (1, 1, 1, "1"),
        ("4", 1, 4, "4"),
        (8, 2, 8, "4"),
        ("a100:4", 1, 4, "a100:4"),
        ("a100:4", 2, 4, "a100:2"),
        ("nvidia_a100_80gb-x.1:16", 4, 16, "nvidia_a100_80gb-x.1:4"),
    ],
)
def test_gpus_of_the_job_are_shared_by_its_nodes(
    gpus: int | str, nodes: int, count: int, per_node: str | None
) -> None:
    asked = resources(gpus=gpus, nodes=nodes)
    assert (asked.gpus.count, asked.gpus_per_node) == (count, per_node)


@pytest.mark.parametrize(
    "gpus",
    [
        *(-1, "-1", "a100", "a100:", ":4", "a:b:4", "4 ", "1.5", "", "a100:$(id)", "four"),
        *("four", None, [], "4\n", "9" * 5000),
    ],
)
def test_gpus_that_are_none_are_refused(gpus: object) -> None:
    with pytest.raises(ValidationError, match="gpus"):
        resources(gpus=gpus)


@pytest.mark.parametrize("name", ["nodes", "cpus_per_task"])
@pytest.mark.parametrize("value", [0, -1, "two", 1.5])
def test_counts_are_above_zero(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        resources(**{name: value})


@pytest.mark.parametrize("name", ["partition", "mem", "comment", "constraint"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "\x1b[0m", "a\u2028b"])
def test_a_value_of_two_lines_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} .* holds a character that no sbatch"):
        resources(**{name: value})


@pytest.mark.parametrize("name", sorted(OURS))
def test_an_option_that_is_ours_is_refused_with_the_reason(name: str) -> None:
    assert option_problem(name) == f"{name} is set by the toolkit ({OURS[name]})"


@pytest.mark.parametrize("name", sorted([*SBATCH_OPTIONS, *Resources.model_fields]))
def test_an_option_of_sbatch_is_taken(name: str) -> None:
    assert option_problem(name) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("partiton", "partition"),
        ("constrain", "constraint"),
        ("mail_usr", "mail_user"),
        ("gpu", "gpus"),
        ("acount", "account"),
    ],
)
def test_a_near_miss_is_refused(name: str, meant: str) -> None:
    assert option_problem(name) == f"{name} is not an option of sbatch; did you mean {meant}?"


def test_an_option_that_resembles_none_is_for_sbatch_to_judge() -> None:
    assert option_problem("zz_of_slurm_30") is None


@pytest.mark.parametrize(
    "name", ["a\ntouch x\n#", "a b", "a;b", "$(id)", "", "-", "1", "A", "a=b", "é", "_a"]
)
def test_a_name_that_cannot_be_an_option_is_refused(name: str) -> None:
    assert option_problem(name) == f"{name!r} is not the name of an option"


def test_the_lists_are_apart() -> None:
    assert not set(OURS) & {*SBATCH_OPTIONS, *Resources.model_fields}
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in [*OURS, *SBATCH_OPTIONS])


def test_submitit_knows_each_field() -> None:
    known = submitit.SlurmExecutor._valid_parameters()
    assert set(Resources.model_fields) - {"gpus"} <= known
    assert {"gpus_per_node", "job_name", "dependency", "srun_args"} <= known
    assert {"ntasks_per_node", "wckey", "additional_parameters"} <= known


def test_submitit_still_writes_the_line_that_we_split_at(tmp_path: Path) -> None:
    script = JobScript("train", "r", "/python", Site(), tmp_path)
    executor = slurm_executor(tmp_path, script, resources())
    text = submitit.SlurmExecutor._make_submission_file_text(executor, "the command", "uid")
    head, seam, tail = text.partition("export SUBMITIT_EXECUTOR=slurm\n")
    assert seam
    assert "#SBATCH --signal=" in head
    assert tail.startswith("srun ")
    assert tail.strip().endswith("the command")
