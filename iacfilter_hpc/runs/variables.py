"""Environment variables that tell a training process which attempt it is part of, and since when.

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
