"""Run record: run.json, with a run's configuration, data, code, versions and key."""

from __future__ import annotations

import hashlib
import json

from iacfilter_hpc import __version__
from iacfilter_hpc.config.deepspeed import deepspeed_file
from iacfilter_hpc.config.resolve import as_yaml
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.files import write_atomically
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.provenance import provenance
from iacfilter_hpc.runs.records import RunRecord


def describe(
    layout: RunLayout,
    config: RunConfig,
    data: dict[str, str],
    planned: records.Planned | None = None,
) -> None:
    """Write run.json, config.yaml and the DeepSpeed file.

    `data` holds the sha256 of each file by its key in the configuration, such as `train_file`;
    `planned` the bytes that a GPU was to need for tensors.

    Raises:
        IacfilterError: run.json cannot be written.
        OSError: one of the others cannot.
    """
    named = config.model_copy(update={"name": layout.name})
    write_atomically(layout.config, as_yaml(named))
    deepspeed = ""
    if config.accelerate.deepspeed_config_file is not None:
        # a copy of its own: the file that was named may change before the job starts or is resumed
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
        gpus=config.resources.gpus.count,
        nodes=config.resources.nodes,
        num_processes=config.num_processes,
        global_batch_size=config.global_batch_size,
        data_sha256=data,
        argv=here.argv,
        planned_bytes=planned.total if planned else None,
        planned_activations=planned.activations if planned else None,
    )
    # last: with its run.json the directory becomes a run that others list and read
    records.write_record(layout.record, record)


def _key(config: RunConfig, data: dict[str, str], deepspeed: str, commit: str | None) -> str:
    """A hash of all that decides the result: neither name, resources, requeueing nor data paths."""
    values = config.as_dict()
    # resources and requeueing may change when a run is resumed, and its key stays
    del values["name"], values["resources"], values["requeue"]
    # files count by what is in them, in `data` and `deepspeed`, not by where they are
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
