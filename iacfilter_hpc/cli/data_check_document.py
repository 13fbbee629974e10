"""The report of iacfilter-data check as plain JSON types."""

from __future__ import annotations

from dataclasses import asdict

from iacfilter_hpc.cli.data_findings import Found
from iacfilter_hpc.cli.data_tables import balance_document
from iacfilter_hpc.detections.balance import count_labels
from iacfilter_hpc.detections.leakage import Leak, Place
from iacfilter_hpc.detections.samples import sha256_of


def document(found: Found) -> dict[str, object]:
    """The report for JSON."""
    return {
        "leakage": bool(found.forbidden),
        "files": [
            {
                "file": file.name,
                "path": str(path),
                "sha256": sha256_of(path),
                "samples": len(file.samples),
                "unlabelled": count_labels(file.samples).unlabelled,
                "counts": balance_document(file.samples),
            }
            for path, file in zip(found.paths, found.files, strict=True)
        ],
        "leaks": [_leak_document(found, leak) for leak in found.leaks],
        "repeats": [
            {
                "file": found.files[repeats.data].name,
                "kind": repeats.kind,
                "groups": len(repeats.each),
                "surplus": repeats.surplus,
                "contradictions": repeats.contradictions,
                "each": [
                    {
                        "contradictory": repeat.contradictory,
                        "samples": [_place(found, place) for place in repeat.places],
                    }
                    for repeat in repeats.each
                ],
            }
            for repeats in found.repeats
        ],
        "contradictions": [asdict(wrong) for wrong in found.contradictions],
        "lengths": _lengths_document(found),
        "warnings": found.warnings,
    }


def _leak_document(found: Found, leak: Leak) -> dict[str, object]:
    """A leak with all its samples; any two of different files are a pair."""
    return {
        "kind": leak.kind,
        "what": leak.what,
        "accepted": leak.kind in found.allowed,
        "pairs": leak.pairs,
        "samples": [_place(found, place) for place in leak.places],
    }


def _place(found: Found, place: Place) -> dict[str, object]:
    return {
        "data": found.files[place.data].name,
        "row": place.row,
        "file": place.sample.file,
        "line": place.sample.line,
        "smell": place.sample.smell,
        "label": place.sample.label,
    }


def _lengths_document(found: Found) -> list[dict[str, object]]:
    return [
        {
            "file": file.name,
            "p50": of.p50,
            "p90": of.p90,
            "p99": of.p99,
            "max": of.longest,
            "over": of.over,
            "cut": of.cut,
            "tokens_dropped": of.tokens_dropped,
            "lines_dropped": of.lines_dropped,
            "kept_over": of.kept_over,
            "no_fit": [{"row": index + 1, "problem": problem} for index, problem in of.no_fit],
        }
        for file, of in zip(found.files, found.lengths, strict=False)
    ]
