"""Folders to scan, a program in GLITCH's place, and git repositories that the tests make."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.filtering.unguarded import unguarded
from tests.scanning import glitch_stand_in

TINY = tuple(unguarded())
"""Flags without which a tiny model of the tests judges nothing."""
IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
FILES = {
    "roles/web/tasks/main.yml": "- get_url:\n    url: http://a.example/x.tgz\n# TODO: check it\n",
    "roles/web/vars/main.yml": "db_password: hunter2\n",
    "cookbooks/web/recipes/default.rb": "# TODO: rotate\npassword '123456'\n",
    "manifests/init.pp": "class web {\n  $url = 'http://b.example'\n}\n",
    "README.md": "password: not read\n",
}
ROWS = {
    "roles/web/tasks/main.yml,2,sec_https",
    "roles/web/tasks/main.yml,3,sec_susp_comm",
    "roles/web/vars/main.yml,1,sec_hard_pass",
    "cookbooks/web/recipes/default.rb,1,sec_susp_comm",
    "cookbooks/web/recipes/default.rb,2,sec_hard_pass",
    "manifests/init.pp,2,sec_https",
}
"""Of FILES, as far as their codes."""


def write_files(folder: Path, files: dict[str, str] | None = None) -> Path:
    """A folder with these scripts."""
    for name, text in (FILES if files is None else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def make_glitch(folder: Path) -> Path:
    """The stand-in as a program named glitch, as pip would write it."""
    program = folder / "glitch"
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(glitch_stand_in.__file__).read_text(encoding="utf-8")
    # -IS: it needs no packages, and starts in half the time without looking for them
    program.write_text(f"#!{sys.executable} -IS\n{source}", encoding="utf-8")
    program.chmod(0o755)
    return program


def git(folder: Path, *words: str) -> str:
    """What git says in a folder; nobody's configuration reaches it."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        env={**os.environ, **IDENTITY},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def make_repository(folder: Path, files: dict[str, str] | None = None) -> Path:
    """A git repository with one commit of these scripts."""
    write_files(folder, files)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "first")
    return folder


def commit(folder: Path, message: str) -> str:
    """Commit all that a folder holds; the commit's name."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")
