"""Requests: what each command makes of its flags, frozen and typed, before anything is done."""

from __future__ import annotations

import dataclasses
import importlib
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.cli.compare import Answer
from iacfilter_hpc.cli.data.__main__ import arguments as data_arguments
from iacfilter_hpc.cli.logs import Streams
from iacfilter_hpc.cli.submit import REHEARSAL, ResumeRequest, SubmitAction, SubmitRequest
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.filtering.safety.guard import SafetyOptions
from tests.made_runs import DEMO

TEST = str(DEMO["test"])
DATA = ("--data", TEST)
FILTER = ("report.csv", "--model", "mine", "--scripts", "scripts")


OPTIONS = (EvaluateOptions, SafetyOptions)
PLAIN = (str, int, float, Path, tuple, frozenset, Enum, *OPTIONS, type(None))
"""Types of a request's fields."""


def request_of(command: str, *words: str) -> Any:
    part = importlib.import_module(f"iacfilter_hpc.cli.{command}")
    arguments = data_arguments if command.startswith("data.") else part.arguments
    return part.request_of(arguments().parse_args(words))


COMMANDS = {
    "status": (),
    "logs": (),
    "cancel": ("mine",),
    "evaluate": ("mine", *DATA),
    "compare": ("mine", *DATA),
    "judging.filter": FILTER,
    "labels.label": ("report.csv", "--scripts", "scripts"),
    "judging.scan": ("scripts", "--model", "mine"),
    "export": ("mine", "-o", "out"),
    "submit": ("--approach", "encoder", "--gpus", "2"),
    "data.import_report": ("import", "report.csv", "--scripts", "scripts", "-o", "out.jsonl"),
    "data.check": (
        "check",
        TEST,
    ),
    "data.split": ("split", TEST, "--sizes", "6/2", "-o", "out"),
    "data.weak_label": ("weak-label", TEST, "-o", "out.jsonl"),
    "labels.calibrate": ("mine", "other", *DATA),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_request_cannot_be_changed(command: str) -> None:
    request = request_of(command, *COMMANDS[command])
    assert type(request).__name__.endswith("Request")
    for field in dataclasses.fields(request):
        assert isinstance(getattr(request, field.name), PLAIN), field.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(request, dataclasses.fields(request)[0].name, None)


@pytest.mark.parametrize(
    "command", ["status", "logs", "cancel", "evaluate", "compare", "judging.filter"]
)
def test_the_tree_of_runs_is_absolute(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*COMMANDS[command], "--models-dir", "here")
    assert request_of(command, *words).models == tmp_path / "here"


@pytest.mark.parametrize(
    ("flags", "streams"),
    [
        ([], Streams.BOTH),
        (["--out"], Streams.OUT),
        (["--err"], Streams.ERR),
        (["--out", "--err"], Streams.BOTH),
    ],
)
def test_both_logs_or_one(flags: list[str], streams: Streams) -> None:
    assert request_of("logs", *flags).streams is streams


@pytest.mark.parametrize(
    ("flags", "answer"),
    [([], Answer.TEXT), (["--json"], Answer.JSON), (["--markdown"], Answer.MARKDOWN)],
)
def test_one_answer(flags: list[str], answer: Answer) -> None:
    assert request_of("compare", *COMMANDS["compare"], *flags).answer is answer


@pytest.mark.parametrize(
    ("flags", "action", "tiny"),
    [
        ([], SubmitAction.SUBMIT, False),
        (["--dry-run"], SubmitAction.DRY_RUN, True),
        (["--rehearse"], SubmitAction.REHEARSE, True),
        (["--plan"], SubmitAction.PLAN, False),
        (["--print-script"], SubmitAction.PRINT_SCRIPT, False),
        (["--print-script", "--dry-run"], SubmitAction.PRINT_SCRIPT, True),
    ],
)
def test_one_action(flags: list[str], action: SubmitAction, tiny: bool) -> None:
    request = request_of("submit", "--approach", "encoder", "--set", "training.seed=7", *flags)
    assert isinstance(request, SubmitRequest)
    assert (request.action, request.tiny) == (action, tiny)
    assert request.executor == ("local" if "--dry-run" in flags else "auto")
    settings = REHEARSAL if action is SubmitAction.REHEARSE else ()
    assert request.assignments == (*settings, "training.seed=7")


def test_a_resumed_run_has_a_request_of_its_own() -> None:
    request = request_of("submit", "--resume", "mine", "--time", "1:00:00")
    assert isinstance(request, ResumeRequest)
    (setting,) = request.settings
    assert (request.run, setting.values) == ("mine", {"resources": {"time": "1:00:00"}})


def test_a_batch_that_the_plan_chooses_is_no_setting() -> None:
    request = request_of("submit", "--approach", "encoder", "--batch-size", "auto")
    assert (request.automatic_batch, request.settings) == (True, ())
    request = request_of("submit", "--approach", "encoder", "--batch-size", "4")
    assert (request.automatic_batch, len(request.settings)) == (False, 1)
