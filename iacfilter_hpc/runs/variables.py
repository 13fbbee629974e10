"""Variables by which batch script and worker tell a training process what it is part of."""

from __future__ import annotations

ATTEMPT = "IACFILTER_ATTEMPT"
"""The name of the attempt that a training process is part of."""
DRAIN = "IACFILTER_DRAIN"
"""A file of this node; once it exists, its training processes save and stop."""
STARTED = "IACFILTER_STARTED"
"""When the batch script called srun, in seconds since 1970."""
