"""Samples to be taught, and requests that wait for next to nothing between two tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.samples.sample import Sample, write_samples
from iacfilter_hpc.teaching.asking import Retries
from iacfilter_hpc.teaching.endpoint import endpoint_of
from iacfilter_hpc.teaching.teach import Asking, Taught, TeachRequest, teach
from tests.samples.made import numbered

PROXIES = "http_proxy https_proxy all_proxy".split()
QUICK = Retries(tries=3, first=0.01, most=0.05)
Teach = Callable[..., Taught]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever leads the person who runs the tests to the network has no part in them."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("IACFILTER_TEACHER_KEY", raising=False)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Twelve samples that nobody has judged, in samples.jsonl."""
    made = [replace(sample, label=None) for sample in numbered(0, 12)]
    write_samples(tmp_path / "samples.jsonl", made)
    return made


@pytest.fixture
def said() -> list[str]:
    """What was said meanwhile."""
    return []


@pytest.fixture
def taught(tmp_path: Path, samples: list[Sample], said: list[str]) -> Teach:
    """Teaches the samples; words of Asking go there, all others to the request."""

    def call(url: str, **options: Any) -> Taught:
        asking = {
            name: options.pop(name)
            for name in ("votes", "temperature", "max_tokens", "body", "model")
            if name in options
        }
        key, timeout = options.pop("key", None), options.pop("timeout", 5.0)
        request = TeachRequest(
            samples=tmp_path / "samples.jsonl",
            output=tmp_path / "taught.jsonl",
            endpoint=endpoint_of(url, key, timeout),
            asking=Asking(**{"model": "teacher", **asking}),
            **{"retries": QUICK, "parallel": 3, **options},
        )
        return teach(request, said.append)

    return call
