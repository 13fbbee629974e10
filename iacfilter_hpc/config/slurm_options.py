"""Slurm options of a job: sbatch's own long options, checked before sbatch sees them."""

from __future__ import annotations

import difflib
import re

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from iacfilter_hpc.config.gpus import GpusField

Option = str | int | bool

# Not UNLIMITED, which sbatch takes too: submitit calculates with the minutes
TIME = re.compile(
    r"(?:(?P<days>\d+)-(?P<dh>\d+)(?::(?P<dm>\d+)(?::(?P<ds>\d+))?)?"
    r"|(?P<h>\d+):(?P<hm>\d+):(?P<hs>\d+)|(?P<m>\d+)(?::(?P<s>\d+))?)"
)

# Names come from YAML and become #SBATCH lines: a line break in one would begin a command
NAME = re.compile(r"[a-z][a-z0-9_]*")

OURS = {
    "array": "a run is one job",
    "chdir": "every path is absolute",
    "dependency": "singleton keeps one job a run",
    "error": "logs lie in the run's directory",
    "export": "the job gets the submitting environment",
    "gpus_per_node": "use gpus and nodes",
    "gpus_per_socket": "use gpus and nodes",
    "gpus_per_task": "use gpus and nodes",
    "gres": "use gpus, such as a100:4",
    "input": "a job reads nothing",
    "job_name": "it is the run's name; use --name",
    "no_requeue": "training goes on by itself: use requeue.limit",
    "ntasks": "one task runs on each node",
    "ntasks_per_node": "one task runs on each node",
    "open_mode": "logs are appended to",
    "output": "logs lie in the run's directory",
    "parsable": "submitit reads sbatch's answer",
    "requeue": "training goes on by itself: use requeue.limit",
    "signal": "the worker decides what signals mean",
    "test_only": "use --print-script",
    "wait": "use iacfilter-status",
    "wrap": "the script comes from slurm_templates/",
}
"""Options of sbatch that the toolkit sets itself, each with the reason."""

# sbatch(1), Slurm 22.05 to 25.05, less OURS and the fields of Resources
SBATCH_OPTIONS = (
    "acctg_freq batch bb bbf begin cluster_constraint clusters comment constraint container "
    "container_id contiguous core_spec cores_per_socket cpu_freq cpus_per_gpu deadline delay_boot "
    "distribution exclude exclusive extra extra_node_info get_user_env gid gpu_bind gpu_freq "
    "gres_flags hint hold ignore_pbs kill_on_invalid_dep licenses mail_type mail_user mcs_label "
    "mem_bind mem_per_cpu mem_per_gpu mincpus network nice no_kill nodefile nodelist "
    "ntasks_per_core ntasks_per_gpu ntasks_per_socket overcommit oversubscribe power prefer "
    "priority profile propagate qos quiet reboot reservation resv_ports segment sockets_per_node "
    "spread_job stepmgr switches thread_spec threads_per_core time_min tmp tres_bind "
    "tres_per_task uid use_min_nodes verbose wait_all_nodes wckey x11"
).split()


class Resources(BaseModel):
    """Options of sbatch; those named here are checked, any other of sbatch's may be added.

    `gpus` is sbatch's: the whole job's, `4` or `a100:4`. `time` is Slurm's time string.
    Source: https://slurm.schedmd.com/sbatch.html
    """

    # allow: sbatch gains options with each release
    model_config = ConfigDict(extra="allow", frozen=True)
    # by this annotation pydantic checks the values of the others
    __pydantic_extra__: dict[str, Option] = Field(init=False)

    gpus: GpusField
    nodes: int = Field(gt=0)
    cpus_per_task: int | None = Field(gt=0)
    mem: str | None
    time: str
    partition: str | None
    account: str | None
    qos: str | None

    @field_validator("time")
    @classmethod
    def _time(cls, value: str) -> str:
        if not TIME.fullmatch(value) or to_minutes(value) < 1:
            raise ValueError("it must be MINUTES, HH:MM:SS or DAYS-HH:MM:SS, at least a minute")
        return value

    @model_validator(mode="after")
    def _one_line_values(self) -> Resources:
        # a line break would end the #SBATCH line, and begin a command of the script
        for name, value in {**self.__dict__, **self.extra}.items():
            if isinstance(value, str) and any(not c.isprintable() for c in value):
                raise ValueError(f"{name} {value!r} holds a character that no sbatch option takes")
        return self

    @property
    def extra(self) -> dict[str, Option]:
        """Options of sbatch beyond the fields named here."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def gpus_per_node(self) -> str | None:
        """The option's value for one node: `2`, or `a100:2`; None for a job without GPUs."""
        # submitit knows no --gpus. Exact: schema.process_problems refuses what leaves a remainder
        each = self.gpus.counting(self.gpus.count // self.nodes)
        return str(each) if each else None

    @property
    def minutes(self) -> int:
        """The time limit in whole minutes, rounded up."""
        return to_minutes(self.time)


def option_problem(name: str) -> str | None:
    """Problem with the name of an option, in words; None if there is none."""
    if not NAME.fullmatch(name):
        return f"{name!r} is not the name of an option"
    if name in OURS:
        return f"{name} is set by the toolkit ({OURS[name]})"
    known = [*Resources.model_fields, *SBATCH_OPTIONS]
    if name in known:
        return None
    close = difflib.get_close_matches(name, known, n=1)
    # sbatch gains options with each release: it judges what resembles none of the known ones
    return f"{name} is not an option of sbatch; did you mean {close[0]}?" if close else None


def to_minutes(time: str) -> int:
    """Whole minutes, rounded up, of a Slurm time such as `30`, `12:30:00` or `1-12`.

    Source: https://slurm.schedmd.com/sbatch.html#OPT_time
    """
    match = TIME.fullmatch(time)
    assert match, f"not a Slurm time: {time!r}"
    part = {name: int(value) for name, value in match.groupdict(default="0").items()}
    hours = part["days"] * 24 + part["dh"] + part["h"]
    # Slurm counts whole minutes too, and rounds seconds up
    minutes = hours * 60 + part["dm"] + part["hm"] + part["m"]
    return minutes + (1 if part["ds"] + part["hs"] + part["s"] else 0)
