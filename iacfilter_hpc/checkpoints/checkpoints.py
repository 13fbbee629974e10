"""Checkpoints of a run: published whole, verified before use, the last good one kept.

Of the names in a run's directory only `checkpoint-<step>` counts. Everything unfinished bears
another one, so that a kill at any moment leaves either a whole checkpoint or none.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.checkpoints.lease import Lease
from iacfilter_hpc.checkpoints.manifest import (
    BrokenCheckpoint,
    CheckpointManifest,
    read_checkpoint_manifest,
    sync_folder,
    verify_checkpoint,
    write_checkpoint_manifest,
)
from iacfilter_hpc.checkpoints.permissions import share_read_only
from iacfilter_hpc.errors import TrainingError, counted
from iacfilter_hpc.runs.layout import RunLayout

logger = logging.getLogger(__name__)

NAME = re.compile(r"checkpoint-(\d+)")
STATE = "trainer_state.json"
"""Of transformers' Trainer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint that has verified, and its manifest."""

    path: Path
    manifest: CheckpointManifest


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Checkpoints as one attempt writes them; `lease` is None on all processes but the main one."""

    layout: RunLayout
    attempt: str
    lease: Lease | None

    @property
    def staging(self) -> Path:
        """Where a checkpoint is written before it is published; each attempt has its own."""
        # beside where it will be: a rename is atomic only within one file system. Of its own: an
        # attempt that was superseded, and does not know it yet, must not write between our files
        return self.layout.directory / f".saving-{self.attempt}"

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step lies once it is published."""
        return self.layout.directory / f"checkpoint-{step}"

    def check_lease(self) -> None:
        """See that the run is still ours, on the main process. Raises LeaseLost."""
        if self.lease is not None:
            self.lease.check()

    def clear(self) -> None:
        """Empty the staging folder for a new checkpoint. Raises LeaseLost."""
        self._lease.check()
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir()

    def publish(self, step: int, processes: int) -> CheckpointManifest:
        """Give a checkpoint in staging its manifest, then its name: all of it or nothing.

        Raises:
            LeaseLost: another attempt has taken over the run.
            OSError: the disk is full, or a checkpoint of that step is there.
        """
        made = self.staging / f"checkpoint-{step}"
        manifest = write_checkpoint_manifest(made, step, processes)
        share_read_only(made)
        # as late as can be: hashing takes a while, and the run may have been taken over meanwhile
        self._lease.check()
        # rename(2) replaces no folder that holds files: a checkpoint that is there stays
        made.rename(self.path(step))
        self.staging.rmdir()
        # the name too must outlive a crash: older checkpoints may be deleted from now on
        sync_folder(self.layout.directory)
        return manifest

    def prune(self, keep: int) -> None:
        """Delete all but the newest `keep` and the best ones these name, if the newest is good.

        Raises:
            LeaseLost: another attempt has taken over the run.
        """
        # Not the Trainer's save_total_limit: that rotates by time of change, does not verify what
        # it keeps, and deletes whoever holds the lease
        newest, *_ = paths = _by_step(self.layout)
        wanted = {path.name for path in paths[:keep]}
        # a checkpoint whose best one is gone cannot be gone on from: see newest_verified
        wanted |= {best for path in paths[:keep] if (best := _best_of(path))}
        spare = [path for path in paths if path.name not in wanted]
        if not spare:
            return
        self._lease.check()
        # that a save has returned is no proof, and what follows cannot be undone
        try:
            verify_checkpoint(newest)
        except BrokenCheckpoint as error:
            logger.warning("%s is broken: %s; older ones are kept", newest.name, error)
            return
        for path in spare:
            try:
                _remove(path)
            except FileNotFoundError:
                # who has taken the run over ends our deletions (see clean): then say that
                self._lease.check()
                raise

    @property
    def _lease(self) -> Lease:
        assert self.lease is not None, "only the main process publishes and deletes"
        return self.lease


