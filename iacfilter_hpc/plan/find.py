"""Where a model's config.json lies: its directory, the hub's cache, or the facts shipped here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from iacfilter_hpc.config import TINY, Approach, Model
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.layout import absolute, resource
from iacfilter_hpc.plan.architecture import Architecture, Decoder, read_architecture

HUB_NAME = re.compile(r"(?:[\w.-]+/)?[\w.-]+", re.ASCII)
REVISION = re.compile(r"(?:(?!\.\./)[\w.-]+/)*(?!\.\.$)[\w.-]+", re.ASCII)


def find_architecture(
    model: Model, approach: Approach, variables: Mapping[str, str]
) -> Architecture:
    """The shapes of a run's model; `variables` are the environment that its jobs will have.

    Raises:
        ConfigError: there is no config.json here, it is wrong, or not of this approach's kind.
    """
    path = _config_json(model, approach, variables)
    found = read_architecture(path)
    if isinstance(found, Decoder) != (approach == "generative"):
        raise ConfigError(
            f"{path} is not that of a model for the {approach} approach",
            hint="--model-name takes one that is",
        )
    return found


def _config_json(model: Model, approach: Approach, variables: Mapping[str, str]) -> Path:
    name = model.model_name_or_path
    if name == TINY:
        return resource("configs", "architectures", f"{TINY}-{approach}.json")
    directory = absolute(Path(name))
    # unlike Path.is_dir, it takes a name that is too long or not to be searched for none
    if os.path.isdir(directory):  # noqa: PTH112
        return directory / "config.json"
    # a name of another form could lead out of the cache
    if HUB_NAME.fullmatch(name):
        folder = name.replace("/", "--")
        cached = [_in_cache(hub, folder, model.revision or "main") for hub in _hubs(variables)]
        shipped = resource("configs", "architectures", f"{folder}.json")
        for path in (*cached, shipped):
            if path is not None and os.path.isfile(path):  # noqa: PTH113
                return path
    raise ConfigError(
        f"no config.json of {name!r} is here, so its memory is not known",
        hint="give its directory, or put it into the Hugging Face cache (HF_HOME, hf_home)",
    )


def _hubs(variables: Mapping[str, str]) -> Iterator[Path]:
    """The caches that huggingface_hub would take, each where it is not told of the one before.

    Source: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
    """
    if given := variables.get("HF_HUB_CACHE"):
        yield absolute(Path(given))
    if home := variables.get("HF_HOME"):
        yield absolute(Path(home)) / "hub"
    yield absolute(Path(variables.get("XDG_CACHE_HOME") or "~/.cache")) / "huggingface" / "hub"


def _in_cache(hub: Path, folder: str, revision: str) -> Path | None:
    """config.json of a cached model: a branch or tag is a file with the commit's name."""
    cached = hub / f"models--{folder}"
    if not REVISION.fullmatch(revision):
        return None
    named = cached / "refs" / revision
    try:
        commit = named.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        commit = revision
    return cached / "snapshots" / commit / "config.json"
