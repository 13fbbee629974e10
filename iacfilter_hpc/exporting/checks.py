"""Checks of what can be exported, and to where: from files alone, before torch is imported."""

from __future__ import annotations

import json
from pathlib import Path

from iacfilter_hpc.config.approaches import find_approach
from iacfilter_hpc.errors import IacfilterError, TrainingError
from iacfilter_hpc.onnx_model.record import is_onnx
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.trained_model.calibration import find_calibration
from iacfilter_hpc.trained_model.decision import Decision, read_decision

EXPORTABLE = (
    "BertForSequenceClassification",
    "CamembertForSequenceClassification",
    "DistilBertForSequenceClassification",
    "ElectraForSequenceClassification",
    "MPNetForSequenceClassification",
    "RobertaForSequenceClassification",
    "XLMRobertaForSequenceClassification",
)
"""Classes whose graph is the same for every input, each tried by tests.

T5's is not: its forward looks in the data for EOS.
"""


def check_is_new(directory: Path) -> None:
    """Raise IacfilterError if something is there already."""
    if directory.exists():
        raise IacfilterError(
            f"{directory} exists", hint="-o names a directory that is not there yet"
        )


def mergeable(final: Path) -> Decision:
    """The decision of a model that has an adapter to merge.

    Raises:
        TrainingError: `final` holds no whole model.
        IacfilterError: it has no adapter, or one that belongs to weights in 4 bits.
    """
    decision = read_decision(final)
    entry = find_approach(decision.approach)
    if not entry.lora:
        raise IacfilterError(
            f"{final} is {entry.kind}, and stands alone already",
            hint="copy it, with every file; --onnx makes of it one that needs no torch",
        )
    if decision.quantization is not None:
        raise IacfilterError(
            f"{final} was trained beside weights in {decision.quantization}: no merged model of "
            "whole weights would decide as it does",
            hint="iacfilter-filter and iacfilter-evaluate take it as it is, on a GPU",
        )
    return decision


def exportable(final: Path) -> tuple[Decision, str]:
    """The decision of an encoder that can be exported to ONNX, and its architecture.

    Raises:
        TrainingError: `final` holds no whole model.
        IacfilterError: it is no encoder, or one of another architecture, or it decides only
            together with other models.
    """
    decision = read_decision(final)
    entry = find_approach(decision.approach)
    if entry.name != "encoder":
        raise IacfilterError(
            f"{final} is {entry.kind}: only an encoder can be exported to ONNX",
            hint="without --onnx an adapter is merged into its model" if entry.lora else None,
        )
    if is_onnx(final):
        raise IacfilterError(f"{final} is in ONNX already", hint="copy it, with every file")
    found = _architecture(final / "config.json")
    if found not in EXPORTABLE:
        raise IacfilterError(
            f"{final} is a {found}, which cannot be exported to ONNX",
            hint=f"these can: {', '.join(EXPORTABLE)}",
        )
    _check_stands_alone(final)
    return decision, found


def _check_stands_alone(final: Path) -> None:
    calibration = find_calibration(final)
    if calibration is not None and calibration.partners:
        names = ", ".join(partner.name for partner in calibration.partners)
        raise IacfilterError(
            f"the calibration of {final} averages its log-odds with those of {names}: it does not "
            "decide alone",
            hint="iacfilter-calibrate fits one without other models",
        )


def compared_file(decision: Decision, data: Path | None) -> Path:
    """The file to compare decisions on: `data`, else the validation file of the training.

    Raises:
        IacfilterError: none is given, and the validation file is gone or another.
    """
    path = data or Path(decision.validation.file)
    if data is not None:
        return path
    if not path.is_file():
        problem = "is not here"
    elif sha256_of(path) != decision.validation.sha256:
        problem = "has changed since"
    else:
        return path
    raise IacfilterError(
        f"{path}, the validation file of the training, {problem}: there is nothing to compare "
        "decisions on",
        hint="--data FILE names samples to compare them on, labelled or not",
    )


def _architecture(config: Path) -> str:
    # as text: transformers takes seconds to say the same
    try:
        (found,) = json.loads(config.read_bytes())["architectures"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{config} names no architecture") from error
    return str(found)
