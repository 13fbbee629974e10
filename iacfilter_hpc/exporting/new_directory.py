"""New directory of an exported model: whole under its name, or not there at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from iacfilter_hpc.checkpoints.manifest import CARD
from iacfilter_hpc.checkpoints.manifest import FILE as MANIFEST
from iacfilter_hpc.checkpoints.permissions import share
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.trained_model.calibration import FILE as CALIBRATION
from iacfilter_hpc.trained_model.decision import FILE as DECISION

ANEW = (CARD, MANIFEST, DECISION, CALIBRATION)
"""Files of a model that are written anew, for other weights and another dtype."""


@contextmanager
def new_directory(directory: Path) -> Iterator[Path]:
    """A directory to write into, which takes its name when the block ends well.

    Raises:
        IacfilterError: it cannot be written; nothing is left of it then.
    """
    # beside the target, since a rename is one step only within a file system
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        share(partial)
        partial.rename(directory)
    except OSError as error:
        raise IacfilterError(f"{directory} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def copy_along(final: Path, directory: Path, is_left_out: Callable[[str], bool]) -> None:
    """Copy what goes with a model whatever its form: tokenizer, scores, samples seen."""
    for path in final.iterdir():
        if path.is_file() and path.name not in ANEW and not is_left_out(path.name):
            shutil.copyfile(path, directory / path.name)
