"""ONNX record, onnx.json: what a model directory in ONNX holds beside decision.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.checkpoints.manifest import COPY_WHOLE
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.record_schema import kind_of, write

SCHEMA = 1
FILE = "onnx.json"
WEIGHTS = "model.onnx"
"""Its input is input_ids [1, tokens] (int64), its output the logits of FP and TP, [1, 2]."""
TOKENIZER = "tokenizer.json"
PACKAGES = ("onnxruntime", "tokenizers", "numpy")
"""What scoring imports: all in the filter extra."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxRecord:
    """Record of an exported encoder: the tokens that frame its input, and how it was made.

    `source_sha256` is that of the manifest of the model that was exported.
    """

    schema: int = SCHEMA
    architecture: str
    begin: int
    separator: int
    longest: int
    int8: bool
    source_sha256: str
    versions: dict[str, str]


def is_onnx(final: Path) -> bool:
    """Whether a model directory holds an encoder in ONNX."""
    return (final / FILE).is_file()


def write_record(directory: Path, record: OnnxRecord) -> None:
    """Write onnx.json into a directory that nobody reads yet."""
    write(directory / FILE, record)


def read_record(directory: Path) -> OnnxRecord:
    """The record of a directory in ONNX.

    Raises:
        TrainingError: the file is missing, damaged (each wrong key is named) or of another schema.
    """
    return RECORD.read(directory / FILE)


RECORD = kind_of(OnnxRecord, error=TrainingError, hint=COPY_WHOLE)
