"""A final/ directory as far as deciding about it needs no weights."""

from __future__ import annotations

from pathlib import Path

from iacfilter_hpc.checkpoints.manifest import write_manifest
from iacfilter_hpc.inputs.encoded import audit
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.trained_model.decision import Decision, Validation, write_decision
from iacfilter_hpc.trained_model.evidence import (
    ValidationScores,
    seen_of,
    write_seen,
    write_validation_scores,
)
from iacfilter_hpc.trained_model.trained_on import trained_on, write_trained_on


def made_decision(validation: Path) -> Decision:
    """That of an encoder whose threshold was chosen on a file."""
    none = audit([], [])
    return Decision(
        approach="encoder",
        threshold=0.61,
        temperature=1.5,
        metric="f1",
        validation=Validation(str(validation), sha256_of(validation), f1=0.8, f1_at_half=0.75),
        base_model="acme/encoder",
        revision=None,
        dtype="float32",
        bf16=False,
        max_length=256,
        input_fields=("smell", "content"),
        answers=None,
        smells=("hard_coded_secret", "use_of_http"),
        train_audit=none,
        validation_audit=none,
    )


def make_final(final: Path, train: Path, validation: Path) -> None:
    """Write what a training on these files leaves, less the model."""
    final.mkdir(parents=True)
    held_out = read_samples(validation)
    write_decision(final, made_decision(validation))
    write_seen(final, seen_of(read_samples(train), held_out))
    is_tp = tuple(sample.label == "TP" for sample in held_out)
    scores = ValidationScores(tuple(0.7 for _ in is_tp), is_tp)
    write_validation_scores(final, scores)
    record = trained_on(read_samples(train), held_out, scores, ())
    write_trained_on(final, record)
    write_manifest(final)
