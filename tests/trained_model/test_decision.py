"""What final/ says of itself is read strictly: each wrong key is named, with its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.samples.prompt import NEWEST, OLDEST
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.decision import read_decision
from iacfilter_hpc.trained_model.evidence import read_seen, read_validation_scores, seen_of
from tests.made_models import made_decision, make_final
from tests.made_runs import DEMO


@pytest.fixture
def final(tmp_path: Path) -> Path:
    make_final(tmp_path / "final", DEMO["train"], DEMO["validation"])
    return tmp_path / "final"


def problem(read: Callable[[Path], object], final: Path) -> str:
    with pytest.raises(TrainingError) as caught:
        read(final)
    assert caught.value.hint
    return caught.value.message


def changed(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_written_is_read(final: Path) -> None:
    assert read_decision(final) == made_decision(DEMO["validation"])
    samples = [read_samples(DEMO[name]) for name in ("train", "validation")]
    assert read_seen(final) == seen_of(*samples)
    assert read_validation_scores(final).is_tp == (False, True, False)


def test_a_model_of_an_earlier_version_is_asked_as_it_was(final: Path) -> None:
    """It does not say in which form its prompts were: there was one."""
    path = final / "decision.json"
    found = json.loads(path.read_text())
    assert found.pop("prompt_form") == OLDEST
    path.write_text(json.dumps(found))
    assert read_decision(final).prompt_form == OLDEST


@pytest.mark.parametrize("form", [0, NEWEST + 1, "1", None])
def test_a_form_that_this_version_does_not_know_is_refused(final: Path, form: object) -> None:
    changed(final / "decision.json", prompt_form=form)
    assert "prompt_form" in problem(read_decision, final)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"temperature": 0}, "temperature is 0: input should be greater than 0"),
        ({"temperature": float("nan")}, "temperature is NaN: input should be a finite number"),
        ({"threshold": 7}, "threshold is 7: input should be less than 1"),
        ({"threshold": "high"}, 'threshold is "high": input should be a valid number'),
        ({"max_length": -3}, "max_length is -3: input should be greater than or equal to 1"),
        ({"max_length": True}, "max_length is true: input should be a valid integer"),
        ({"extra": 1}, "extra is not known to this version"),
        ({"dtype": "int8"}, 'dtype is "int8": input should be '),
        ({"smells": None}, "smells is null: input should be a valid array"),
        ({"train_audit": {}}, "train_audit.samples is missing"),
        ({"validation": {"file": "x"}}, "validation.sha256 is missing"),
        ({"input_fields": None}, "input_fields is missing for the approach encoder"),
        ({"approach": "generative"}, "answers is missing for the approach generative"),
        ({"schema": 9}, " has schema 9; this version reads 2"),
        ({"base_model": "x" * 9, "bf16": "y" * 99}, 'bf16 is "' + "y" * 36 + "...: input"),
    ],
)
def test_a_wrong_key_of_a_decision(final: Path, changes: dict[str, object], says: str) -> None:
    changed(final / "decision.json", **changes)
    found = problem(read_decision, final)
    assert found.startswith(str(final / "decision.json")) and says in found


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train": "all"}, 'train is "all": input should be a valid array'),
        ({"validation": [1]}, "validation.0 is 1: input should be a valid string"),
        ({"train": ["short"]}, 'train.0 is "short": string should match pattern'),
        ({"more": []}, "more is not known to this version"),
        ({"schema": 1}, " has schema 1; this version reads 2"),
    ],
)
def test_a_wrong_key_of_what_was_seen(final: Path, changes: dict[str, object], says: str) -> None:
    changed(final / "seen.json", **changes)
    found = problem(read_seen, final)
    assert found.startswith(str(final / "seen.json")) and says in found


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"p_tp": [0.1, 2, 0.3]}, "p_tp.1 is 2: input should be less than or equal to 1"),
        ({"is_tp": [1, 0, 1]}, "is_tp.0 is 1: input should be a valid boolean"),
        ({"p_tp": [0.1]}, "p_tp has 1 numbers, and is_tp 3 truths"),
    ],
)
def test_wrong_validation_scores(final: Path, changes: dict[str, object], says: str) -> None:
    changed(final / "validation_scores.json", **changes)
    assert says in problem(read_validation_scores, final)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\0", "[" * 100_000, "{}"])
def test_what_is_no_such_file(final: Path, text: str) -> None:
    for name, read in (
        ("decision.json", read_decision),
        ("seen.json", read_seen),
        ("validation_scores.json", read_validation_scores),
    ):
        (final / name).write_text(text)
        assert problem(read, final).startswith(str(final / name))
        (final / name).write_bytes(b"\xff\xfe")
        assert problem(read, final).startswith(str(final / name))
