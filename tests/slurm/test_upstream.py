"""Methods of submitit that slurm.executor overrides, or calls in private."""

from __future__ import annotations

import inspect

from submitit.slurm import slurm

from tests.upstream import changes

SUBMITIT = {
    "SlurmExecutor._make_submission_file_text": "fa1ff3ec44d9876c",
    "SlurmExecutor._submitit_command_str": "c04e7f4c24c124de",
    "SlurmExecutor.affinity": "6e8a1b603807bf5d",
    "_make_sbatch_string": "e953875758921406",
}
"""Fingerprint of the source of each, in the version that pyproject.toml allows."""


def test_no_method_that_our_executor_relies_on_has_changed() -> None:
    executor = slurm.SlurmExecutor
    found = {
        "SlurmExecutor._make_submission_file_text": executor._make_submission_file_text,
        "SlurmExecutor._submitit_command_str": inspect.getattr_static(
            executor, "_submitit_command_str"
        ),
        "SlurmExecutor.affinity": executor.affinity,
        # what the script's directives come from, up to the line where ours cuts it
        "_make_sbatch_string": slurm._make_sbatch_string,
    }
    told = changes("submitit", found, SUBMITIT, __name__)
    assert not told, told
