"""Write samples as JSON Lines that samples.py reads back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from iacfilter_hpc.detections.samples import Sample
from iacfilter_hpc.files import write_atomically


def line_of(sample: Sample) -> str:
    """A sample as one line of JSON, without line end.

    The ten fields in their order, then technology, repo and family if they are known.
    """
    fields: dict[str, object] = {
        "smell": sample.smell,
        "file": sample.file,
        "content": sample.content,
        "line": sample.line,
        "detection_span": list(sample.detection_span),
        "with_context": sample.with_context,
        "with_prompt": sample.with_prompt,
        "label": sample.label,
        "confidence": sample.confidence,
        "source": sample.source,
    }
    if sample.technology_is_given:
        fields["technology"] = sample.technology
    for name, value in (("repo", sample.repo), ("family", sample.family)):
        if value is not None:
            fields[name] = value
    return json.dumps(fields, ensure_ascii=False, allow_nan=False)


def text_of(samples: Iterable[Sample]) -> str:
    """A file of samples: one line each."""
    return "".join(f"{line_of(sample)}\n" for sample in samples)


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Replace a file of samples in one step."""
    write_atomically(path, text_of(samples))
