"""Every target that is named is there, and does what the README says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_phony_target_has_a_rule() -> None:
    text = (ROOT / "Makefile").read_text()
    named = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()
    assert [name for name in named if not re.search(rf"^{name}:", text, re.MULTILINE)] == []


def test_the_real_encoder_is_measured_by_a_target() -> None:
    done = make("-n", "encoder-bench", "DATA=/data", "KEPT=/kept")
    assert done.returncode == 0, done.stderr
    assert "-m tests.bench.real_encoder /data /kept" in done.stdout
    assert "'.[bench]'" in done.stdout
