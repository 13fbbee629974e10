"""ONNX scorer: an exported encoder's log-odds of TP, one input at a time on each thread.

Alone, since int8 arithmetic scales each tensor by the largest number in it: beside others in a
batch, an input would score a little otherwise than by itself. It needs no padding either.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from iacfilter_hpc.checkpoints.manifest import COPY_WHOLE
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.encode import encode_fields
from iacfilter_hpc.inputs.encoded import Encoded
from iacfilter_hpc.inputs.field_tokenizer import FieldTokenizer, read_field_tokenizer
from iacfilter_hpc.onnx_model.record import TOKENIZER, WEIGHTS, read_record
from iacfilter_hpc.packing.prefixes import Ids
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.trained_model.calibration import Calibrator
from iacfilter_hpc.trained_model.decision import Decision

REFUSALS = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)
"""What onnxruntime raises of files that it cannot load."""
ERRORS_ALONE = 3
"""onnxruntime's log severity: its warnings are about graphs and GPUs, and no reader can act."""


@dataclass(frozen=True, slots=True)
class OnnxScorer:
    """Loaded ONNX model: samples to token ids, and those to log-odds of TP."""

    decision: Decision
    tokenizer: FieldTokenizer
    session: onnxruntime.InferenceSession
    threads: int
    calibrator: Calibrator | None = None
    # also scorers of approaches, whose class stands in a room above
    partners: tuple[Any, ...] = ()

    def encode(self, samples: Sequence[Sample]) -> list[Encoded]:
        """Each sample as token ids: those of the encoder that was exported."""
        fields = self.decision.input_fields
        assert fields is not None, "checked by read_decision: an encoder's"
        return encode_fields(samples, self.tokenizer, fields, self.decision.max_length)

    def log_odds(self, rows: Sequence[Ids], budget: int | None = None) -> dict[Ids, float]:
        """Log-odds of TP of distinct inputs; `budget` is of those who compute several at once."""
        if self.threads == 1:
            return {ids: self._score(ids) for ids in rows}
        # a session may run on several threads, and leaves Python's lock to others meanwhile
        with ThreadPoolExecutor(self.threads) as pool:
            return dict(zip(rows, pool.map(self._score, rows), strict=True))

    def _score(self, ids: Ids) -> float:
        (logits,) = self.session.run(None, {"input_ids": np.array([ids], dtype=np.int64)})
        # float64: the difference adds no rounding of its own
        fp, tp = logits[0].astype(np.float64)
        return float(tp - fp)


def load_onnx_scorer(final: Path, decision: Decision) -> OnnxScorer:
    """The scorer of an exported directory, whose files are known to be whole.

    Raises:
        TrainingError: onnxruntime or tokenizers cannot read them.
    """
    record = read_record(final)
    tokenizer = read_field_tokenizer(
        final / TOKENIZER, record.begin, record.separator, record.longest
    )
    return OnnxScorer(decision, tokenizer, _session(final / WEIGHTS), _threads())


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ALONE
    # the threads are ours: see OnnxScorer.log_odds
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            str(path),
            options,
            providers=["CPUExecutionProvider"],
            # its kernel for CPUs is slow: 2.5 ms an input with it, 2.0 without (MiniLM in int8)
            disabled_optimizers=["SkipLayerNormFusion"],
        )
    except REFUSALS as error:
        raise TrainingError(
            f"{path} cannot be loaded: {str(error).splitlines()[0]}", hint=COPY_WHOLE
        ) from error


def _threads() -> int:
    """As many as OMP_NUM_THREADS says, which torch heeds too, else a core each."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else len(os.sched_getaffinity(0))
