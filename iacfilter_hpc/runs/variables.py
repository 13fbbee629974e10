"""Environment variables by which a job tells its processes what they are part of, and since when.

The batch script and the worker set them, and `accelerate launch` passes its environment on.
"""

from __future__ import annotations

ATTEMPT = "IACFILTER_ATTEMPT"
"""The name of the attempt that a training process is part of."""
DRAIN = "IACFILTER_DRAIN"
"""A file of this node; once it exists, its training processes save and stop.

Local, as a file that another node makes on NFS may be seen late.
"""
# slurm_templates/base.sbatch.j2 writes this name out
STARTED = "IACFILTER_STARTED"
"""When the batch script called srun, in seconds since 1970."""
RENDEZVOUS = "IACFILTER_RENDEZVOUS"
"""Where the processes of a job of several nodes meet: HOST:PORT, set by the batch script."""
OF_A_JOB = frozenset({ATTEMPT, DRAIN, STARTED, RENDEZVOUS})
"""All of these: none must reach a job that is submitted from inside another."""
RESTARTS = "SLURM_RESTART_COUNT"
"""Slurm's: how often a job has been started again; absent in its first attempt.

Source: https://slurm.schedmd.com/sbatch.html#OPT_SLURM_RESTART_COUNT
"""
