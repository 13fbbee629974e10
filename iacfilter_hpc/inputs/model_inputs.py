"""Model inputs: how one model's samples become token ids, prompts or fields of a sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.dataset import scoring_rows, training_rows
from iacfilter_hpc.inputs.encode import NoFit, encode_fields, try_prompts
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.inputs.tokenizer import (
    PromptTokenizer,
    field_tokenizer,
    settle_special_tokens,
)
from iacfilter_hpc.samples.sample import Sample


@dataclass(frozen=True, kw_only=True)
class ModelInputs(ABC):
    """Model inputs: what tokenising makes of samples, for training and for scoring alike.

    One class for both: a model that is scored on other tokens than it was trained on scores badly,
    and nothing says why.
    """

    is_cacheable: ClassVar[bool] = False
    """Whether a Recipe of the token cache holds all that decides the tokens, besides this code."""

    tokenizer: PreTrainedTokenizerBase | None = None
    """Saved beside the weights; None for one that is no tokenizer of transformers."""
    answers: Answers | None = None
    """What the model answers with; None if it has a class for each label."""
    answer_length: int = 0
    """Tokens that training lays behind an input, at most."""
    positions: int | None = None
    """The most tokens that the model takes, where the input depends on it."""

    @abstractmethod
    def encode(self, samples: Sequence[Sample]) -> Sequence[Encoded | NoFit]:
        """Each sample as token ids within the limit, or why that cannot be, in their order."""

    def whole_lengths(
        self, samples: Sequence[Sample], encoded: Sequence[Encoded | NoFit]
    ) -> list[int]:
        """Tokens of each sample before any was cut, answer included; `encoded` is of the same."""
        return [
            len(row.ids) + row.tokens_dropped + self.answer_length
            for row in encoded
            if isinstance(row, Encoded)
        ]

    def training_rows(self, samples: Sequence[Sample], encoded: Sequence[Encoded]) -> Dataset:
        """What the Trainer trains on: at least the columns input_ids and label (0 FP, 1 TP)."""
        return scoring_rows(samples, encoded)


@dataclass(frozen=True, kw_only=True)
class PromptInputs(ModelInputs):
    """Prompts: with_prompt, with room for an answer behind it; far context lines go if need be."""

    is_cacheable: ClassVar[bool] = True

    prompt_tokenizer: PromptTokenizer
    max_length: int
    positions: int

    @classmethod
    def of(
        cls, tokenizer: PreTrainedTokenizerBase, sizes: tuple[int, int], max_length: int
    ) -> Self:
        """Prompt inputs of a model with `sizes`: its embedding rows and positions (tokens).

        Raises:
            TrainingError: the tokenizer cannot serve.
        """
        rows, positions = sizes
        prompt_tokenizer = settle_special_tokens(tokenizer, rows)
        return cls(
            tokenizer=tokenizer,
            answers=prompt_tokenizer.answers,
            answer_length=prompt_tokenizer.answers.longest + 1,  # and EOS
            positions=positions,
            prompt_tokenizer=prompt_tokenizer,
            max_length=max_length,
        )

    def encode(self, samples: Sequence[Sample]) -> list[Encoded | NoFit]:
        """Each prompt as token ids, or why it cannot be made to fit."""
        return try_prompts(samples, self.prompt_tokenizer, self.max_length, self.positions)

    def whole_lengths(
        self, samples: Sequence[Sample], encoded: Sequence[Encoded | NoFit]
    ) -> list[int]:
        """Lengths of the whole prompts in tokens, also of those that cannot be made to fit."""
        # made again rather than added up: a NoFit has no tokens, and the mapping of YES and NO may
        # change how many there are
        around = len(self.prompt_tokenizer.bos) + self.answer_length
        return [len(self.prompt_tokenizer.encode(s.with_prompt.rstrip())) + around for s in samples]

    def training_rows(self, samples: Sequence[Sample], encoded: Sequence[Encoded]) -> Dataset:
        """Prompt, answer and EOS, of which the latter two are labels."""
        return training_rows(samples, encoded, self.prompt_tokenizer)


@dataclass(frozen=True, kw_only=True)
class FieldInputs(ModelInputs):
    """Fields of a sample, joined by the separator token and cut at the end."""

    is_cacheable: ClassVar[bool] = True

    tokenizer: PreTrainedTokenizerBase
    fields: tuple[str, ...]
    max_length: int

    def encode(self, samples: Sequence[Sample]) -> list[Encoded]:
        """Each sample as token ids.

        Raises:
            TrainingError: the tokenizer is not an encoder's, or takes less than `max_length`.
        """
        tokenizer = field_tokenizer(self.tokenizer)
        return encode_fields(samples, tokenizer, self.fields, self.max_length)
