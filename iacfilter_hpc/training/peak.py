"""memory.json: the most GPU memory that training has needed, for the plans of later runs."""

from __future__ import annotations

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from iacfilter_hpc.files import write_json
from iacfilter_hpc.layout import RunLayout

SCHEMA = 1


class PeakMemory(TrainerCallback):
    """Written once training has ended; never on a CPU, where the process's memory is no measure."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._has_stepped = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """An attempt that finds every step made has not seen what a step needs."""
        self._has_stepped = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Write the peak of the process that needed most."""
        if args.device.type != "cuda" or not self._has_stepped:
            return
        peak = _largest(torch.cuda.max_memory_allocated(), args.device)
        if state.is_world_process_zero:
            name = torch.cuda.get_device_name()
            write_json(self._layout.memory, {"schema": SCHEMA, "peak_bytes": peak, "device": name})


def _largest(count: int, device: torch.device) -> int:
    """The largest of the processes' counts."""
    found = torch.tensor(count, device=device)
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
    return int(found.item())
