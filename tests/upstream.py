"""Functions of other packages that ours relies on line by line, known by their source's sha256."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from importlib.metadata import version


def fingerprint(function: object) -> str:
    """The sha256 of the source text, its first 16 digits; a property's is its getter's."""
    if isinstance(function, property):
        function = function.fget
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]  # type: ignore[arg-type]


def changes(
    package: str, found: Mapping[str, object], recorded: Mapping[str, str], where: str
) -> str:
    """What to do about each function of `found` that is not as recorded; empty if all are."""
    told = []
    for name in sorted(recorded.keys() - found.keys()):
        told.append(f"{name} is not relied on any more: take it out of {where}")
    for name, function in sorted(found.items()):
        now = fingerprint(function)
        if name not in recorded:
            told.append(f"{name} is newly relied on: note {now!r} for it in {where}")
        elif now != recorded[name]:
            told.append(
                f"{package} {version(package)} has changed {name}: compare it with the release "
                "before, bring what we override or call of it in line (the comment beside the "
                f"override says what it replaces), then note {now!r} in {where}"
            )
    return "\n".join(told)
