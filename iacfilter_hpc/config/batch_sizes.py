"""Batch sizes: samples per optimizer step, samples and tokens at once, accumulation steps."""

from __future__ import annotations

from dataclasses import dataclass

from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import counted

# Here, below both: the batch sampler and the memory plan, which may not import it, must agree
MOST_REPEATED = 4
"""Times its tokens that a packed row's prompts may have, written out.

Attention by segments lays the keys of a shared beginning before each prompt: the batch sampler
keeps to this, and the plan of a run's memory counts on it. It stands here since the plan may not
import the sampler's torch.
"""


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """The numbers of a run's batches, by the names under which every command tells them.

    An optimizer step sees `samples_per_step` on all `processes`, one a device. A device computes
    its share in accumulation steps (micro-batches), each of at most `tokens_at_once`: that bounds
    memory. `samples_at_once` of full length have so many tokens; of shorter ones, or of prompts
    that begin alike, more fit, and the share takes fewer than `accumulation_steps`.
    """

    samples_per_step: int
    samples_at_once: int
    tokens_at_once: int
    accumulation_steps: int
    processes: int

    def describe(self) -> str:
        """One line for a command's answer and for the log."""
        most = "at most " if self.accumulation_steps > 1 else ""
        return (
            f"{counted(self.samples_per_step, 'sample')} per step on "
            f"{counted(self.processes, 'device')}: "
            f"{counted(self.samples_at_once, 'sample')} at once "
            f"({self.tokens_at_once} tokens at once), "
            f"{most}{counted(self.accumulation_steps, 'accumulation step')}"
        )


def batch_sizes(config: RunConfig) -> BatchSizes:
    """Batch sizes of a run; `--batch-size` is their `samples_at_once`.

    By default they multiply: a step is samples at once x accumulation steps x processes. A budget
    of its own (packing.tokens_per_batch) leaves the step as it is, and sets how it is divided.
    """
    # Bounded by tokens, not by samples: packed rows have no padding, so that many short samples
    # need no more memory than a few long ones
    # a sample that is longer than the budget is computed all the same, alone
    tokens = max(config.token_budget, config.data.max_length)
    at_once = tokens // config.data.max_length
    # without a remainder: global_batch_size is a multiple of num_processes
    share = config.global_batch_size // config.num_processes
    return BatchSizes(
        samples_per_step=config.global_batch_size,
        samples_at_once=at_once,
        tokens_at_once=tokens,
        # rounded up, for samples of full length: the batch sampler may need fewer, never more
        accumulation_steps=-(-share // at_once),
        processes=config.num_processes,
    )
