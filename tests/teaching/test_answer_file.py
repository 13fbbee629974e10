"""The file of answers: on disk at once, whole after a full disk, open to one process at a time."""

from __future__ import annotations

import errno
import fcntl
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.teaching.answer_file import Answer, opened
from tests.teaching.faulty_server import completion


def answer(vote: int, text: str = "TP") -> Answer:
    return Answer(
        sample="0123456789abcdef",
        request="r",
        vote=vote,
        prompt="p",
        model="m",
        asked_at="2026-01-01T00:00:00Z",
        seconds=0.5,
        raw=completion(text),
    )


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a full disk does to a file, without one. Python ignores SIGXFSZ."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_added_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.answers.jsonl"
    # line ends of Unicode, which are none of the file's
    texts = ["TP", "a\u2028b\x85c\nFP", "\u00e4 \U0001f600"]
    with opened(path) as (file, is_locked):
        assert is_locked and not file.answers
        for number, text in enumerate(texts):
            file.add(answer(number, text))
            assert len(path.read_bytes().split(b"\n")) == number + 2, "on disk before the next one"
    with opened(path) as (file, _):
        assert [each.completion.text for each in file.answers.values()] == texts
        assert [each.completion.verdict for each in file.answers.values()] == ["TP", "FP", None]


def test_a_full_disk_costs_one_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.answers.jsonl"
    with opened(path) as (file, _):
        file.add(answer(0))
        room = path.stat().st_size + 50
        with (
            files_of_at_most(room),
            pytest.raises(IacfilterError, match="cannot be written: File too large"),
        ):
            file.add(answer(1))
    assert path.stat().st_size == room, "a part of it was written"
    with opened(path) as (file, _):
        assert [key.number for key in file.answers] == [0]
        file.add(answer(1))
    assert len(path.read_bytes().splitlines()) == 2


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Lustre mounted without flock answers; nothing of it can be had here."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with opened(tmp_path / "a.answers.jsonl") as (file, is_locked):
        file.add(answer(0))
        assert not is_locked
