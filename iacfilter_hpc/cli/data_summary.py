"""What summary.json says of a split: where it comes from, what is in it, and what is not."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from iacfilter_hpc.cli.data_tables import balance_document
from iacfilter_hpc.detections.balance import count_labels
from iacfilter_hpc.detections.dedupe import Duplicate
from iacfilter_hpc.detections.leakage import DataFile
from iacfilter_hpc.detections.samples import Sample, sha256_of
from iacfilter_hpc.detections.splits import Split
from iacfilter_hpc.detections.write import write_samples


def summary_of(
    given: argparse.Namespace,
    samples: Sequence[Sample],
    found: Split,
    duplicates: Sequence[Duplicate],
) -> dict[str, object]:
    """Everything about a split but the files' digests."""
    reasons = Counter(out.reason for out in found.left_out)
    left_out = [
        {**_place(samples[out.index]), "reason": out.reason}
        for out in found.left_out
        # of a group that is not needed all samples are missing; the count says enough
        if not out.reason.startswith("its group")
    ]
    doubles = [
        {
            **_place(double.sample),
            "reason": f"duplicate of {double.first.file}:{double.first.line}",
            "same_label": double.sample.label == double.first.label,
        }
        for double in duplicates
    ]
    if doubles:
        reasons["duplicate"] = len(doubles)
    return {
        "command": shlex.join(["iacfilter-data", *sys.argv[1:]]),
        "input": {
            "file": str(given.samples.absolute()),
            "sha256": sha256_of(given.samples),
            "samples": len(samples) + len(duplicates),
        },
        "sizes": list(given.sizes),
        "by": given.by,
        "seed": given.seed,
        "groups": found.units,
        "groups_with_shared_code_joined": found.joined,
        "left_out": dict(sorted(reasons.items())),
        "left_out_samples": [*doubles, *left_out],
    }


def written(directory: Path, file: DataFile) -> dict[str, object]:
    """What summary.json says of a file, once that is written."""
    write_samples(directory / file.name, file.samples)
    labels = count_labels(file.samples)
    return {
        "file": file.name,
        "sha256": sha256_of(directory / file.name),
        "samples": labels.samples,
        "TP": labels.tp,
        "FP": labels.fp,
        "counts": balance_document(file.samples),
    }


def _place(sample: Sample) -> dict[str, object]:
    return {
        "key": sample.key,
        "smell": sample.smell,
        "file": sample.file,
        "line": sample.line,
        "label": sample.label,
    }
