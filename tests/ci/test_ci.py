"""The action, the hook and the GitLab job: their own lines, run as their hosts run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from iacfilter_hpc.cli.judging.scan import arguments, main
from tests.cli.commands import PROGRAMS
from tests.scanning.made import (
    IDENTITY,
    TINY,
    git,
    make_glitch,
    make_repository,
    write_files,
)
from tests.tiny_finals import make_encoder_final
from tests.training.settings import REPOSITORY, TRAINS

pytestmark = TRAINS
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
GITLAB_FILE = REPOSITORY / "configs" / "ci" / "iacfilter.gitlab-ci.yml"
GITLAB = yaml.safe_load(GITLAB_FILE.read_text(encoding="utf-8"))
JOB = GITLAB["iacfilter-scan"]
KEEP = "0.000001"
RECORDER = '#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done >"$RECORDED"\nexit "${CODE:-0}"\n'
HOSTILE = "a b'\"; touch pwned; $(touch pwned) `touch pwned` ${{ x }} *\n--json"
LINES = "\n--a b\n\n`touch pwned`$(touch pwned)*"


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_encoder_final(tmp_path_factory.mktemp("encoder") / "final")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


def step(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in ACTION["runs"]["steps"] if s["name"] == name)
    return found


def clean(tmp_path: Path, *programs: Path, **variables: str) -> dict[str, str]:
    """The environment of a job: nothing of the person who runs the tests is in it."""
    path = os.pathsep.join([*map(str, programs), "/usr/bin", "/bin"])
    kept = {name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ}
    return {"PATH": path, "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", **kept, **variables}


def run_step(
    name: str, folder: Path, environment: dict[str, str], **inputs: str
) -> subprocess.CompletedProcess[str]:
    """Run a step of the action with GitHub's shell; inputs that are not given have defaults."""
    found = step(name)
    values = {n: str(each.get("default", "")) for n, each in ACTION["inputs"].items()} | {
        n.replace("_", "-"): value for n, value in inputs.items()
    }
    variables = {
        variable: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda m: values[m[1]], str(text))
        for variable, text in found.get("env", {}).items()
    }
    script = folder.parent / "step.sh"
    script.write_text(found["run"], encoding="utf-8")
    # docs.github.com, "Workflow syntax", jobs.<job_id>.steps[*].shell: what `bash` stands for
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    """What GitHub's runner sets for a step."""
    temporary = tmp_path / "runner"
    temporary.mkdir()
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(REPOSITORY),
        "GITHUB_OUTPUT": str(temporary / "output"),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary"),
        "RUNNER_TEMP": str(temporary),
    }


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """A program named iacfilter-scan that notes its words."""
    program = tmp_path / "recorder" / "iacfilter-scan"
    program.parent.mkdir()
    program.write_text(RECORDER)
    program.chmod(0o755)
    return program.parent


def words_in(path: Path) -> list[str]:
    return path.read_text().split("\0")[:-1]


def test_nothing_of_an_input_stands_in_a_script() -> None:
    for each in ACTION["runs"]["steps"]:
        assert "${{" not in each["run"], each["name"]
        assert each["shell"] == "bash"
    used = set(re.findall(r"inputs\.([a-z-]+)", json.dumps(ACTION["runs"])))
    assert used == set(ACTION["inputs"])
    assert not re.search(r"CI_[A-Z_]*(TITLE|NAME|MESSAGE)", GITLAB_FILE.read_text())


@pytest.mark.parametrize("place", ["action", "gitlab"])
def test_hostile_inputs_are_words_and_no_commands(
    tmp_path: Path, repository: Path, runner: dict[str, str], recorder: Path, place: str
) -> None:
    recorded = tmp_path / "words"
    environment = clean(tmp_path, recorder, RECORDED=str(recorded))
    hostile = ("glitch", "changed_since", "smells", "path", "model", "unjudged")
    if place == "action":
        names = {name: f"{name}{HOSTILE}" for name in (*hostile, "sarif")}
        done = run_step("Scan", repository, environment | runner, **names, args=LINES)
    else:
        names = {name: f"{name}{HOSTILE}" for name in hostile}
        variables = {f"IACFILTER_{name.upper()}": value for name, value in names.items()}
        done = run_job(repository, environment | variables | {"IACFILTER_ARGS": LINES})
    assert (done.returncode, done.stderr) == (0, "")
    words = words_in(recorded)
    assert words[-2:] == ["--", names.pop("path")]
    assert words[-4:-2] == ["--a b", "`touch pwned`$(touch pwned)*"]
    for name, value in names.items():
        assert f"--{name.replace('_', '-')}={value}" in words
    assert not list(tmp_path.rglob("pwned*"))


def test_the_words_are_flags_of_the_command(
    tmp_path: Path, repository: Path, runner: dict[str, str], recorder: Path
) -> None:
    recorded = tmp_path / "words"
    environment = clean(tmp_path, recorder, RECORDED=str(recorded), CODE="2") | runner
    done = run_step("Scan", repository, environment, model="m", path="-x", args="--min-recall=0.9")
    assert done.returncode == 2
    assert Path(runner["GITHUB_OUTPUT"]).read_text() == "exit-code=2\n"
    args = arguments().parse_args(words_in(recorded))
    assert (args.model, args.scripts, args.min_recall) == ("m", Path("-x"), 0.9)
    assert (args.fail_on_findings, args.unjudged, args.glitch) == (True, "keep", None)
    run_step("Scan", repository, environment, model="m", fail_on_findings="false")
    assert not arguments().parse_args(words_in(recorded)).fail_on_findings


