"""Layers of settings (YAML files, --set, flags), each key with the place it came from.

Nothing is checked here against the schema: that needs all layers together, while an error must
name the one line or flag that is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from iacfilter_hpc.errors import ConfigError

INT, FLOAT, TIMESTAMP = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))


class _Loader(yaml.SafeLoader):
    """Numbers as in YAML 1.2: 12:30:00 and 2024-01-01 are words, 2e-5 is a number."""

    # PyYAML reads YAML 1.1: 12:30:00 would be 45000, account 012345 be 5349, and 2e-5 a word.
    # A table of this class's own: SafeLoader's is every library's
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name, a table of the class
        first: [(tag, pattern) for tag, pattern in known if tag not in (INT, FLOAT, TIMESTAMP)]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


# The lists are the characters that a number may begin with: PyYAML finds its patterns by them
_Loader.add_implicit_resolver(INT, re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    FLOAT,
    re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$"
        r"|[-+]?\.inf$|\.nan$"
    ),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Layer:
    """Nested settings, and for each dotted key where a person wrote it."""

    values: dict[str, Any]
    places: dict[str, str]


def from_file(path: Path) -> Layer:
    """The settings of a YAML file.

    Raises:
        ConfigError: it cannot be read, is not YAML, or names a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
        # twice: nodes know their lines, and values their types
        root = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text") from error
    # ValueError: a number of thousands of digits, or a tag such as !!int before a word
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path} is not YAML: {_one_line(error)}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply") from error
    if root is None:
        return Layer({}, {})
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path} holds no settings", hint="a setting is `key: value`")
    places: dict[str, str] = {}
    try:
        _note_places(root, "", path, places)
        return Layer(_plain_keys(values), places)
    # an alias within its own anchor: `a: &x {b: *x}` is YAML
    except RecursionError as error:
        raise ConfigError(f"{path} holds itself") from error


def from_assignment(text: str) -> Layer:
    """The setting of `--set key=value`; lists, null and nested values are written as in YAML.

    Raises:
        ConfigError: it is not key=value, or its value begins as YAML and is none.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise ConfigError(f"--set {text} is not key=value", hint="such as --set training.seed=7")
    parsed: Any = value
    # Only what cannot be a plain word is YAML: the setting's own type tells what `on` means
    if value in ("null", "") or value[:1] in "[{":
        try:
            parsed = _plain_keys(yaml.load(value, Loader=_Loader))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(f"--set {text} is not YAML: {_one_line(error)}") from error
    # options of sbatch have no type here: `exclusive=true` is the bare option --exclusive
    elif value in ("true", "false"):
        parsed = value == "true"
    return from_value(key.strip().replace("-", "_"), parsed, f"--set {key.strip()}")


def from_value(key: str, value: object, place: str) -> Layer:
    """A layer of one dotted key, such as `training.seed`."""
    # for the sections around it and the keys within it too: an error may be of either
    places = dict.fromkeys([key, *_keys_within(value, key)], place)
    nested: Any = value
    while key:
        places[key] = place
        key, _, part = key.rpartition(".")
        nested = {part: nested}
    return Layer(nested, places)


def merge(layers: list[Layer]) -> Layer:
    """One layer of several: later ones win, key by key; a list is replaced as a whole."""
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for layer in layers:
        values = _overlay(values, layer.values)
        places.update(layer.places)
    return Layer(values, places)


def _keys_within(value: object, prefix: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    below = [_keys_within(inner, f"{prefix}.{name}") for name, inner in value.items()]
    return [*(f"{prefix}.{name}" for name in value), *(key for keys in below for key in keys)]


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _overlay(below[key], value) if nested else value
    return merged


def _note_places(node: yaml.MappingNode, prefix: str, path: Path, places: dict[str, str]) -> None:
    for key_node, value_node in node.value:
        key = f"{prefix}{str(key_node.value).replace('-', '_')}"
        place = f"{path}:{key_node.start_mark.line + 1}"
        # PyYAML takes the last one without a word
        if key in places:
            raise ConfigError(f"{place}: {key} occurs twice, first at {places[key]}")
        places[key] = place
        if isinstance(value_node, yaml.MappingNode):
            _note_places(value_node, f"{key}.", path, places)
        elif isinstance(value_node, yaml.SequenceNode):
            _note_places_in_list(value_node, key, path, places)


def _note_places_in_list(
    node: yaml.SequenceNode, key: str, path: Path, places: dict[str, str]
) -> None:
    for index, item in enumerate(node.value):
        places[f"{key}.{index}"] = f"{path}:{item.start_mark.line + 1}"
        if isinstance(item, yaml.MappingNode):
            _note_places(item, f"{key}.{index}.", path, places)


def _plain_keys(values: Any) -> Any:
    """Keys with underscores throughout, so that sbatch's `mail-type` and `mail_type` are one."""
    if not isinstance(values, dict):
        return values
    # names of environment variables are the user's own
    return {
        str(key).replace("-", "_"): value if key == "environment" else _plain_keys(value)
        for key, value in values.items()
    }


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
