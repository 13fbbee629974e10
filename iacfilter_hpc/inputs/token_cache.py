"""Token cache: tokenised samples beside the runs; one process tokenises a file, all others read.

Without it each process of each attempt would tokenise both files again. Its directory is on a file
system that all nodes share: whatever is found there may be half written, damaged or another user's,
and then the tokens are made as if nothing were there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import datasets
import tokenizers
import transformers
from datasets import Dataset, load_from_disk
from transformers import PreTrainedTokenizerBase

from iacfilter_hpc.checkpoints.manifest import verify, write_manifest
from iacfilter_hpc.checkpoints.permissions import share
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.inputs.model_inputs import ModelInputs
from iacfilter_hpc.samples.sample import Sample

FORMAT = 1
"""Raise it whenever this code makes other tokens of the same text, or `Encoded` changes.

A key is made of what goes in, and that stays the same: nothing else tells new code that what was
kept is the work of old code. tests/inputs/test_token_cache.py notices.
"""

UNUSED_DAYS = 30
"""Since the last reading, which renews a directory's time; what goes too early is made again."""
COLUMNS = [field.name for field in fields(Encoded)]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Recipe: all that decides which tokens the samples of one file become, besides the code."""

    data_sha256: str
    tokenizer_sha256: str
    approach: str
    max_length: int
    positions: int | None
    input_fields: tuple[str, ...] | None
    answers: Answers | None

    @property
    def key(self) -> str:
        """The name under which the tokens are kept: 64 hexadecimal digits."""
        # a new version may tokenise otherwise
        versions = [module.__version__ for module in (datasets, tokenizers, transformers)]
        made = {"format": FORMAT, "versions": versions, **asdict(self)}
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def tokenizer_sha256(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Hash of a tokenizer, 64 hex digits; None if it is none of `tokenizers`, which tells all.

    Source: https://huggingface.co/docs/tokenizers/api/tokenizer#tokenizers.Tokenizer.to_str
    """
    if not tokenizer.is_fast:
        return None
    # by what it does, not by its name or path: files behind those may change. The latter two are
    # not in to_str, and they decide about special tokens and the encoder's limit
    state = [
        tokenizer.backend_tokenizer.to_str(),
        tokenizer.special_tokens_map,
        tokenizer.model_max_length,
    ]
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenFolder:
    """Token folder: where tokens are kept, and the sha256 of both data files as they were read.

    Of the very bytes that were parsed: hashed later, it could be that of a file put in their place.
    """

    folder: Path
    train_sha256: str
    validation_sha256: str


def recipes(
    config: RunConfig, tokens: TokenFolder, inputs: ModelInputs
) -> tuple[Recipe, Recipe] | None:
    """Recipes of training and validation file; None where they would not tell all."""
    if not inputs.is_cacheable or inputs.tokenizer is None:
        return None
    data, fingerprint = config.data, tokenizer_sha256(inputs.tokenizer)
    if fingerprint is None:
        return None
    validation = Recipe(
        data_sha256=tokens.validation_sha256,
        tokenizer_sha256=fingerprint,
        approach=config.approach,
        max_length=data.max_length,
        positions=inputs.positions,
        input_fields=None if data.input_fields is None else tuple(data.input_fields),
        answers=inputs.answers,
    )
    return replace(validation, data_sha256=tokens.train_sha256), validation


@dataclass(frozen=True, slots=True)
class TokenCache:
    """A folder with one directory a recipe; only the main process of a run writes.

    What is kept is an Arrow file, mapped while it is read: the page cache holds it once a node.
    Source: https://huggingface.co/docs/datasets/about_arrow
    """

    folder: Path
    writes: bool

    def encoded(
        self,
        recipe: Recipe,
        samples: Sequence[Sample],
        encode: Callable[[Sequence[Sample]], list[Encoded]],
    ) -> list[Encoded]:
        """What `encode` makes of `samples`, read if it is kept, else made (and kept)."""
        started = time.monotonic()
        found, how = self._read(recipe, len(samples)), "read from"
        if found is None:
            found, how = encode(samples), "made for"
            if self.writes:
                self._keep(recipe, found)
        seconds = time.monotonic() - started
        logger.info(
            "tokens: %d samples in %.2f s, %s %s", len(found), seconds, how, self._path(recipe)
        )
        return found

    def forget_unused(self, *used: Recipe) -> None:
        """Remove what no run has read for 30 days, and what an attempt that was killed left.

        Never what is `used` here: of another user, it may look older than it is.
        """
        oldest, ours = time.time() - UNUSED_DAYS * 24 * 3600, {recipe.key for recipe in used}
        with suppress(OSError):  # another run removes too, or the folder could not be made
            for path in self.folder.iterdir():
                if path.name not in ours and path.stat().st_mtime < oldest:
                    shutil.rmtree(path, ignore_errors=True)

    def _path(self, recipe: Recipe) -> Path:
        return self.folder / recipe.key

    def _read(self, recipe: Recipe, count: int) -> list[Encoded] | None:
        """Tokens from the cache; None if there are none, or none that can be trusted."""
        path = self._path(recipe)
        try:
            if not path.exists():
                return None
            # a flipped bit or a file cut short by a full disk would else be another training set
            verify(path)
            columns = load_from_disk(str(path)).to_dict()
            rows = zip(*(columns[name] for name in COLUMNS), strict=True)
            found = [Encoded(tuple(ids), *rest) for ids, *rest in rows]
            if len(found) != count:
                raise ValueError(f"it holds {len(found)} samples instead of {count}")
        except (TrainingError, FileNotFoundError, ValueError, TypeError, KeyError) as error:
            logger.warning("%s cannot be used, so it is made again: %s", path, error)
            # or the rename in _keep would find it in its place
            if self.writes:
                shutil.rmtree(path, ignore_errors=True)
            return None
        except OSError as error:  # perhaps only now and here: others may be reading it
            logger.warning("%s cannot be read, so these tokens are made anew: %s", path, error)
            return None
        with suppress(OSError):  # of another user, who may not let us say that it is in use
            os.utime(path)
        return found

    def _keep(self, recipe: Recipe, encoded: Sequence[Encoded]) -> None:
        """Write aside and rename; of two runs that do so at once, the first one's stays."""
        path = self._path(recipe)
        # beside its place, for the rename; host and pid, as runs on two nodes may write it at once
        staging = self.folder / f".{recipe.key}.{socket.gethostname()}.{os.getpid()}"
        columns = {name: [getattr(row, name) for row in encoded] for name in COLUMNS}
        try:
            staging.mkdir(parents=True)
            Dataset.from_dict(columns).save_to_disk(str(staging))
            # a tree of runs may be a group's, whose other members read what is kept
            share(staging)
            write_manifest(staging)
            # fails if another run was first: a directory replaces none that has files (rename(2))
            staging.rename(path)
        except OSError as error:
            # a cache that cannot be written costs time, and must not cost the run
            if not path.exists():
                logger.warning("tokens are not kept in %s: %s", self.folder, error)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
