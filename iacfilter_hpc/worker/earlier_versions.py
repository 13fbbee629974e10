"""Earlier versions: the names under which their queued jobs look for what has moved since.

A job may wait in the queue while the toolkit is updated. submitit has pickled its worker by the
names of its classes, which must lead to the classes of today. tests/earlier has such jobs.
"""

from __future__ import annotations

import sys

from iacfilter_hpc.config import evaluate_options
from iacfilter_hpc.worker.worker import Worker

MOVED_MODULES = {"iacfilter_hpc.options": evaluate_options}
"""Modules that a pickled Worker names besides its own, by their names until 2026."""


def pickled_worker() -> type[Worker]:
    """The class that pickles name `iacfilter_hpc.worker.Worker`.

    pickle asks for it before it asks for the classes of its fields, whose old names are served from
    then on. The worker's own fields are pickled by name, those of its options by their order.
    """
    for name, module in MOVED_MODULES.items():
        sys.modules.setdefault(name, module)
    return Worker
