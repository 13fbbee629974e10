"""Hub models: a trained model by its name and revision on the Hugging Face hub, kept in its cache.

Downloaded once: what the cache holds whole is used without asking the hub again. A branch that has
moved since is therefore not noticed; a commit's hash says exactly what is meant.
"""

from __future__ import annotations

import glob
import re
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from iacfilter_hpc.checkpoints.manifest import CARD, listed
from iacfilter_hpc.checkpoints.manifest import FILE as MANIFEST
from iacfilter_hpc.errors import IacfilterError, UsageError
from iacfilter_hpc.trained_model.decision import FILE as DECISION

SCHEME = "hf://"
NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)", re.ASCII)
HOW_TO_NAME = f"a model on the hub is {SCHEME}ORGANISATION/NAME@REVISION: a commit, tag or branch"

# weights as safetensors or ONNX, which are data; not pickles and Python, which run when loaded
SUFFIXES = (".json", ".safetensors", ".onnx", ".txt", ".model", ".jinja", ".md")
"""Endings of the files that a model on the hub may have."""


@dataclass(frozen=True, slots=True)
class HubName:
    """Hub name: a repository of the hub, as organisation/name, and a revision of it."""

    repository: str
    revision: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}"


def hub_name(text: str) -> HubName | None:
    """The name of a model on the hub; None for what can only be a run or a directory.

    Raises:
        UsageError: it begins with hf://, and is no such name.
    """
    found = NAME.fullmatch(text.removeprefix(SCHEME))
    if found:
        return HubName(found["repository"], found["revision"])
    if text.startswith(SCHEME):
        raise UsageError(f"{text} is no model on the hub with a revision", hint=HOW_TO_NAME)
    return None


def fetch(name: HubName) -> Path:
    """The directory of a hub model in the cache, with every file that its manifest names.

    What the files are is verified where a model is loaded, as of any other directory.

    Raises:
        IacfilterError: it is not in the cache and cannot be downloaded, or is none of ours.
    """
    kept = _kept(name)
    if kept is not None:
        return kept
    records = _download(name, name.revision, [DECISION, MANIFEST])
    for file in (DECISION, MANIFEST):
        if not (records / file).is_file():
            raise IacfilterError(
                f"{name} on the hub has no {file}: it is no model of iacfilter-hpc",
                hint="publish a final/ or an exported directory whole, with every file in it",
            )
    files = listed(records)
    _check_kinds(name, files)
    # the commit that the records are of: a branch may move between the two downloads
    return _download(name, records.name, [*files, MANIFEST, CARD])


def _kept(name: HubName) -> Path | None:
    """The directory in the cache, if all that its manifest names is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        path = Path(
            snapshot_download(
                name.repository,
                revision=name.revision,
                local_files_only=True,
                allow_patterns=[DECISION, MANIFEST],
            )
        )
    except LocalEntryNotFoundError:
        return None
    wanted = [DECISION, MANIFEST]
    if (path / MANIFEST).is_file():
        wanted += listed(path)
        _check_kinds(name, wanted)
    return path if all((path / file).is_file() for file in wanted) else None


def _download(name: HubName, revision: str, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # its base class
    from huggingface_hub.utils.tqdm import disable_progress_bars

    # a bar overwrites itself on a terminal alone
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        return Path(
            snapshot_download(
                name.repository,
                revision=revision,
                # as names, not as patterns
                allow_patterns=[glob.escape(file) for file in files],
            )
        )
    # no such repository or revision, no network, no leave to read: OSError and HTTPError
    except (OSError, HTTPError) as error:
        said = " ".join(str(error).split())
        raise IacfilterError(
            f"{name} cannot be had from the hub, and the cache does not hold it whole: {said}",
            hint="with HF_HUB_OFFLINE=1, or without a network, a model is there that has been used "
            "before; HF_HOME says where the cache is",
        ) from error


def _check_kinds(name: HubName, files: list[str]) -> None:
    """See that a model has only kinds of files which nothing runs.

    Raises:
        IacfilterError: it has others; all are named.
    """
    odd = [file for file in files if PurePosixPath(file).suffix not in SUFFIXES]
    if odd:
        raise IacfilterError(
            f"{name} has files that no model of iacfilter-hpc has: {', '.join(map(ascii, odd))}",
            hint=f"weights are safetensors or ONNX; names end in {', '.join(SUFFIXES)}",
        )
