"""Find a trained model: of a run, or in a directory that was copied from one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import IacfilterError, RunNotFound
from iacfilter_hpc.runs.layout import RunLayout, absolute
from iacfilter_hpc.runs.tree import find_run
from iacfilter_hpc.trained_model.decision import FILE


@dataclass(frozen=True, slots=True)
class Trained:
    """Trained model: a final/ directory, and the run that it lies in, None for a copy elsewhere."""

    final: Path
    run: RunLayout | None

    @property
    def name(self) -> str:
        """Name of the run, else of the directory that was copied."""
        if self.run is not None:
            return self.run.name
        # "final" names every copy alike: the folder around it is what the user has named
        return self.final.parent.name if self.final.name == "final" else self.final.name


def of_run(run: RunLayout) -> Trained:
    """Trained model of a run, whether training has finished or not."""
    return Trained(run.final, run)


def find_trained(models: Path, name: str) -> Trained:
    """Trained model of a run (by name, directory or job id), or in a directory.

    Such a directory is a final/ or holds one. A run's own final/ stands for the run.

    Raises:
        RunNotFound: there is neither a run nor a directory of that name.
        IacfilterError: there is, but no trained model in it.
    """
    directory = absolute(Path(name))
    try:
        # runs first: a folder that happens to bear a run's name must not stand for it
        run = find_run(models, name)
    except RunNotFound:
        if not directory.is_dir():
            raise
        return _in_directory(directory)
    # said here, by name: without final/ everything later would complain of a missing file
    if not run.final.is_dir():
        raise IacfilterError(
            f"{run.name} has no trained model: {run.final} is missing",
            hint=f"iacfilter-status {run.name} tells how far it is",
        )
    return of_run(run)


def _in_directory(directory: Path) -> Trained:
    # decision.json tells a model from any other directory: every model of ours has one
    final = next((d for d in (directory, directory / "final") if (d / FILE).is_file()), None)
    if final is None:
        raise IacfilterError(
            f"{directory} holds no trained model: neither {FILE} nor final/{FILE}",
            hint="name a run, or a copy of its final/ with every file in it",
        )
    run = RunLayout(final.parent)
    # a copy elsewhere in the run is no part of it: the run's configuration may not be its own
    return Trained(final, run if final == run.final and run.record.is_file() else None)
