"""Write down what a run is made of: configuration, data, code, versions, and its key."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata

from iacfilter_hpc import __version__, runs
from iacfilter_hpc.config import RunConfig
from iacfilter_hpc.files import write_atomically
from iacfilter_hpc.layout import PACKAGE, RunLayout
from iacfilter_hpc.resolve import as_yaml, deepspeed_file
from iacfilter_hpc.runs import RunRecord

RECORDED = (
    "submitit torch transformers peft accelerate deepspeed datasets tokenizers safetensors "
    "numpy scikit-learn bitsandbytes flash-attn"
).split()


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who made a result, where, when, with which code, and by which command."""

    created_at: str
    user: str
    host: str
    git_commit: str | None
    versions: dict[str, str]
    argv: list[str]


def provenance() -> Provenance:
    """That of what this process makes now."""
    return Provenance(
        created_at=runs.now(),
        user=user(),
        host=socket.gethostname(),
        git_commit=_git_commit(),
        versions=_versions(),
        argv=sys.argv,
    )


def describe(
    layout: RunLayout, config: RunConfig, data: dict[str, str], planned: runs.Planned | None = None
) -> None:
    """Write run.json, config.yaml and the DeepSpeed file.

    `data` holds the sha256 of each file, `planned` what a GPU was to need for tensors.
    """
    named = config.model_copy(update={"name": layout.name})
    write_atomically(layout.config, as_yaml(named))
    deepspeed = ""
    if config.accelerate.deepspeed_config_file is not None:
        source = deepspeed_file(config.accelerate.deepspeed_config_file)
        deepspeed = source.read_text(encoding="utf-8")
        write_atomically(layout.deepspeed, deepspeed)
    here = provenance()
    record = RunRecord(
        run=layout.name,
        approach=config.approach,
        key=_key(config, data, deepspeed, here.git_commit),
        created_at=here.created_at,
        user=here.user,
        host=here.host,
        git_commit=here.git_commit,
        versions=here.versions,
        model_name_or_path=config.model.model_name_or_path,
        gpus=config.resources.gpu_count,
        nodes=config.resources.nodes,
        num_processes=config.num_processes,
        global_batch_size=config.global_batch_size,
        data_sha256=data,
        argv=here.argv,
        planned_bytes=planned.total if planned else None,
        planned_activations=planned.activations if planned else None,
    )
    runs.write_record(layout.record, record)


def _key(config: RunConfig, data: dict[str, str], deepspeed: str, commit: str | None) -> str:
    """A hash of all that decides the result: neither name, resources, requeueing nor data paths."""
    values = config.as_dict()
    del values["name"], values["resources"], values["requeue"]
    for name in data:
        del values["data"][name]
    del values["accelerate"]["deepspeed_config_file"]
    basis = {
        "config": values,
        "data": data,
        "deepspeed": deepspeed,
        "version": __version__,
        "commit": commit,
    }
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def user() -> str:
    """The user's name; containers run as users that have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _git_commit() -> str | None:
    """The commit of the checkout that this code runs from, `+` when it has changes."""
    checkout = PACKAGE.parent
    if not (checkout / ".git").exists() or shutil.which("git") is None:
        return None
    described = subprocess.run(
        ["git", "-C", checkout, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or None


def _versions() -> dict[str, str]:
    """The installed version of this package and of each that bears on the result."""
    found = {"iacfilter_hpc": __version__}
    for name in RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # the training packages may be on the compute nodes only
    return found
