"""Changed files of a git repository: what differs from a revision, below one folder of it.

Meant is what a branch has changed: the comparison is with the commit from which it and the revision
went apart, so what others have changed meanwhile does not count. Changes that are not committed do,
and unless they are left out so do new files, those aside that git ignores.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from iacfilter_hpc.errors import UsageError

FLAG = "--changed-since"
FETCH = "git fetch --unshallow, or `fetch-depth: 0` of actions/checkout, `GIT_DEPTH: 0` of GitLab"


@dataclass(frozen=True, slots=True)
class Changes:
    """Changed paths below a folder, relative to it; a submodule is one path for all its files."""

    paths: frozenset[str]

    def __contains__(self, file: str) -> bool:
        above = [str(parent) for parent in PurePosixPath(file).parents]
        return not self.paths.isdisjoint([file, *above])


def changed_since(folder: Path, revision: str, *, untracked: bool = True) -> Changes:
    """The files below a folder that differ from a revision, deleted ones left out.

    A file that was renamed counts by its new name; `untracked` takes in what git has not seen yet.

    Raises:
        UsageError: the folder is in no repository, the revision is unknown, or its history is not
            here.
    """
    repository = _Repository(folder)
    repository.check(revision)
    start = repository.start_of(revision)
    listed = ("-z", "--name-only", "--no-renames", "--diff-filter=d", "--relative")
    differing = repository.ask("diff", *listed, "--no-ext-diff", start, "--", ".")
    # bytes between NULs: a name may hold whatever it likes, also a line end
    names = _output(differing).split(b"\0")
    if untracked:
        new = repository.ask("ls-files", "-z", "--others", "--exclude-standard", "--", ".")
        names += _output(new).split(b"\0")
    # a repository inside this one is told as a folder, with a slash at its end
    return Changes(frozenset(os.fsdecode(name.rstrip(b"/")) for name in names if name))


@dataclass(frozen=True, slots=True)
class _Repository:
    """The repository that a folder is in."""

    folder: Path

    def ask(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", "-C", str(self.folder), *words],
                # messages are not read, but a person may see them
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise UsageError(
                f"{FLAG} needs git, which is not on PATH", hint="leave it out, or install git"
            ) from error

    def check(self, revision: str) -> None:
        inside = self.ask("rev-parse", "--is-inside-work-tree")
        if inside.stdout.strip() != b"true":
            raise UsageError(
                f"{FLAG} {revision}: {self.folder} is in no git work tree{_why(inside)}",
                hint="without it every script is read",
            )
        # half a history has no common ancestor, or another one
        if self.ask("rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
            raise UsageError(
                f"{FLAG} {revision}: {self.folder} is a shallow clone, so git cannot tell",
                hint=FETCH,
            )

    def start_of(self, revision: str) -> str:
        """The tree or commit to compare with."""
        known = self.ask(
            "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"
        )
        if not known.returncode:
            return self._fork(revision, known.stdout.decode().strip())
        # before the first commit all is new; in no other repository is HEAD unknown
        if revision == "HEAD" and not self.ask("rev-parse", "--git-dir").returncode:
            return _output(self.ask("hash-object", "-t", "tree", "/dev/null")).decode().strip()
        raise UsageError(
            f"{FLAG} {revision}: there is no such commit in {self.folder}",
            hint="git fetch origin BRANCH, then origin/BRANCH; git branch --all names what is here",
        )

    def _fork(self, revision: str, commit: str) -> str:
        common = self.ask("merge-base", commit, "HEAD")
        if common.returncode:
            raise UsageError(
                f"{FLAG} {revision}: it has no commit in common with HEAD",
                hint="name a revision that HEAD has come from",
            )
        return common.stdout.decode().split()[0]


def _output(done: subprocess.CompletedProcess[bytes]) -> bytes:
    if done.returncode:
        raise UsageError(f"git cannot tell what has changed{_why(done)}")
    return done.stdout


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return f": {said[0]}" if said else ""
