"""Labelling functions of users: from a YAML file of patterns, and from installed packages.

A package registers one by an entry point of the group `iacfilter_hpc.labelling_functions` that
leads to a LabellingFunction of the entry point's name. YAML is a list under `functions`:

    functions:
      - name: our_vault
        about: The value is a path of our vault.
        vote: FP
        smells: [hard_coded_secret]
        content: 'vault:[\\w/]+'
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from iacfilter_hpc.errors import DataError, IacfilterError, UsageError
from iacfilter_hpc.labelling.functions import FUNCTIONS, LabellingFunction
from iacfilter_hpc.runs.validation_errors import problems_in
from iacfilter_hpc.samples.sample import Label
from iacfilter_hpc.samples.smells import smell_of_words

GROUP = "iacfilter_hpc.labelling_functions"
"""The group of entry points that other packages register theirs in."""
HINT = "a function has name, about, vote (TP or FP), content or file or both, and perhaps smells"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternFunction:
    """Function of patterns alone, as YAML and a calibration keep it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    name: Name
    about: Annotated[str, Field(min_length=1)]
    vote: Label
    smells: tuple[str, ...] = ()
    content: str | None = None
    file: str | None = None

    def function(self) -> LabellingFunction:
        """As a labelling function; smells may be in words of a report or an oracle."""
        return LabellingFunction(
            name=self.name,
            about=self.about,
            vote=self.vote,
            smells=tuple(smell_of_words(smell) or smell for smell in self.smells),
            content=self.content,
            file=self.file,
        )


_LIST = TypeAdapter(list[PatternFunction])


def read_patterns(path: Path) -> list[PatternFunction]:
    """Functions of a YAML file.

    Raises:
        DataError: it cannot be read, is no YAML, or has wrong functions (each wrong key is named).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason}") from error
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = "" if place is None else f":{place.line + 1}"
        raise DataError(f"{path}{line}: not YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(document, dict) or set(document) != {"functions"}:
        raise DataError(f"{path} is not a mapping with the one key functions", hint=HINT)
    try:
        # through JSON: strict JSON takes a list for a tuple, strict Python does not
        found = _LIST.validate_json(json.dumps(document["functions"], default=str))
    except ValidationError as error:
        wrong = (f"{path}: functions.{problem}" for problem in problems_in(error))
        raise DataError("\n".join(wrong), hint=HINT) from error
    if problems := list(_problems(path, found)):
        raise DataError("\n".join(problems), hint=HINT)
    return found


def _problems(path: Path, found: Sequence[PatternFunction]) -> Iterator[str]:
    taken = {function.name for function in FUNCTIONS}
    for number, each in enumerate(found):
        place = f"{path}: functions.{number}"
        if each.name in taken:
            yield f"{place}.name: there is another function {each.name}"
        taken.add(each.name)
        if each.content is None and each.file is None:
            yield f"{place} ({each.name}) has neither content nor file, so it would hold for all"
        for key, pattern in (("content", each.content), ("file", each.file)):
            try:
                re.compile(pattern or "")
            except re.error as error:
                yield f"{place}.{key} is no regular expression: {error}"


def registered_functions() -> list[LabellingFunction]:
    """Functions that installed packages have registered, by name.

    Raises:
        IacfilterError: a package registers what is no labelling function of that name.
    """
    from importlib.metadata import entry_points  # 20 ms that --help need not spend

    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        try:
            function = point.load()
        # what load() raises where the value leads nowhere; other errors are the package's own
        except (ImportError, AttributeError) as error:
            raise IacfilterError(f"{GROUP}: {point.value} cannot be loaded: {error}") from error
        if not isinstance(function, LabellingFunction) or function.name != point.name:
            raise IacfilterError(f"{point.value} is no LabellingFunction named {point.name}")
        found.append(function)
    return found


def all_functions(patterns: Iterable[PatternFunction] = ()) -> tuple[LabellingFunction, ...]:
    """Every function there is: of the table, of packages, and these.

    Raises:
        UsageError: two functions have one name.
    """
    found = (*FUNCTIONS, *registered_functions(), *(each.function() for each in patterns))
    names = [function.name for function in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two labelling functions are named {', '.join(twice)}")
    return found
