"""Write final/: trained weights, tokenizer, decision.json and manifest, complete or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from transformers import Trainer

from iacfilter_hpc.checkpoints.manifest import CARD, write_manifest
from iacfilter_hpc.checkpoints.permissions import share
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.trained_model.decision import Decision, write_decision
from iacfilter_hpc.trained_model.evidence import (
    Seen,
    ValidationScores,
    write_seen,
    write_validation_scores,
)


@dataclass(frozen=True, slots=True)
class Weights:
    """The safetensors file of trained weights in final/."""

    file: str
    learns: str | None = None
    """What names of tensors hold that begin as zero: were all zero, nothing would be learned."""


ADAPTER = Weights("adapter_model.safetensors", learns="lora_B")
WHOLE = Weights("model.safetensors")


def save_final(
    trainer: Trainer,
    layout: RunLayout,
    decision: Decision,
    scores: ValidationScores,
    seen: Seen,
    card: str,
    weights: Weights,
) -> None:
    """Save what `trainer` holds. Every process must call this: ZeRO-3 gathers weights from all.

    `card` is the text of README.md; `weights` says which file the trainer leaves them in.

    Raises:
        TrainingError: what was written is not a trained model.
    """
    partial = layout.final.with_name("final.partial")
    if trainer.is_world_process_zero():
        shutil.rmtree(partial, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(partial))
    if trainer.is_world_process_zero():
        # a pickle, and nothing reads it
        (partial / "training_args.bin").unlink()
        check_weights(partial, weights)
        write_decision(partial, decision)
        write_validation_scores(partial, scores)
        write_seen(partial, seen)
        # PEFT writes one too, that knows nothing of the run
        (partial / CARD).write_text(card, encoding="utf-8")
        write_manifest(partial)
        share(partial)
        partial.replace(layout.final)
    trainer.accelerator.wait_for_everyone()


def check_weights(directory: Path, weights: Weights) -> None:
    """See that the weights were really gathered, and that an adapter has learned something.

    Raises:
        TrainingError: no file, an empty tensor, or what learns is all zero, as LoRA's matrices B.
    """
    path = directory / weights.file
    if not path.is_file():
        raise TrainingError(
            f"{path.name} was not written",
            hint="ZeRO-3 needs stage3_gather_16bit_weights_on_model_save in its configuration",
        )
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    empty = [name for name, tensor in tensors.items() if tensor.numel() == 0]
    if empty or not tensors:
        raise TrainingError(f"{path.name} holds empty tensors: {', '.join(empty) or 'no tensor'}")
    if weights.learns is None:
        return
    if not any(tensor.any() for name, tensor in tensors.items() if weights.learns in name):
        raise TrainingError(
            f"every {weights.learns} in {path.name} is zero: the adapter learned nothing"
        )
