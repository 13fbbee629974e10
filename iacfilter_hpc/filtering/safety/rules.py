"""Rules of what is never removed, of .iacfilter.yaml: by smell, path and pattern.

    never-suppress:
      - name: production
        path: group_vars/production/*
      - name: customers
        smell: hard_coded_secret
        pattern: (?i)customer
    live-credentials: true

A row is kept if all that one rule names holds for it. `live-credentials`, which is on unless it is
switched off here, keeps what looks like a literal password, token or key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from iacfilter_hpc.config.layers import Layer, from_file
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.runs.record_schema import shown
from iacfilter_hpc.samples import smells

FILE = ".iacfilter.yaml"
MAX_BYTES = 256 * 1024
LONGEST = 4_000
"""Characters of a line that a pattern is tried on: one of a user may take long."""
HINT = "a rule has a name, and smell, path or pattern, or several of them that must all hold"


class Rule(BaseModel):
    """Rule: a row is never removed if its smell, path and reported line are as it says."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str = Field(min_length=1, max_length=100)
    smell: str | None = None
    path: str | None = Field(default=None, min_length=1)
    pattern: re.Pattern[str] | None = None

    @field_validator("smell")
    @classmethod
    def _known(cls, smell: str | None) -> str | None:
        found = smell and smells.smell_of_words(smell)
        if smell is not None and not found:
            raise ValueError(f"it is no smell; there are {', '.join(smells.NAMES)}")
        return found

    @field_validator("pattern", mode="before")
    @classmethod
    def _compiled(cls, pattern: object) -> object:
        if not isinstance(pattern, str):
            raise ValueError("it is no text")
        try:
            return re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"it is no regular expression: {error}") from error

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if self.smell is None and self.path is None and self.pattern is None:
            raise ValueError("it would keep everything: it needs smell, path or pattern")
        return self

    def holds(self, smell: str, file: str, texts: tuple[str, ...]) -> bool:
        """Whether the rule keeps a row of this smell, file and reported texts."""
        return (
            (self.smell is None or self.smell == smell)
            and (self.path is None or _matches(file, self.path))
            and (self.pattern is None or any(self.pattern.search(t[:LONGEST]) for t in texts))
        )


def _matches(file: str, path: str) -> bool:
    # a star takes slashes in too, and a bare name fits in any folder: both keep more, not less
    return fnmatchcase(file, path) or fnmatchcase(PurePosixPath(file).name, path)


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    never_suppress: list[Rule] = []
    live_credentials: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules, and the file that they are of, None where there is none."""

    rules: tuple[Rule, ...] = ()
    keeps_credentials: bool = True
    path: Path | None = None

    def rule_for(self, smell: str, file: str, texts: tuple[str, ...]) -> Rule | None:
        """The first rule that keeps a row, None if none does."""
        return next((rule for rule in self.rules if rule.holds(smell, file, texts)), None)


def find_rules(folder: Path, named: Path | None) -> Rules:
    """Rules of the file that is named, else of that in the scripts' folder, else the shipped ones.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong; all of it is named.
    """
    path = named or folder / FILE
    if named is None and not path.exists():
        return Rules()
    _check_form(path)
    layer = from_file(path)
    try:
        found = _RuleFile.model_validate(layer.values)
    except ValidationError as error:
        raise ConfigError("\n".join(_problems(error, layer, path)), hint=HINT) from error
    return Rules(tuple(found.never_suppress), found.live_credentials, path)


def _check_form(path: Path) -> None:
    """Refuse what would hang or fill the memory: the file is of the repository, perhaps anybody's.

    Raises:
        ConfigError: no regular file, a large one, or one with aliases, which can multiply.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no regular file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES // 2**10} KiB")
        tokens = list(yaml.scan(path.read_bytes()))
    # what cannot be read or scanned is named by the reader of all settings
    except (OSError, yaml.YAMLError, ValueError):
        return
    for token in tokens:
        if isinstance(token, yaml.AliasToken):
            raise ConfigError(f"{path}:{token.start_mark.line + 1}: rules have no aliases")


def _problems(error: ValidationError, layer: Layer, path: Path) -> Iterator[str]:
    for detail in error.errors(include_url=False, include_context=False):
        keys = [str(part) for part in detail["loc"]]
        # of a key that is missing the place of what lacks it
        places = (layer.places.get(".".join(keys[:n])) for n in range(len(keys), 0, -1))
        place = next((place for place in places if place), str(path))
        # as a person writes it: layers read dashes as underscores
        name = ".".join([keys[0].replace("_", "-"), *keys[1:]]) if keys else "it"
        yield f"{place}: {name} {_wrong(detail)}"


def _wrong(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return "is not a setting of it"
    if detail["type"] == "missing":
        return "is missing"
    text = detail["msg"].removeprefix("Value error, ")
    value = "" if isinstance(detail["input"], dict) else f"is {shown(detail['input'])}: "
    return f"{value}{text[:1].lower()}{text[1:]}" if value else f"is wrong: {text}"
