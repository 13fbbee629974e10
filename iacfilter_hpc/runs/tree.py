"""Tree of runs: create, find, list and name the directories models/<approach>/<run>."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from iacfilter_hpc.errors import IacfilterError, RunNotFound, UsageError
from iacfilter_hpc.runs.layout import RunLayout


def new_name(approach: str) -> str:
    """A run's name: approach, local date and time, four random hex digits."""
    import secrets  # 12 ms that status need not spend

    # local time, unlike in records: names are for people
    return f"{approach}-{datetime.now().strftime('%m%d-%H%M')}-{secrets.token_hex(2)}"


def create_run(models: Path, approach: str, name: str) -> RunLayout:
    """Claim a new run's directory; mkdir has one winner, also on NFS.

    Raises:
        UsageError: a run of that name exists, in any approach.
        IacfilterError: the directory cannot be written.
    """
    # Commands name a run without its approach. Two that take one name in two approaches at the same
    # moment may both get it: mkdir decides within one
    for other in _approach_directories(models):
        if (other / name).exists():
            raise UsageError(
                f"run {name} exists already: {other / name}", hint="choose another --name"
            )
    layout = RunLayout(models / approach / name)
    try:
        layout.directory.parent.mkdir(parents=True, exist_ok=True)
        # no exist_ok, in contrast to the parents: this is the claim
        layout.directory.mkdir()
        layout.slurm.mkdir()
    except FileExistsError as error:
        raise UsageError(f"run {name} exists already: {layout.directory}") from error
    except OSError as error:
        raise IacfilterError(
            f"{error.filename} cannot be made: {error.strerror}", hint="choose another --models-dir"
        ) from error
    return layout


def all_runs(models: Path) -> list[RunLayout]:
    """Every run under the models directory, oldest first."""
    # run.json is written once, at submission: its time tells the age, and no file need be read
    found = [RunLayout(record.parent) for record in models.glob("*/*/run.json")]
    return sorted(found, key=lambda layout: (layout.record.stat().st_mtime_ns, layout.name))


def find_run(models: Path, name: str) -> RunLayout:
    """The run of that name, of that directory, or with that job id.

    Raises:
        RunNotFound: there is none.
    """
    # a bare name is no path: what is called so in the working directory has nothing to do with it
    if "/" in name and (Path(name) / "run.json").is_file():
        return RunLayout(Path(name).absolute())
    for approach in _approach_directories(models):
        layout = RunLayout(approach / name)
        if layout.record.is_file():
            return layout
    # last, as a run may be named by digits; newest first, as Slurm gives job ids again
    for layout in reversed(all_runs(models)):
        if name.isdecimal() and layout.job(name).is_file():
            return layout
    raise RunNotFound(f"no run {name} under {models}", hint="iacfilter-status lists them")


def _approach_directories(models: Path) -> list[Path]:
    """One each approach that has runs; there may be more approaches than this version knows."""
    return sorted(path for path in models.glob("*") if path.is_dir())
