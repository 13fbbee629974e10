"""iacfilter_hpc.runs.files: all of a file or nothing, readable by the group."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from iacfilter_hpc.runs.files import current_umask, replacing, write_atomically, write_json


def test_replaces_the_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "a file"
    for text in ("long first text\n", "grün\n"):
        write_atomically(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_write_leaves_the_old_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_content_alone(full_disk: Path) -> None:
    path = full_disk / "run.json"
    write_atomically(path, "old")
    filler = full_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    # what is larger than a buffer fails while it is written, what is smaller when it is stored
    for size in (200_000, 100):
        with pytest.raises(OSError, match="No space left") as caught:
            write_atomically(path, "x" * size)
        assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert sorted(full_disk.iterdir()) == [filler, path]


def test_a_directory_in_the_place_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_atomically(tmp_path / "taken", "text")
    assert caught.value.filename == str(tmp_path / "taken")
    assert caught.value.filename2 is None
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660), (0o077, 0o600)])
def test_the_umask_says_who_may_read(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        assert current_umask() == umask
        write_atomically(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_json_refuses_what_is_not_a_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_several_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    two.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(one, two) as (first, second):
        first.write(b"new")
        second.write(b"new")
        raise KeyboardInterrupt
    assert (sorted(tmp_path.iterdir()), two.read_text()) == ([two], "old")
    with replacing(one, two) as (first, second):
        first.write(b"1")
        second.write(b"2")
        assert [p.name for p in tmp_path.iterdir() if p.suffix == ""] == ["two"]
    assert (one.read_text(), two.read_text()) == ("1", "2")
    assert sorted(tmp_path.iterdir()) == [one, two]


def test_one_file_without_room_leaves_all_as_they_were(full_disk: Path, tmp_path: Path) -> None:
    fits, full = tmp_path / "fits", full_disk / "full"
    with pytest.raises(OSError, match="No space left") as caught, replacing(fits, full) as files:
        files[0].write(b"new")
        files[1].write(b"x" * 200_000)
    assert not fits.exists() and not list(full_disk.iterdir())
    assert (caught.value.errno, caught.value.filename) == (28, str(full))


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    missing = tmp_path / "no such directory" / "file"
    with pytest.raises(FileNotFoundError) as caught, replacing(missing):
        pass
    assert caught.value.filename == str(missing)
