"""What is wrong with the flags of a filter, all of it at once, before a model is loaded."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator

from iacfilter_hpc.cli.outputs import (
    Output,
    input_problems,
    model_problems,
    output_problems,
    refuse,
    reported_problems,
    script_problems,
    stdout_problems,
)
from iacfilter_hpc.detections.glitch import GlitchReport
from iacfilter_hpc.detections.scripts import Scripts
from iacfilter_hpc.errors import IacfilterError, UsageError
from iacfilter_hpc.trained import Trained

# what scoring imports; DeepSpeed is no part of it
PACKAGES = "torch transformers peft datasets scipy".split()


def check_flags(given: argparse.Namespace) -> None:
    """Raise what is wrong with them, whatever model and report hold."""
    refuse(list(_problems(given)))
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise IacfilterError(
            f"{sys.executable} lacks {', '.join(missing)}",
            hint="pip install 'iacfilter-hpc[train]'",
        )


def check_outputs(
    given: argparse.Namespace, model: Trained, report: GlitchReport, scripts: Scripts
) -> None:
    """Raise UsageError if an output would replace a script of the report, or be in the model."""
    outputs = outputs_of(given)
    refuse([*model_problems(outputs, model.final), *reported_problems(outputs, report, scripts)])


def outputs_of(given: argparse.Namespace) -> list[Output]:
    """The files to be written: the rows, then the SARIF log."""
    named = (("--output", given.output), ("--sarif", given.sarif))
    return [Output(flag, path) for flag, path in named if path]


def _problems(given: argparse.Namespace) -> Iterator[UsageError]:
    yield from input_problems(given.report)
    if given.json or not given.output:
        yield from stdout_problems(given.report)
    if not given.scripts.is_dir():
        yield UsageError(
            f"--scripts {given.scripts} is not a directory", hint="name the folder GLITCH has read"
        )
    if given.technology is not None and not (
        given.technology.strip() and given.technology.isprintable()
    ):
        yield UsageError(
            f"--technology {given.technology!a} is not a name", hint="a name is a line of text"
        )
    if given.bare and given.annotate:
        yield UsageError(
            "--bare leaves away the marks that --annotate is for", hint="give one of them"
        )
    if given.omit_suppressed and not given.sarif:
        yield UsageError(
            "--omit-suppressed is about --sarif, which is not given", hint="give both or neither"
        )
    outputs = outputs_of(given)
    yield from output_problems(outputs, [given.report])
    yield from script_problems(outputs, given.scripts)
