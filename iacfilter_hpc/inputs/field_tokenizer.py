"""Field tokenizer: an encoder's, as far as its input needs one; a library of any kind behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import TrainingError


@dataclass(frozen=True, slots=True)
class FieldTokenizer:
    """Field tokenizer: ids of plain text, and of the tokens that frame it.

    `begin` and `separator` are CLS and SEP, None where the tokenizer has none; `longest` is the
    most tokens that the model takes.
    """

    begin: int | None
    separator: int | None
    longest: int
    encode: Callable[[str], list[int]]
    """Nothing is added, nothing cut, and nothing in the text taken for a special token."""


def read_field_tokenizer(path: Path, begin: int, separator: int, longest: int) -> FieldTokenizer:
    """The tokenizer of a tokenizer.json, read by `tokenizers` alone, without transformers.

    Its ids are those of the transformers tokenizer whose backend was saved there.

    Raises:
        TrainingError: the file holds no tokenizer that this version of the library reads.
    """
    # only here: an installation that scores no encoder may lack it
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        # the library raises Exception itself, and nothing narrower
        if type(error) is not Exception:
            raise
        raise TrainingError(f"{path} cannot be read as a tokenizer: {error}") from error
    # what the file may hold of both is for other callers: whole texts are wanted here
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # as `split_special_tokens` of transformers: code may hold `</s>`, which is text there
    tokenizer.encode_special_tokens = True

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    return FieldTokenizer(begin, separator, longest, encode)
