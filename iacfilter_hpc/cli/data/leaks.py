"""Leaks as text, as JSON and as a file of pairs: what sample files share, a cluster at a time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.errors import counted
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.samples.check import Checked
from iacfilter_hpc.samples.duplicates import KINDS, MEANING
from iacfilter_hpc.samples.leakage import Leak, Place


def leaks_text(checked: Checked, show: int) -> str:
    """What the files share by kind: how much, and the `show` clusters of most pairs."""
    parts = [_kind_text(checked, leaks, show) for kind in KINDS if (leaks := checked.of_kind(kind))]
    return "\n".join(parts) or "Shared between files: nothing"


def _kind_text(checked: Checked, leaks: list[Leak], show: int) -> str:
    kind, pairs = leaks[0].kind, sum(leak.pairs for leak in leaks)
    clusters = f" in {counted(len(leaks), 'cluster')}" if len(leaks) < pairs else ""
    accepted = " (accepted)" if kind in checked.allowed else ""
    head = f"Shared between files: {kind}, {MEANING[kind]}: {counted(pairs, 'pair')}"
    lines = [f"{head}{clusters}{accepted}"]
    shown = sorted(leaks, key=lambda leak: -leak.pairs)[:show]
    for leak in shown:
        lines += _cluster_lines(checked, leak)
    if more := len(leaks) - len(shown):
        left = pairs - sum(leak.pairs for leak in shown)
        lines.append(f"  ... and {more} more" + (f" of {left} pairs" if left > more else ""))
    return "\n".join(lines)


def _cluster_lines(checked: Checked, leak: Leak) -> list[str]:
    examples = [
        f"  {shown_place(checked, one)}  =  {shown_place(checked, other)}"
        for one, other in leak.examples()
    ]
    if leak.pairs == 1:
        return examples
    files = ", ".join(f"{count} in {name}" for name, count in _by_file(checked, leak).items())
    among = f"{leak.pairs} pairs among {len(leak.places)} samples ({files})"
    return [f"  {among}, such as", *(f"  {line}" for line in examples)]


def _by_file(checked: Checked, leak: Leak) -> dict[str, int]:
    counts = Counter(place.data for place in leak.places)
    return {checked.files[data].name: count for data, count in sorted(counts.items())}


def shown_place(checked: Checked, place: Place) -> str:
    """A place for a person."""
    sample = place.sample
    file = checked.files[place.data].name
    return f"{file}:{place.row} ({terminal.plain(sample.file)}:{sample.line})"


def leak_document(checked: Checked, leak: Leak) -> dict[str, object]:
    """A leak with all its samples, some of its pairs, and how many of each there are.

    Any two samples of different files are a pair, but for near contexts: of those each sample is in
    one pair or more.
    """
    return {
        "kind": leak.kind,
        "what": leak.what,
        "accepted": leak.kind in checked.allowed,
        "pairs": leak.pairs,
        "by_file": _by_file(checked, leak),
        "examples": [
            [place_document(checked, place) for place in pair] for pair in leak.examples()
        ],
        "samples": [place_document(checked, place) for place in leak.places],
    }


def place_document(checked: Checked, place: Place) -> dict[str, object]:
    """A place for JSON."""
    return {
        "data": checked.files[place.data].name,
        "row": place.row,
        "file": place.sample.file,
        "line": place.sample.line,
        "smell": place.sample.smell,
        "label": place.sample.label,
    }


def write_pairs(path: Path, checked: Checked) -> None:
    """Write every pair of samples of different files as JSON Lines, in one step.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as (file,):
        for leak in checked.leaks:
            for one, other in leak.each_pair():
                pair = {
                    "kind": leak.kind,
                    "one": place_document(checked, one),
                    "other": place_document(checked, other),
                }
                file.write(f"{json.dumps(pair)}\n".encode())
