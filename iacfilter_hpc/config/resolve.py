"""Resolution of defaults, site, --config, --set and flags, in that order, into one RunConfig."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from iacfilter_hpc.config.approaches import ApproachEntry, find_approach
from iacfilter_hpc.config.deepspeed import deepspeed_fault, deepspeed_file
from iacfilter_hpc.config.layers import Layer, from_assignment, from_file, from_value, merge
from iacfilter_hpc.config.schema import TINY, RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.config.slurm_options import option_problem
from iacfilter_hpc.errors import ConfigError
from iacfilter_hpc.runs.layout import SITE_VARIABLE, absolute, resource

DEMO = ("train", "validation", "test")
ONE_APPROACH = "settings are of one approach: change --approach, or take those of another file"
ON_THE_CPU: dict[str, object] = {
    "model.model_name_or_path": TINY,
    "training.bf16": False,
    "training.use_cpu": True,
    "resources.gpus": 0,
}
"""What makes a dry run of an approach that has no <name>-tiny.yaml."""


def site_settings() -> Site:
    """The site file that $IACFILTER_SITE names; empty settings if it names none.

    Raises:
        ConfigError: every wrong setting of the file.
    """
    path = os.environ.get(SITE_VARIABLE)
    if not path:
        return Site()
    layer = from_file(Path(path))
    try:
        return Site.model_validate(layer.values)
    except ValidationError as error:
        raise _as_config_error(error, Site, layer) from error


def run_config(
    approach: str,
    *,
    site: Site,
    config_file: Path | None = None,
    assignments: Sequence[str] = (),
    flags: Sequence[Layer] = (),
    dry_run: bool = False,
    needs_data: bool = True,
) -> RunConfig:
    """The settings of one run.

    The order, later wins: configs/<approach>.yaml, the site's resources, `config_file`, what a dry
    run lays over (configs/<approach>-tiny.yaml and the demo data), `assignments`, `flags`. Where no
    data is needed, the demo data stands in for files that nobody names.

    Raises:
        ConfigError: every wrong setting, each with the place it was written, or settings of
            another approach; UsageError if there is no such approach.
    """
    entry = find_approach(approach)
    layers = [from_file(entry.defaults)]
    if not needs_data:
        layers += _demo_layers()
    layers += [
        # a layer a key, so that an error names the one of the site file
        from_value(f"resources.{key.replace('-', '_')}", value, f"${SITE_VARIABLE} resources.{key}")
        for key, value in site.resources.items()
    ]
    if config_file is not None:
        layers.append(from_file(_config_path(config_file, entry)))
    # over the file: of a person's own run a dry run takes the settings, not the model and the data
    if dry_run:
        layers += [*_dry_run_layers(entry), *_demo_layers()]
    layers += [from_assignment(text) for text in assignments]
    layers += flags
    # in each of them: what a later one says does not make an earlier one fit
    for layer in layers:
        _check_approach(layer, entry)
    return _validated(merge(layers))


def _check_approach(layer: Layer, entry: ApproachEntry) -> None:
    named = layer.values.get("approach", entry.name)
    if named != entry.name:
        raise ConfigError(
            f"{layer.places['approach']}: approach {named} contradicts --approach {entry.name}",
            hint=ONE_APPROACH,
        )


def _dry_run_layers(entry: ApproachEntry) -> list[Layer]:
    if entry.dry_run_settings.is_file():
        return [from_file(entry.dry_run_settings)]
    return [from_value(key, value, "--dry-run") for key, value in ON_THE_CPU.items()]


SECTIONS = frozenset(RunConfig.model_fields) - {"approach", "name"}
MAY_CHANGE = ("resources", "requeue")
"""The sections that a run may be resumed with other values of: its key does not depend on them."""


def resumed_config(
    config: RunConfig, assignments: Sequence[str], flags: Sequence[Layer]
) -> RunConfig:
    """The settings of a run that is resumed: its own, but for where and how long it runs.

    Raises:
        ConfigError: every wrong setting, and every one that would change the result.
    """
    changes = [*(from_assignment(text) for text in assignments), *flags]
    fixed = [
        f"{place}: {key} cannot change when a run is resumed, only {' and '.join(MAY_CHANGE)} can"
        for layer in changes
        for key, place in layer.places.items()
        # a section has a place as soon as a key of it has one: that key is named, and once
        if key.partition(".")[0] not in MAY_CHANGE and key not in SECTIONS
    ]
    if fixed:
        raise ConfigError("\n".join(fixed), hint="start a new run with other settings")
    own = Layer(config.as_dict(), {})
    return _validated(merge([own, *changes]))


def _config_path(path: Path, entry: ApproachEntry) -> Path:
    """A file, or the bare name of a shipped one such as `encoder-tiny`."""
    # a file of the user's wins: --config takes paths first of all
    shipped = entry.configs / f"{path}.yaml"
    bare = path.name == str(path) and not path.suffix
    return shipped if bare and not path.exists() and shipped.is_file() else path


def _demo_layers() -> list[Layer]:
    return [
        from_value(f"data.{split}_file", str(resource("configs", "demo", f"{split}.jsonl")), "demo")
        for split in DEMO
    ]


def _validated(merged: Layer) -> RunConfig:
    # first: what pydantic finds must be told together with these
    problems = [*_wrong_options(merged), *_missing_files(merged)]
    try:
        config = RunConfig.model_validate(_with_placeholders(merged.values))
    except ValidationError as error:
        raise _as_config_error(error, RunConfig, merged, problems) from error
    if problems:
        raise ConfigError("\n".join(problems), hint=_hint_for(problems))
    return config


def _with_placeholders(values: dict[str, Any]) -> dict[str, Any]:
    """A path for each file that is not set, so that the other rules are checked all the same."""
    data = values.get("data")
    if not isinstance(data, dict):
        return values
    unset = {key: "unset" for key in ("train_file", "validation_file") if data.get(key) is None}
    return {**values, "data": {**data, **unset}}


def _hint_for(problems: Sequence[str]) -> str | None:
    return FILES_HINT if any("data." in text for text in problems) else None


FILES_HINT = "name your files with --train-file and --validation-file, or try the demo: --dry-run"


def _wrong_options(merged: Layer) -> list[str]:
    """Names under `resources` that sbatch does not know or that the toolkit sets itself."""
    resources = merged.values.get("resources")
    found = (
        {name: option_problem(name) for name in resources} if isinstance(resources, dict) else {}
    )
    return [
        f"{merged.places.get(f'resources.{name}', 'the configuration')}: {text}"
        for name, text in found.items()
        if text
    ]


def _missing_files(merged: Layer) -> list[str]:
    """Data and DeepSpeed files that are not set or not there."""
    problems = []
    data = merged.values.get("data")
    for key in ("train_file", "validation_file", "test_file"):
        # what is no section or no text is left for pydantic to name
        value = data.get(key) if isinstance(data, dict) else None
        place = merged.places.get(f"data.{key}", "the configuration")
        if value is None and key != "test_file":
            problems.append(f"data.{key} is not set")
        elif isinstance(value, str) and not absolute(Path(value)).is_file():
            problems.append(f"{place}: data.{key} {value} is not a file")
    accelerate = merged.values.get("accelerate")
    deepspeed = accelerate.get("deepspeed_config_file") if isinstance(accelerate, dict) else None
    if isinstance(deepspeed, str) and (fault := deepspeed_fault(deepspeed_file(deepspeed))):
        place = merged.places.get("accelerate.deepspeed_config_file", "the configuration")
        problems.append(f"{place}: accelerate.deepspeed_config_file {deepspeed} {fault}")
    return problems


def _as_config_error(
    error: ValidationError, model: type[BaseModel], layer: Layer, more: Sequence[str] = ()
) -> ConfigError:
    """Every wrong setting on a line of its own, and one hint."""
    details = error.errors()
    messages = [_message(detail, layer) for detail in details]
    hints = [hint for detail in details if (hint := _hint(detail, model))]
    return ConfigError(
        # once each: of a union pydantic reports every type that it tried
        "\n".join([*dict.fromkeys(messages), *more]),
        hint="\n".join(dict.fromkeys(hints)) or _hint_for(more),
    )


def _message(detail: ErrorDetails, layer: Layer) -> str:
    key = _dotted(detail)
    text = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":
        place = layer.places.get(key)
        # a rule of a whole section has all of it as input
        value = "" if isinstance(detail["input"], dict) else f"{key} is {detail['input']!r}: "
        return f"{place}: {value}{text}" if place else text
    place = layer.places.get(key, "the configuration")
    if detail["type"] == "extra_forbidden":
        return f"{place}: {key} is not a setting"
    if detail["type"] == "missing":
        return f"{key} is not set"
    return f"{place}: {key} is {detail['input']!r}: {text[0].lower()}{text[1:]}"


def _dotted(detail: ErrorDetails) -> str:
    """The setting's key; pydantic appends the tried type of a union, which is not part of it."""
    # settings are `section.name`: what is deeper lies within the value of one
    parts: list[str] = []
    for part in detail["loc"]:
        if isinstance(part, int) or (parts and not str(part).isidentifier()):
            break
        if len(parts) >= 2:
            break
        parts.append(str(part))
    return ".".join(parts)


def _hint(detail: ErrorDetails, model: type[BaseModel]) -> str | None:
    key = _dotted(detail)
    if detail["type"] == "extra_forbidden":
        *section, name = key.split(".")
        known = _settings(model, section)
        close = difflib.get_close_matches(name, known, n=1)
        if close:
            return f"did you mean {close[0]}?"
        where = f"of {'.'.join(section)}" if section else "at the top"
        return f"the settings {where} are {', '.join(known)}" if known else None
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        # a word that looks like a number, such as an account 5349, or `yes`, which is true to YAML
        return f'put the value of {key} in quotes: "..."'
    return None


def _settings(model: type[BaseModel], section: Sequence[str]) -> list[str]:
    for name in section:
        inner = model.model_fields[name].annotation
        # a section may be optional: `Lora | None` has its types in __args__
        candidates = [inner, *getattr(inner, "__args__", ())]
        found = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not found:
            return []
        model = found[0]
    return list(model.model_fields)


def as_yaml(config: RunConfig) -> str:
    """The text of a run's config.yaml."""
    import yaml

    values: dict[str, Any] = config.as_dict()
    # sort_keys: the order of the schema is that of configs/<approach>.yaml
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
