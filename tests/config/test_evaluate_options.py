"""iacfilter_hpc.config.evaluate_options: what a person asks for is what the job is told."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from iacfilter_hpc.cli.evaluate_flags import add_flags, from_flags
from iacfilter_hpc.config.evaluate_options import DEFAULTS, EvaluateOptions, as_flags


def read(*words: str) -> EvaluateOptions:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return from_flags(parser.parse_args(words))


def test_nothing_asked_for_is_the_default() -> None:
    assert read() == DEFAULTS
    assert as_flags(DEFAULTS) == []
    assert (DEFAULTS.seed, DEFAULTS.used_seed, EvaluateOptions(seed=4).used_seed) == (None, 0, 4)


@pytest.mark.parametrize(
    "options",
    [
        EvaluateOptions(threshold="argmax"),
        EvaluateOptions(threshold=0.1 + 0.2),
        EvaluateOptions(groups=Path("/it's a.csv"), draws=100, seed=2**40),
        EvaluateOptions(output=Path("/--seed=3")),
        EvaluateOptions(cross_fit=5, seed=0),
    ],
    ids=str,
)
def test_flags_say_the_same_again(options: EvaluateOptions) -> None:
    assert read(*as_flags(options)) == options


def test_paths_hold_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    found = read("--groups", "meta.csv", "-o", "~/out")
    assert found.groups == tmp_path / "meta.csv"
    assert found.output == Path.home() / "out"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--threshold", "best"], "'best' is neither validation nor argmax nor a number"),
        (["--threshold", "0"], "'0' is neither"),
        (["--threshold", "1"], "'1' is neither"),
        (["--threshold", "nan"], "'nan' is neither"),
        (["--threshold", "-0.5"], "'-0.5' is neither"),
        (["--draws", "99"], "'99' is not a whole number from 100"),
        (["--draws", "1e3"], "'1e3' is not a whole number"),
        (["--seed", "-1"], "'-1' is not a whole number from 0"),
    ],
    ids=str,
)
def test_nonsense_is_a_usage_error(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        read("=".join(words))
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
