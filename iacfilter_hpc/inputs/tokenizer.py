"""Tokenizers: loaded, with special tokens settled: one BOS, one EOS, a pad that is never EOS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.answers import Answers, derive_answers
from iacfilter_hpc.inputs.field_tokenizer import FieldTokenizer

PAD = "<pad>"


@dataclass(frozen=True, slots=True)
class PromptTokenizer:
    """Prompt tokenizer: a generative model's, with the ids that frame a prompt and its answer."""

    tokenizer: PreTrainedTokenizerBase
    bos: tuple[int, ...]
    eos: int
    pad: int
    answers: Answers

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens written in it are text too."""
        return encode_plain(self.tokenizer, text)


def load_tokenizer(source: str | Path, revision: str | None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model directory or hub name.

    Raises:
        TrainingError: there is no such model here, or it needs code of its own.
    """
    # transformers would take the path for a name on the hub, and tell of that instead
    if str(source).startswith(("/", ".", "~")) and not Path(source).is_dir():
        raise TrainingError(f"model {source} is not a directory")
    # trust_remote_code=False: a model's directory may hold Python that loading it would run
    try:
        return AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"model {source} cannot be loaded: {str(error).splitlines()[0]}",
            hint="name a directory, or fill the Hugging Face cache where there is a network",
        ) from error


def encode_plain(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of text, with nothing added and nothing in it taken for a special token."""
    # code may hold `</s>`: as a token that would end the sequence. No truncation, and no warning of
    # it: what is too long is cut by those who know what may go
    encoded = tokenizer(
        text, add_special_tokens=False, split_special_tokens=True, truncation=False, verbose=False
    )
    ids: list[int] = encoded["input_ids"]
    return ids


def field_tokenizer(tokenizer: PreTrainedTokenizerBase) -> FieldTokenizer:
    """An encoder's tokenizer as encode_fields takes it."""
    return FieldTokenizer(
        begin=tokenizer.cls_token_id,
        separator=tokenizer.sep_token_id,
        longest=tokenizer.model_max_length,
        encode=lambda text: encode_plain(tokenizer, text),
    )


def settle_special_tokens(
    tokenizer: PreTrainedTokenizerBase, embedding_rows: int
) -> PromptTokenizer:
    """Prompt tokenizer of a generative model; gives `tokenizer` a pad if it has none.

    The pad is the tokenizer's own, else its <unk>, else a new token in a spare embedding row:
    embeddings are never resized, which ZeRO-3 does not bear. Attention masks and labels are always
    explicit here, so that the pad's meaning never reaches the model.

    Raises:
        TrainingError: no EOS token, no way to a pad token, or answers that cannot be told apart.
    """
    if tokenizer.eos_token_id is None:
        raise TrainingError("the tokenizer has no end-of-sequence token")
    # collators such as DataCollatorForLanguageModeling leave pads out of the loss, by their id, and
    # EOS with them (https://github.com/huggingface/transformers/issues/23530)
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
        _choose_pad(tokenizer, embedding_rows)
    bos = tokenizer.bos_token_id
    return PromptTokenizer(
        tokenizer=tokenizer,
        # a BOS that is EOS, as of some models, would say that the text before it is over
        bos=() if bos is None or bos == tokenizer.eos_token_id else (bos,),
        eos=tokenizer.eos_token_id,
        pad=tokenizer.pad_token_id,
        answers=derive_answers(lambda text: encode_plain(tokenizer, text)),
    )


def _choose_pad(tokenizer: PreTrainedTokenizerBase, embedding_rows: int) -> None:
    if tokenizer.unk_token_id not in (None, tokenizer.eos_token_id):
        tokenizer.pad_token = tokenizer.unk_token
    elif len(tokenizer) < embedding_rows:
        tokenizer.add_special_tokens({"pad_token": PAD})
    else:
        raise TrainingError(
            "the tokenizer has no pad token, no <unk>, and the model no spare embedding row",
            hint="use a model whose tokenizer has a pad token other than its EOS",
        )
