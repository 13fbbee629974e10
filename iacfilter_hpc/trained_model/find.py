"""Find a trained model: of a run, in a directory that was copied from one, or on the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import IacfilterError, RunNotFound
from iacfilter_hpc.runs.layout import RunLayout, absolute
from iacfilter_hpc.runs.tree import find_run
from iacfilter_hpc.trained_model.decision import FILE
from iacfilter_hpc.trained_model.hub import HOW_TO_NAME, SCHEME, HubName, fetch, hub_name


@dataclass(frozen=True, slots=True)
class Trained:
    """Trained model: a final/ directory, and the run that it lies in, None for a copy elsewhere.

    `hub` is what it is called on the hub, if that is where it comes from.
    """

    final: Path
    run: RunLayout | None
    hub: HubName | None = None

    @property
    def name(self) -> str:
        """Name of the run or on the hub, else of the directory that was copied."""
        if self.hub is not None:
            return str(self.hub)
        if self.run is not None:
            return self.run.name
        # "final" names every copy alike: the folder around it is what the user has named
        return self.final.parent.name if self.final.name == "final" else self.final.name


def of_run(run: RunLayout) -> Trained:
    """Trained model of a run, whether training has finished or not."""
    return Trained(run.final, run)


def find_trained(models: Path, name: str) -> Trained:
    """Trained model of a run (by name, directory or job id), in a directory, or on the hub.

    Such a directory is a final/ or holds one. A run's own final/ stands for the run. On the hub a
    model is `org/name@revision`, which is looked for last, or `hf://org/name@revision`.

    Raises:
        RunNotFound: there is neither a run nor a directory of that name.
        UsageError: it begins with hf://, and names no revision of a model.
        IacfilterError: there is no trained model in it, or it cannot be had from the hub.
    """
    on_hub = hub_name(name)
    if name.startswith(SCHEME) and on_hub is not None:
        return Trained(fetch(on_hub), None, on_hub)
    directory = absolute(Path(name))
    try:
        # runs first: a folder that happens to bear a run's name must not stand for it
        run = find_run(models, name)
    except RunNotFound as error:
        if directory.is_dir():
            return _in_directory(directory)
        if on_hub is not None:
            return Trained(fetch(on_hub), None, on_hub)
        if "/" not in name:
            raise
        raise RunNotFound(
            f"{error.message}, nor a directory of that name", hint=f"{error.hint}\n{HOW_TO_NAME}"
        ) from error
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
