"""iacfilter_hpc.glitch.scripts: the right file, its lines, and nothing outside the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iacfilter_hpc.glitch.scripts import (
    CACHED,
    MAX_SCRIPT_BYTES,
    Scripts,
    UnreadableScript,
    find_prefix,
)
from tests.samples.made import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"a.yml": b"1\n2\n", "roles/main.yml": b"x", "roles/db/main.yml": b"y"}
    files |= {"main.yml": b"z", "roles/a.yml": b"z"}
    return write(tmp_path / "scripts", files)


@pytest.mark.parametrize(
    ("paths", "prefix"),
    [
        (["a.yml", "roles/main.yml"], ""),
        (["./a.yml", "./roles/main.yml"], ""),
        (["in/x/a.yml", "in/x/roles/main.yml"], "in/x"),
        (["../in/a.yml", "../in/roles/db/main.yml"], "../in"),
        (["/in/x/a.yml"], "/in/x"),
        # two of three
        (["p/a.yml", "p/roles/main.yml", "q/a.yml", "p/gone.yml"], "p"),
        # main.yml is everywhere: only a whole path counts
        (["p/tasks/a.yml", "p/roles/db/main.yml", "p/roles/main.yml"], "p"),
        # of a bare name only if all paths lie in one directory: main.yml is everywhere
        (["p/roles/web/tasks/main.yml"], "p/roles/web/tasks"),
        (["p/tasks/main.yml", "p/tasks/gone.yml", "p/tasks/x/gone.yml"], "p/tasks"),
        (["p/web/tasks/main.yml", "p/db/tasks/main.yml"], ""),
        (["p/web/main.yml", "p/web/a.yml", "p/db/gone.yml"], ""),
        (["main.yml", "p/db/gone.yml"], ""),
        # the shortest of equals: roles/main.yml and roles/a.yml
        (["roles/main.yml", "roles/a.yml"], ""),
        (["none.yml", "p/none.yml"], ""),
        ([], ""),
        (["", ".", "/", "..", "a" * 300, "a\0b"], ""),
    ],
)
def test_the_prefix_of_most_paths(folder: Path, paths: list[str], prefix: str) -> None:
    assert find_prefix(paths, folder) == prefix


def test_a_path_that_leads_out_of_the_folder_is_no_reason_for_a_prefix(folder: Path) -> None:
    write(folder.parent, {"secret.yml": b"x"})
    (folder / "link.yml").symlink_to("../secret.yml")
    (folder / "inside.yml").symlink_to("a.yml")
    assert find_prefix(["x/../secret.yml", "x/link.yml"], folder) == ""
    assert find_prefix(["x/inside.yml"], folder) == "x"


@pytest.mark.parametrize(
    ("prefix", "path", "relative"),
    [
        ("", "a.yml", "a.yml"),
        ("", "./roles//main.yml", "roles/main.yml"),
        ("", "gone.yml", "gone.yml"),
        ("in/x", "in/x/a.yml", "a.yml"),
        ("in/x/", "./in/x/a.yml", "a.yml"),
        ("in", "in/roles/main.yml", "roles/main.yml"),
        ("in/x", "in/x", None),
        ("in/x", "in/xx/a.yml", None),
        ("in/x", "a.yml", None),
        ("", "/etc/passwd", None),
        ("", "../secret.yml", None),
        ("", "roles/../../secret.yml", None),
        ("in", "in/../a.yml", None),
        ("", "roles/../a.yml", None),
        ("", "link.yml", None),
        ("", "out/secret.yml", None),
        ("", "inside.yml", "inside.yml"),
        ("", "a\0.yml", None),
        ("", "", None),
    ],
)
def test_a_path_below_the_folder(
    folder: Path, prefix: str, path: str, relative: str | None
) -> None:
    write(folder.parent, {"secret.yml": b"x"})
    (folder / "link.yml").symlink_to("../secret.yml")
    (folder / "out").symlink_to("..")
    (folder / "inside.yml").symlink_to("a.yml")
    assert Scripts(folder, prefix).relative(path) == relative


def test_a_folder_that_is_a_link_is_the_folder_it_names(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert find_prefix(["x/a.yml"], link) == "x"
    assert Scripts(link).relative("a.yml") == "a.yml"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", ()),
        (b"\n", ("",)),
        (b"a", ("a",)),
        (b"a\n", ("a",)),
        (b"a\n\n", ("a", "")),
        (b"a\r\nb\r\n", ("a", "b")),
        (b"a\rb", ("a", "b")),
        (b"\xef\xbb\xbfa\n  b", ("a", "  b")),
        # no line ends for a parser of YAML, Ruby or Puppet
        ("a\x0cb\x1cc\u2028d\x85e".encode(), ("a\x0cb\x1cc\u2028d\x85e",)),
    ],
)
def test_lines(tmp_path: Path, content: bytes, lines: tuple[str, ...]) -> None:
    scripts = Scripts(write(tmp_path, {"a": content}))
    assert scripts.lines("a") == lines
    assert not scripts.script("a").latin1


def test_bytes_that_are_no_utf_8_are_latin_1_and_said_to_be(tmp_path: Path) -> None:
    scripts = Scripts(write(tmp_path, {"a": b"caf\xe9\n"}))
    assert scripts.lines("a") == ("caf\u00e9",)
    assert scripts.script("a").latin1


def test_a_file_that_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    scripts = Scripts(write(tmp_path, {"binary": b"a\0b", "below/x": b""}))
    with (tmp_path / "large").open("wb") as large:
        large.truncate(MAX_SCRIPT_BYTES + 1)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("none")
    for name, reason in (
        ("none", "file is missing"),
        ("dangling", "file is missing"),
        ("below", "it is a directory"),
        ("pipe", "it is no regular file"),
        ("binary", "not a text file"),
        ("large", "file is larger than 32 MiB"),
        ("below/x/y", "file is missing"),
        ("n" * 300, "file cannot be read: File name too long"),
    ):
        with pytest.raises(UnreadableScript) as caught:
            scripts.lines(name)
        assert str(caught.value) == reason, name


def test_the_cache_is_small_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    names = [str(number) for number in range(CACHED + 1)]
    scripts = Scripts(write(tmp_path, {name: name.encode() for name in names}))
    for name in names[:-1]:
        scripts.lines(name)
    first = scripts.script("0")
    scripts.lines(names[-1])
    for name in names:
        (tmp_path / name).unlink()
    assert scripts.script("0") is first
    assert scripts.lines(names[-1]) == (names[-1],)
    with pytest.raises(UnreadableScript, match="file is missing"):
        scripts.lines("1")


def test_the_cache_is_bounded_by_memory_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest script stays, however large it is."""
    monkeypatch.setattr("iacfilter_hpc.glitch.scripts.CACHED_BYTES", 25_000)
    scripts = Scripts(write(tmp_path, dict.fromkeys("abc", b"x" * 10000) | {"d": b"y" * 99_999}))
    first = scripts.script("a")
    for name in "bc":
        scripts.script(name)
    assert scripts.script("a") is not first, "of three only two fit"
    last = scripts.script("d")
    assert scripts.script("d") is last
    (tmp_path / "a").unlink()
    with pytest.raises(UnreadableScript):
        scripts.script("a")


def test_what_was_read_as_latin_1_is_remembered(tmp_path: Path) -> None:
    files = {"b": b"caf\xe9\n", "a": b"\xff", "c": b"plain"}
    scripts = Scripts(write(tmp_path, files))
    assert scripts.latin1 == ()
    for name in files:
        scripts.script(name)
    assert scripts.latin1 == ("a", "b")
