"""Changed files, asked of a real git."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.scanning.changes import changed_since
from tests.scanning.made import commit, git, make_repository, write_files

FILES = {"a.yml": "a\n", "b.yml": "b\n" * 40, "c.yml": "c\n", "sub/d.yml": "d\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository", FILES)


def test_committed_staged_edited_and_new_files(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    write_files(repository, {"a.yml": "committed\n"})
    commit(repository, "second")
    write_files(
        repository, {"c.yml": "edited\n", "staged.yml": "s\n", ".gitignore": "ignored.yml\n"}
    )
    git(repository, "add", "staged.yml", ".gitignore")
    write_files(repository, {"new.yml": "n\n", "ignored.yml": "i\n"})
    known = {"a.yml", "c.yml", "staged.yml", ".gitignore"}
    assert changed_since(repository, first).paths == {*known, "new.yml"}
    assert changed_since(repository, first, untracked=False).paths == known
    assert changed_since(repository, "HEAD").paths == {*known, "new.yml"} - {"a.yml"}


def test_renamed_and_deleted_files(repository: Path) -> None:
    git(repository, "mv", "b.yml", "renamed.yml")
    git(repository, "rm", "--quiet", "c.yml")
    (repository / "a.yml").unlink()
    found = changed_since(repository, "HEAD")
    assert found.paths == {"renamed.yml"}
    assert "b.yml" not in found and "a.yml" not in found


ODD = (b"caf\xc3\xa9.yml", b"latin\xff.yml", b"line\nend.yml", b'quo"te\t.yml', b"-x.yml")


def test_names_of_any_bytes(repository: Path) -> None:
    for name in ODD:
        (Path(repository) / os.fsdecode(name)).write_text("x\n")
    assert changed_since(repository, "HEAD").paths == {os.fsdecode(name) for name in ODD}
    commit(repository, "odd")
    assert changed_since(repository, "HEAD~1").paths == {os.fsdecode(name) for name in ODD}


def test_a_folder_of_the_repository(repository: Path) -> None:
    write_files(repository, {"a.yml": "2\n", "sub/d.yml": "2\n", "sub/new.yml": "n\n"})
    assert changed_since(repository / "sub", "HEAD").paths == {"d.yml", "new.yml"}


def test_what_others_have_changed_does_not_count(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "mine")
    write_files(repository, {"a.yml": "mine\n"})
    commit(repository, "mine")
    git(repository, "checkout", "--quiet", "main")
    write_files(repository, {"c.yml": "theirs\n"})
    commit(repository, "theirs")
    git(repository, "checkout", "--quiet", "mine")
    assert changed_since(repository, "main").paths == {"a.yml"}


def test_a_repository_inside_counts_whole(repository: Path) -> None:
    make_repository(repository / "vendor" / "role", {"tasks/main.yml": "x\n"})
    assert "vendor/role/tasks/main.yml" in changed_since(repository, "HEAD")
    git(repository, "add", "vendor/role")
    commit(repository, "as a submodule")
    write_files(repository / "vendor" / "role", {"tasks/main.yml": "y\n"})
    found = changed_since(repository, "HEAD")
    assert "vendor/role/tasks/main.yml" in found and "vendor/other.yml" not in found


def test_before_the_first_commit_all_is_new(tmp_path: Path) -> None:
    write_files(tmp_path, FILES)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "a.yml")
    assert changed_since(tmp_path, "HEAD").paths == set(FILES)
    assert changed_since(tmp_path, "HEAD", untracked=False).paths == {"a.yml"}


def test_what_git_cannot_tell_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        changed_since(repository, "nowhere")
    assert (
        refused.value.message == f"--changed-since nowhere: there is no such commit in {repository}"
    )
    assert "git fetch" in str(refused.value.hint)
    for hostile in ("--output=pwned", "-h", "main; touch pwned", "HEAD:a.yml"):
        with pytest.raises(UsageError, match="there is no such commit"):
            changed_since(repository, hostile)
    assert not list(tmp_path.rglob("pwned"))
    plain = tmp_path / "plain"
    plain.mkdir()
    with pytest.raises(UsageError, match="is in no git work tree"):
        changed_since(plain, "HEAD")


def test_a_shallow_clone_is_refused(repository: Path, tmp_path: Path) -> None:
    write_files(repository, {"a.yml": "2\n"})
    commit(repository, "second")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), str(clone))
    with pytest.raises(UsageError, match="is a shallow clone") as refused:
        changed_since(clone, "HEAD")
    assert "fetch-depth: 0" in str(refused.value.hint)
    git(clone, "fetch", "--quiet", "--unshallow")
    assert changed_since(clone, "HEAD~1").paths == {"a.yml"}


def test_histories_that_never_met(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--orphan", "other")
    commit(repository, "other")
    with pytest.raises(UsageError, match="no commit in common with HEAD"):
        changed_since(repository, "main")


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs git, which is not on PATH"):
        changed_since(repository, "HEAD")
