"""Kept tokens are what would be made anew: read once whole, and never where that is in doubt."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from iacfilter_hpc.inputs.encoded import Encoded, audit
from iacfilter_hpc.inputs.prompts import fit_prompt
from iacfilter_hpc.inputs.token_cache import FORMAT, Recipe, TokenCache, tokenizer_sha256
from iacfilter_hpc.inputs.tokenizer import PromptTokenizer
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.samples.sample import Sample, read_samples
from iacfilter_hpc.training.run import train
from tests.inputs.encoding import encode_prompts
from tests.training.settings import DEMO, TRAINS, run_config

pytestmark = TRAINS

TRAIN = DEMO / "train.jsonl"
SAMPLES = read_samples(TRAIN)
ENCODED = [
    Encoded((1, 2, 3)),
    Encoded((), 5, 2, True, True),
    *(Encoded((number,), number) for number in range(len(SAMPLES) - 2)),
]


def recipe(**fields: object) -> Recipe:
    made = Recipe("0" * 64, "1" * 64, "generative", 512, 4096, None, None)
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path) -> TokenCache:
    return TokenCache(tmp_path / "models" / ".tokens", writes=True)


def never(_: Sequence[Sample]) -> list[Encoded]:
    raise AssertionError("it was kept")


def fill(cache: TokenCache, made: Recipe) -> Path:
    """Keep ENCODED; where it lies."""
    assert cache.encoded(made, SAMPLES, lambda _: ENCODED) == ENCODED
    return cache.folder / made.key


def test_what_is_kept_is_read_exactly(
    cache: TokenCache, caplog: pytest.LogCaptureFixture, prompt_tokenizer: PromptTokenizer
) -> None:
    made = recipe(data_sha256=sha256_of(TRAIN), answers=prompt_tokenizer.answers)
    with caplog.at_level(logging.INFO):
        first = cache.encoded(
            made, SAMPLES, lambda s: encode_prompts(s, prompt_tokenizer, 256, 4096)
        )
        again = cache.encoded(made, SAMPLES, never)
    assert again == first
    assert audit(SAMPLES, again) == audit(SAMPLES, first) and audit(SAMPLES, first).samples_cut
    assert type(again[0].ids) is tuple and type(again[0].over_max_length) is bool
    assert [message.partition(" s, ")[2] for message in caplog.messages] == [
        f"made for {cache.folder / made.key}",
        f"read from {cache.folder / made.key}",
    ]


def test_other_processes_read_and_write_nothing(cache: TokenCache) -> None:
    other = replace(cache, writes=False)
    assert other.encoded(recipe(), SAMPLES, lambda _: ENCODED) == ENCODED
    assert not cache.folder.exists()
    fill(cache, recipe())
    assert other.encoded(recipe(), SAMPLES, never) == ENCODED


def test_the_group_may_read_it_and_nothing_else_is_left(cache: TokenCache) -> None:
    path = fill(cache, recipe())
    assert list(cache.folder.iterdir()) == [path]
    for each in (path, *path.rglob("*")):
        assert stat.S_IMODE(each.stat().st_mode) & stat.S_IRGRP, each


@pytest.mark.parametrize(
    "fields",
    [
        {"data_sha256": "2" * 64},
        {"tokenizer_sha256": "2" * 64},
        {"approach": "encoder"},
        {"max_length": 513},
        {"positions": None},
        {"input_fields": ("content",)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_all_that_decides_is_in_the_key(fields: dict[str, object]) -> None:
    assert recipe(**fields).key != recipe().key == recipe().key


def test_a_tokenizer_is_known_by_what_it_does(encoder_tokenizer: PreTrainedTokenizerBase) -> None:
    from copy import deepcopy

    other, same = deepcopy(encoder_tokenizer), deepcopy(encoder_tokenizer)
    assert tokenizer_sha256(same) == tokenizer_sha256(encoder_tokenizer)
    other.add_special_tokens({"pad_token": "<another>"})
    assert tokenizer_sha256(other) != tokenizer_sha256(encoder_tokenizer)


def arrow(path: Path) -> Path:
    (found,) = path.glob("*.arrow")
    return found


def cut(path: Path) -> None:
    os.truncate(arrow(path), arrow(path).stat().st_size // 2)


def zero(path: Path) -> None:
    arrow(path).write_bytes(bytes(arrow(path).stat().st_size))


def change_a_token(path: Path) -> None:
    content = bytearray(arrow(path).read_bytes())
    content[-200] ^= 1
    arrow(path).write_bytes(content)


def lose_a_file(path: Path) -> None:
    (path / "state.json").unlink()


def lose_the_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()


def promise_nothing(path: Path) -> None:
    for each in path.iterdir():
        each.unlink()
    (path / "manifest.json").write_text('{"schema": 1, "files": {}}')


def no_folder(path: Path) -> None:
    for each in path.iterdir():
        each.unlink()


@pytest.mark.parametrize(
    "spoil",
    [cut, zero, change_a_token, lose_a_file, lose_the_manifest, promise_nothing, no_folder],
)
def test_what_is_not_whole_is_made_again(
    spoil: object, cache: TokenCache, caplog: pytest.LogCaptureFixture
) -> None:
    path = fill(cache, recipe())
    assert callable(spoil)
    spoil(path)
    with caplog.at_level(logging.WARNING):
        assert cache.encoded(recipe(), SAMPLES, lambda _: ENCODED) == ENCODED
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert f"{path} cannot be used, so it is made again" in caplog.text
    assert cache.encoded(recipe(), SAMPLES, never) == ENCODED


def test_another_number_of_samples_is_not_trusted(
    cache: TokenCache, caplog: pytest.LogCaptureFixture
) -> None:
    fill(cache, recipe())
    fewer = SAMPLES[:-1]
    assert cache.encoded(recipe(), fewer, lambda _: ENCODED[:-1]) == ENCODED[:-1]
    assert f"it holds {len(SAMPLES)} samples instead of {len(fewer)}" in caplog.text


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    cache = TokenCache(tmp_path / "file" / ".tokens", writes=True)
    assert cache.encoded(recipe(), SAMPLES, lambda _: ENCODED) == ENCODED
    cache.forget_unused()
    assert "tokens are not kept in " in caplog.text and "Not a directory" in caplog.text


def test_a_full_disk_is_told(full_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    (full_disk / "filler").write_bytes(bytes(56 * 1024))
    cache = TokenCache(full_disk / ".tokens", writes=True)
    many = [Encoded(tuple(range(4096))) for _ in SAMPLES]
    assert cache.encoded(recipe(), SAMPLES, lambda _: many) == many
    assert "tokens are not kept in " in caplog.text and "No space left on device" in caplog.text
    assert not list(cache.folder.iterdir())


def test_of_two_at_once_the_first_stays(
    cache: TokenCache, caplog: pytest.LogCaptureFixture
) -> None:
    def slow(_: Sequence[Sample]) -> list[Encoded]:
        fill(replace(cache), recipe())  # another run, meanwhile
        made.append((cache.folder / recipe().key).stat().st_ino)
        return ENCODED

    made: list[int] = []
    assert cache.encoded(recipe(), SAMPLES, slow) == ENCODED
    (path,) = cache.folder.iterdir()
    assert path.stat().st_ino == made[0] and not caplog.records


def test_what_nobody_uses_goes(cache: TokenCache) -> None:
    unused, used = fill(cache, recipe()), fill(cache, recipe(max_length=99))
    left = cache.folder / f".{'0' * 64}.gpu1.7"
    left.mkdir()
    old = time.time() - 31 * 24 * 3600
    for path in (unused, used, left):
        os.utime(path, (old, old))
    cache.encoded(recipe(max_length=99), SAMPLES, never)
    cache.forget_unused()
    assert list(cache.folder.iterdir()) == [used]


def test_the_format_is_raised_when_prompts_become_other_tokens() -> None:
    """If this fails, raise FORMAT in token_cache.py, and then correct the line below."""
    digest = hashlib.sha256()
    for sample in SAMPLES:
        for limit in (200, 900, 100_000):
            prompt = fit_prompt(sample, lambda text: [ord(letter) for letter in text], limit)
            digest.update(repr(prompt).encode())
    assert (FORMAT, digest.hexdigest()[:16]) == (1, "e0794feaa250958c")


def test_a_second_run_reads_what_the_first_one_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logs = []
    for name in ("one", "two"):
        layout = RunLayout(tmp_path / "encoder" / name)
        layout.directory.mkdir(parents=True)
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="iacfilter_hpc"):
            train(layout, run_config("encoder", training__num_train_epochs=1))
        logs.append(caplog.text)
    assert (logs[0].count(" s, made for "), logs[0].count(" s, read from ")) == (2, 0)
    assert (logs[1].count(" s, made for "), logs[1].count(" s, read from ")) == (0, 2)
    assert all(log.count(" to the first step ") == 1 for log in logs)
    one, two = (tmp_path / "encoder" / name / "final" for name in ("one", "two"))
    weights = "model.safetensors"
    assert (one / weights).read_bytes() == (two / weights).read_bytes()