def newest_verified(layout: RunLayout, attempt: str) -> Found | None:
    """The newest checkpoint that can be gone on from; those that cannot are set aside, and named.

    One that knows of a best checkpoint needs that one too.
    """
    # all of them, not only down to the first good one: the best one that it names may be older
    good: dict[str, Found] = {}
    for path in _by_step(layout):
        try:
            good[path.name] = Found(path, verify_checkpoint(path))
        except BrokenCheckpoint as error:
            # renamed, since training makes this step again and needs the name; not deleted: a
            # wrong mode or owner can be set right by hand
            aside = _set_aside(path, attempt)
            logger.warning("%s is broken: %s; set aside as %s", path.name, error, aside.name)
    for found in good.values():
        best = _best_of(found.path)
        if best is None or best in good:
            return found
        # its name will be needed when training comes there again
        aside = _set_aside(found.path, attempt)
        logger.warning(
            "%s is set aside as %s: its best one, %s, is gone", found.path.name, aside.name, best
        )
    return None


def newest_saved(layout: RunLayout) -> CheckpointManifest | None:
    """What the newest checkpoint says of itself, none of its files being verified.

    None if there is none that says anything: the job sets those aside, and says so.
    """
    for path in _by_step(layout):
        try:
            return read_checkpoint_manifest(path)
        except BrokenCheckpoint:
            continue
    return None


def newest_step(layout: RunLayout) -> int:
    """The step of the newest checkpoint, whatever is in it; 0 without one.

    Cheap, for who asks whether a run gets on at all: a name is given once all is on the disk.
    """
    return max((int(path.name.partition("-")[2]) for path in _by_step(layout)), default=0)


def clean(layout: RunLayout, attempt: str) -> None:
    """Remove what attempts that were killed left half-written, or half-deleted.

    Only for the holder of the lease: an attempt that lives on loses its staging folder by this,
    and finds that it is superseded.
    """
    for path in layout.directory.glob(".saving-*"):
        if path.name != f".saving-{attempt}":
            shutil.rmtree(path, ignore_errors=True)
    for path in layout.directory.glob(".deleting-*"):
        shutil.rmtree(path, ignore_errors=True)


def check_processes(found: Found, processes: int) -> None:
    """Refuse a checkpoint of another number of processes: its states are a part for each.

    Raises:
        TrainingError: the numbers differ.
    """
    # each process has a random state and, under ZeRO, a part of the optimizer of its own
    if found.manifest.processes != processes:
        saved_by = counted(found.manifest.processes, "process", "processes")
        raise TrainingError(
            f"{found.path.name} was saved by {saved_by}, and this attempt has {processes}",
            hint=f"resume with --gpus {found.manifest.processes}, or start a new run",
        )


def _by_step(layout: RunLayout) -> list[Path]:
    """Every published checkpoint, newest first."""
    # by the number in the name: copying a run changes times, and 100 sorts before 16 as text
    named = ((NAME.fullmatch(path.name), path) for path in layout.directory.iterdir())
    steps = ((int(match[1]), path) for match, path in named if match)
    return [path for _, path in sorted(steps, reverse=True)]


def _best_of(path: Path) -> str | None:
    """The name of the best checkpoint that was known when this one was saved.

    A broken one names none; whoever relies on the answer verifies it first.
    """
    try:
        best = json.loads((path / STATE).read_bytes())["best_model_checkpoint"]
        # the name alone: a run that was moved, or is mounted elsewhere, has another path
        return None if best is None else Path(best).name
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _set_aside(path: Path, attempt: str) -> Path:
    aside = path.with_name(f"broken-{path.name}-{attempt}")
    # an attempt may set the same step aside twice: rename would fail on a folder with files in it
    while aside.exists():
        aside = aside.with_name(f"{aside.name}-again")
    return path.rename(aside)


def _remove(path: Path) -> None:
    """Take the name away first: a half-deleted checkpoint must not look like a broken one."""
    doomed = path.with_name(f".deleting-{path.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    path.rename(doomed)
    # an error shows here: a disk on which nothing can be deleted fills up
    shutil.rmtree(doomed)
