"""Samples, scripts and reports that the tests of the data commands make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

from iacfilter_hpc.samples.prompt import build_prompt
from iacfilter_hpc.samples.sample import Label, Sample
from iacfilter_hpc.samples.smells import FILTERED

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = REPOSITORY / "configs" / "demo"
REAL_DATA = REPOSITORY.parent / "shared" / "data"


def sample(number: int, *, label: Label = "TP", smell: str | None = None) -> Sample:
    """A sample that shares nothing with one of another number."""
    random = Random(number)
    words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(44)]
    context = [f"  {words[4 * i]}: {' '.join(words[4 * i + 1 : 4 * i + 4])}" for i in range(11)]
    chosen = smell or FILTERED[number % 4]
    file = f"site-{number}/tasks/{words[0]}.yml"
    return Sample(
        smell=chosen,
        file=file,
        content=context[5].strip(),
        line=20,
        detection_span=(15, 25),
        with_context="\n".join(context),
        with_prompt=build_prompt(chosen, file, 20, 15, context),
        label=label,
        source="test",
        technology=("ansible", "chef", "puppet")[number % 3],
        repo=f"owner/site-{number}",
        family=f"family-{number}",
    )


def numbered(first: int, count: int) -> list[Sample]:
    """Samples of both labels that share nothing."""
    return [sample(i, label="TP" if i % 3 else "FP") for i in range(first, first + count)]


def without_origin(one: Sample) -> Sample:
    """A sample that names neither repository nor family."""
    return replace(one, repo=None, family=None)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Files below a folder; answers the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