def run_job(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the GitLab job's script by a POSIX shell, with the variables that the file sets."""
    variables = {**GITLAB["variables"], **JOB["variables"]}
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(JOB["script"])],
        cwd=folder,
        env={**variables, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture(scope="module")
def environment_of_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment in which all packages are but ours; its programs."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_the_action_installs_this_project_and_scans(
    tmp_path: Path,
    repository: Path,
    runner: dict[str, str],
    environment_of_python: Path,
    final: Path,
) -> None:
    # from what is here: no index is asked, and the build backend is the one that is installed
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    glitch = make_glitch(tmp_path / "bin")
    environment = clean(tmp_path, environment_of_python, glitch.parent, **offline) | runner
    done = run_step("Install", repository, environment)
    assert done.returncode == 0, done.stderr
    assert (environment_of_python / "iacfilter-scan").is_file()
    done = run_step(
        "Scan",
        repository,
        environment,
        model=str(final),
        smells="use_of_http",
        args="\n".join(["--threshold", KEEP, *TINY]),
    )
    assert done.returncode == 1, done.stderr
    assert Path(runner["GITHUB_OUTPUT"]).read_text() == "exit-code=1\n"
    assert Path(runner["GITHUB_STEP_SUMMARY"]).read_text().startswith("### Security smells: 2 find")
    log = json.loads((repository / "iacfilter.sarif").read_text())
    assert {result["ruleId"] for result in log["runs"][0]["results"]} == {"sec_https"}
    assert "hunter2" not in done.stdout + done.stderr


def test_the_gitlab_job_leaves_a_code_quality_report(
    tmp_path: Path,
    repository: Path,
    recorder: Path,
    final: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The words are those of the job's own lines; the command runs here, where torch is loaded."""
    glitch, recorded = make_glitch(tmp_path / "bin"), tmp_path / "words"
    variables = {
        "IACFILTER_MODEL": str(final),
        "IACFILTER_SMELLS": "sec_hard_secr",
        "IACFILTER_GLITCH": str(glitch),
        "IACFILTER_ARGS": "\n".join([f"--threshold={KEEP}", *TINY]),
    }
    done = run_job(repository, clean(tmp_path, recorder, RECORDED=str(recorded), **variables))
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.chdir(repository)
    assert main(words_in(recorded)) == 1
    assert JOB["allow_failure"] == {"exit_codes": 1}
    assert JOB["artifacts"]["when"] == "always"
    found = json.loads(Path(JOB["artifacts"]["reports"]["codequality"]).read_text())
    assert {issue["location"]["path"] for issue in found} == {
        "roles/web/vars/main.yml",
        "cookbooks/web/recipes/default.rb",
    }
    assert all(Path(name).is_file() for name in JOB["artifacts"]["paths"])


def test_pre_commit_stops_a_commit_that_brings_findings(
    tmp_path: Path, repository: Path, final: Path
) -> None:
    """The hook's own words, in a repository that names this one; no network, no environment."""
    glitch = make_glitch(tmp_path / "bin")
    hook = {"id": HOOKS[0]["id"], "args": ["--model", str(final), "--threshold", KEEP, *TINY]}
    local = make_repository(
        tmp_path / "hooks",
        {".pre-commit-hooks.yaml": (REPOSITORY / ".pre-commit-hooks.yaml").read_text()},
    )
    revision = git(local, "rev-parse", "HEAD")
    config = {"repos": [{"repo": local.as_uri(), "rev": revision, "hooks": [hook]}]}
    write_files(repository, {".pre-commit-config.yaml": yaml.safe_dump(config)})
    git(repository, "add", ".pre-commit-config.yaml")
    git(repository, "commit", "--quiet", "-m", "hooks")
    environment = clean(tmp_path, PROGRAMS, glitch.parent, PYTHONPATH=str(REPOSITORY)) | IDENTITY

    def commit() -> subprocess.CompletedProcess[str]:
        git(repository, "add", "--update")
        return subprocess.run(
            ["git", "-C", str(repository), "commit", "-m", "more"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    subprocess.run(["pre-commit", "install"], cwd=repository, env=environment, check=True)
    write_files(repository, {"new.pp": "$password = 'hunter3'\n"})
    git(repository, "add", "new.pp")
    write_files(repository, {"untracked.yml": "# TODO\n"})
    done = commit()
    assert done.returncode == 1, done.stderr
    said = done.stdout + done.stderr
    assert "new.pp,1,sec_hard_pass," in said and "exit code: 1" in said
    assert "untracked.yml" not in said, "it is no part of the commit"
    assert "roles/web" not in said, "nor is what was there before"
    git(repository, "rm", "--quiet", "--cached", "new.pp")
    write_files(repository, {"README.md": "no script\n"})
    done = commit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(no files to check)" in done.stdout + done.stderr
