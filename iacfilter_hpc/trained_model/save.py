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
from iacfilter_hpc.trained_model.trained_on import TrainedOn, write_trained_on


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights file of a trained model in final/, in safetensors."""

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
    record: TrainedOn,
    card: str,
    weights: Weights,
) -> None:
    """Save what `trainer` holds. Every process must call this: ZeRO-3 gathers weights from all.

    `card` is the text of README.md; `weights` says which file the trainer leaves them in.

    Raises:
        TrainingError: what was written is not a trained model.
    """
    partial = layout.final.with_name("final.partial")
    # a save that broke off may have left one; nobody reads under this name
    if trainer.is_world_process_zero():
        shutil.rmtree(partial, ignore_errors=True)
    # no process may write before the old folder is gone
    trainer.accelerator.wait_for_everyone()
    # by every process: under ZeRO-3 each holds a part, and gathering it is collective
    trainer.save_model(str(partial))
    if trainer.is_world_process_zero():
        # a pickle, and nothing reads it
        (partial / "training_args.bin").unlink()
        # before the manifest, which would vouch for whatever lies there
        check_weights(partial, weights)
        write_decision(partial, decision)
        write_validation_scores(partial, scores)
        write_seen(partial, seen)
        write_trained_on(partial, record)
        # PEFT writes one too, that knows nothing of the run
        (partial / CARD).write_text(card, encoding="utf-8")
        # last of the files, as it lists them
        write_manifest(partial)
        # safetensors writes 0600, and a model is for the group as the umask says
        share(partial)
        # one rename in one directory: others see no final/ or a whole one. rename(2) replaces no
        # folder that holds anything, so a model is never overwritten
        partial.replace(layout.final)
    trainer.accelerator.wait_for_everyone()


def check_weights(directory: Path, weights: Weights) -> None:
    """See that the weights were really gathered, and that an adapter has learned something.

    Raises:
        TrainingError: no file, an empty tensor, or what learns is all zero, as LoRA's matrices B.
    """
    # without gathering, ZeRO-3 writes only shards of whole weights, and wrote adapters of empty
    # tensors (https://github.com/huggingface/peft/issues/2892); neither is an error of the Trainer
    path = directory / weights.file
    if not path.is_file():
        raise TrainingError(
            f"{path.name} was not written",
            hint="ZeRO-3 needs stage3_gather_16bit_weights_on_model_save in its configuration",
        )
    # "pt", as numpy has no bfloat16
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    empty = [name for name, tensor in tensors.items() if tensor.numel() == 0]
    if empty or not tensors:
        raise TrainingError(f"{path.name} holds empty tensors: {', '.join(empty) or 'no tensor'}")
    # whole weights have no part that begins as zero and has to leave it
    if weights.learns is None:
        return
    # LoRA begins with B = 0, so that it changes nothing at first (Hu et al., LoRA, 2021, 4.1); a B
    # that is zero after training was reached by no gradient
    if not any(tensor.any() for name, tensor in tensors.items() if weights.learns in name):
        raise TrainingError(
            f"every {weights.learns} in {path.name} is zero: the adapter learned nothing"
        )
