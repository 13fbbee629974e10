"""iacfilter-data weak-label: labels by votes, and the table of what each function is worth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.cli.data.__main__ import main
from iacfilter_hpc.samples.sample import read_samples, write_samples
from tests.samples.made import sample

SAMPLES = [
    replace(sample(0, smell="use_of_http"), content="url: http://localhost:80/", label=None),
    replace(sample(1, smell="use_of_http"), content="source: http://acme.com/a.rpm", label="TP"),
    replace(sample(2, smell="suspicious_comment"), content="# TODO: mend this", label="FP"),
    replace(sample(4, smell="suspicious_comment"), content="# nothing"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_samples(tmp_path / "samples.jsonl", SAMPLES)
    return tmp_path / "samples.jsonl"


def test_votes_become_labels_with_their_confidence(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = data.with_name("weak.jsonl")
    assert main(["weak-label", str(data), "-o", str(output)]) == 0
    found = read_samples(output)
    assert [each.label for each in found] == ["FP", "TP", "TP"]
    assert all(0.5 < (each.confidence or 0) < 1 for each in found)
    assert {each.source for each in found} == {"labelling-functions"}
    assert [each.content for each in found] == [each.content for each in SAMPLES[:3]]
    out = capsys.readouterr().out
    assert "3 samples of 4 (2 TP, 1 FP)" in out
    row = next(line.split() for line in out.splitlines() if line.startswith("marker_word"))
    # the file says FP of the one that it votes TP on
    assert row[:5] == ["marker_word", "TP", "1", "0", "0.00"]


def test_without_output_functions_are_told_of(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weak-label", str(data), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["output"], told["tp"], told["fp"], told["left_out"]) == (None, 2, 1, 1)
    names = {each["name"]: each for each in told["functions"]}
    assert names["local_url"]["votes"] == 1 and names["local_url"]["right"] is None


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("-o", "samples.jsonl"), 2, "is an input"),
        (("--functions", "gone.yaml"), 2, "--functions gone.yaml is not a file"),
        (("-o", "x.jsonl", "--min-confidence", "1"), 1, "x.jsonl would be empty"),
    ],
)
def test_wrong_requests_are_told(
    data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    problem: str,
) -> None:
    monkeypatch.chdir(data.parent)
    assert main(["weak-label", data.name, *words]) == code
    assert problem in capsys.readouterr().err
    assert [path.name for path in data.parent.iterdir()] == ["samples.jsonl"]


@pytest.mark.parametrize("text", ["0.4", "1.1", "nan", "half"])
def test_a_confidence_is_a_probability(data: Path, text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["weak-label", str(data), "--min-confidence", text])
    assert ended.value.code == 2
