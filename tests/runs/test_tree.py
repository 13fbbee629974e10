"""iacfilter_hpc.runs.tree: claim a name once, find a run again, list them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from iacfilter_hpc.config.approaches import APPROACHES
from iacfilter_hpc.errors import IacfilterError, RunNotFound, UsageError
from iacfilter_hpc.runs.tree import all_runs, create_run, find_run, new_name
from tests.made_runs import MadeRuns

CLAIM = """
import sys
from pathlib import Path
from iacfilter_hpc.runs.tree import create_run
from iacfilter_hpc.errors import UsageError
print("ready", flush=True)
sys.stdin.readline()
won = 0
for number in range(200):
    try:
        create_run(Path(sys.argv[1]), "encoder", f"run-{number}")
        won += 1
    except UsageError:
        pass
print(won)
"""


def test_create_makes_the_directories(models: Path) -> None:
    layout = create_run(models, "generative", "mine")
    assert layout.directory == models / "generative" / "mine"
    assert layout.slurm.is_dir()


@pytest.mark.parametrize("approach", APPROACHES)
def test_a_name_is_taken_in_both_approaches(models: Path, approach: str) -> None:
    create_run(models, approach, "mine")
    for other in APPROACHES:
        with pytest.raises(UsageError, match="run mine exists already"):
            create_run(models, other, "mine")


def test_of_two_processes_one_wins_each_name(models: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, str(models)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    won = 0
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        said, _ = racer.communicate()
        assert racer.returncode == 0
        won += int(said)
    assert won == 200
    assert len(list(models.glob("encoder/run-*"))) == 200


def test_a_models_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(IacfilterError, match=r"file/models.* cannot be made: Not a directory"):
        create_run(tmp_path / "file" / "models", "encoder", "mine")


def test_made_names_are_valid_and_differ() -> None:
    from iacfilter_hpc.config.schema import RUN_NAME

    names = {new_name("encoder") for _ in range(20)}
    assert len(names) > 10
    assert all(RUN_NAME.fullmatch(name) and name.startswith("encoder-") for name in names)


def test_finds_a_run_by_name_path_and_job_id(
    made: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = made.run("mine", "generative")
    made.job(layout, "4242")
    made.run("other")
    for name in ("mine", str(layout.directory), f"{layout.directory}/", "4242"):
        assert find_run(made.models, name) == layout
    monkeypatch.chdir(made.models)
    assert find_run(made.models, "./generative/mine") == layout


def test_a_name_of_digits_is_a_name_before_it_is_a_job(made: MadeRuns) -> None:
    named = made.run("4242")
    made.job(made.run("other"), "4242")
    assert find_run(made.models, "4242") == named


@pytest.mark.parametrize("name", ["none", "999", "", ".", "..", "*", "a/b", "/", "grün", "a\nb"])
def test_a_run_that_is_not_there(made: MadeRuns, name: str) -> None:
    made.job(made.run("mine"), "7")
    with pytest.raises(RunNotFound, match="no run"):
        find_run(made.models, name)


def test_lists_only_what_has_a_record(made: MadeRuns) -> None:
    first, second = made.run("z"), made.run("a", "generative")
    (made.models / "encoder" / "no-record").mkdir()
    (made.models / "notes.txt").write_text("mine")
    assert all_runs(made.models) == [first, second]
    assert all_runs(made.models / "nowhere") == []
