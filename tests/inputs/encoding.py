"""Prompts as token ids, of samples that all fit."""

from __future__ import annotations

from collections.abc import Sequence

from iacfilter_hpc.inputs.encode import all_fitting, try_prompts
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.inputs.tokenizer import PromptTokenizer
from iacfilter_hpc.samples.sample import Sample


def encode_prompts(
    samples: Sequence[Sample],
    prompt_tokenizer: PromptTokenizer,
    max_length: int,
    max_positions: int,
) -> list[Encoded]:
    """What training makes of prompts. Raises DataError, which names those that do not fit."""
    return all_fitting(samples, try_prompts(samples, prompt_tokenizer, max_length, max_positions))
