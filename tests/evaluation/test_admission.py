"""iacfilter_hpc.evaluation.admission: known samples are found, fitted thresholds refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.config.evaluate_options import DEFAULTS, EvaluateOptions
from iacfilter_hpc.errors import TrainingError, UsageError
from iacfilter_hpc.evaluation.admission import Overlap, check_data, find_overlap, settle_threshold
from iacfilter_hpc.evaluation.data import Labelled, read_labelled
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.layout import resource
from iacfilter_hpc.trained_model.evidence import seen_of
from iacfilter_hpc.trained_model.find import Trained
from tests.made_models import make_final

DEMO = resource("configs", "demo")
TRAIN, VALIDATION, TEST = (DEMO / f"{name}.jsonl" for name in ("train", "validation", "test"))
NEW = Overlap(samples=3, train=0, validation=0, is_validation_file=False)


def test_known_samples_are_found_whatever_file_they_are_in(tmp_path: Path) -> None:
    train, validation = (read_labelled(path).samples for path in (TRAIN, VALIDATION))
    seen, chosen_on = seen_of(train, validation), sha256_of(VALIDATION)
    assert find_overlap(read_labelled(TEST), seen, chosen_on) == NEW
    both = tmp_path / "both.jsonl"
    # another label and another context are the same detection
    relabelled = VALIDATION.read_text().replace('"label": "TP"', '"label": "FP"')
    both.write_text(TRAIN.read_text() + relabelled)
    found = find_overlap(read_labelled(both), seen, chosen_on)
    assert found == Overlap(samples=11, train=8, validation=3, is_validation_file=False)
    assert len(found.warnings()) == 2
    same = find_overlap(read_labelled(VALIDATION), seen, chosen_on)
    assert (same.validation, same.is_validation_file) == (3, True)


@pytest.mark.parametrize(
    ("overlap", "refused"),
    [
        (NEW, False),
        (replace(NEW, train=3), False),
        (replace(NEW, validation=1), True),
        (replace(NEW, is_validation_file=True), True),
        (replace(NEW, is_calibrated=True, calibration=1), True),
        # a calibration has a threshold of its own, which validation data had no part in
        (replace(NEW, is_calibrated=True, validation=1), False),
    ],
)
def test_only_the_run_s_own_threshold_can_be_fitted(overlap: Overlap, refused: bool) -> None:
    data = read_labelled(TEST)
    assert settle_threshold(0.61, overlap, data, EvaluateOptions("argmax")) == 0.5
    assert settle_threshold(0.61, overlap, data, EvaluateOptions(0.2)) == 0.2
    if refused:
        with pytest.raises(TrainingError, match="never fitted on the data it is reported on"):
            settle_threshold(0.61, overlap, data, DEFAULTS)
    else:
        assert settle_threshold(0.61, overlap, data, DEFAULTS) == 0.61


def test_data_are_checked_without_a_model(tmp_path: Path) -> None:
    model = Trained(tmp_path / "final", None)
    with pytest.raises(TrainingError, match="no finished model"):
        check_data(model, TEST, DEFAULTS)
    make_final(model.final, TRAIN, VALIDATION)
    check_data(model, TEST, DEFAULTS)
    check_data(model, VALIDATION, EvaluateOptions("argmax"))
    with pytest.raises(TrainingError, match=r"validation\.jsonl is the validation file"):
        check_data(model, VALIDATION, DEFAULTS)
    with pytest.raises(UsageError, match="--cross-fit needs a run's configuration"):
        check_data(model, TEST, EvaluateOptions(cross_fit=2))


def test_what_moved_or_was_quoted_anew_is_nearly_the_same() -> None:
    """Another place is another key, but no new line for a model that reads the line."""
    train, held_out = read_labelled(TRAIN).samples, read_labelled(VALIDATION).samples
    seen = seen_of(train, held_out)
    moved = replace(train[0], file="elsewhere.yml", line=99, content=f"  '{train[0].content}' ")
    other_smell = replace(moved, smell="use_of_weak_cryptography")
    data = Labelled(TEST, "a" * 64, (moved, other_smell))
    found = find_overlap(data, seen, "b" * 64)
    assert (found.train, found.validation, found.near, found.related) == (0, 0, 1, 0)
    (warning,) = found.warnings()
    assert warning.startswith("1 of 2 samples have the smell and the line of a training")
    assert not found.is_seen, "a warning, and no more"


@pytest.mark.parametrize("origin", ["file", "repo", "family"])
def test_new_samples_of_a_known_origin_are_called_out(origin: str) -> None:
    train = [replace(s, repo="r", family="f") for s in read_labelled(TRAIN).samples]
    new = replace(train[0], file="x.pp", repo=None, family=None, content="new", line=5)
    related = replace(new, repo="r") if origin == "file" else new
    related = replace(related, **{origin: getattr(train[1], origin)})  # type: ignore[arg-type]
    found = find_overlap(Labelled(TEST, "a", (new, related)), seen_of(train, []), "b")
    assert (found.train, found.near, found.related) == (0, 0, 1)
    assert "1 of 2 samples are of files, repositories or families" in found.warnings()[0]
