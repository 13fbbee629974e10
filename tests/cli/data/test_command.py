"""iacfilter-data: its three subcommands, their flags, and what stands at the front."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from iacfilter_hpc.cli.data.__main__ import main
from tests.cli.commands import iacfilter
from tests.conftest import Golden
from tests.samples.made import DEMO

SUBCOMMANDS = ("import", "check", "split", "weak-label")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words its help differently")
@pytest.mark.parametrize("subcommand", SUBCOMMANDS)
def test_help(subcommand: str, golden: Golden) -> None:
    done = iacfilter("data", subcommand, "--help", COLUMNS="100")
    assert (done.returncode, done.stderr) == (0, "")
    golden(f"data-{subcommand}.help", done.stdout)


@pytest.mark.parametrize(
    "arguments", [[], ["chek"], ["check"], ["import", "r.csv"], ["split", "x"]]
)
def test_what_is_missing_is_a_usage_error(arguments: list[str]) -> None:
    done = iacfilter("data", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: " in done.stderr


def test_json_may_stand_before_the_subcommand_or_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    demo = str(DEMO / "train.jsonl")
    documents = []
    for arguments in (["--json", "check", demo], ["check", demo, "--json"]):
        assert main(arguments) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1]


def test_from_a_report_to_checked_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The three subcommands one after the other, as the help's examples show them."""
    monkeypatch.chdir(tmp_path)
    report, labels = [], ["PATH,LINE,CATEGORY,AGREEMENT"]
    for number in range(30):
        name = f"role{number}/main.yml"
        (tmp_path / "scripts" / name).parent.mkdir(parents=True)
        lines = [f"{word}{number}: value {number * 31 + i}" for i, word in enumerate("abcdefgh")]
        (tmp_path / "scripts" / name).write_text("\n".join(lines))
        report.append(f"{name},{number % 8 + 1},sec_hard_pass,value:x")
        real = number % 3 == 0
        labels.append(f"{name},{number % 8 + 1 if real else 0},")
        labels[-1] += "Hard-coded secret,2" if real else "none,3"
    (tmp_path / "glitch.csv").write_text("\n".join(report) + "\n")
    (tmp_path / "labels.csv").write_text("\n".join(labels) + "\n")
    flags = ["glitch.csv", "--scripts", "scripts", "--oracle", "labels.csv", "-o", "all.jsonl"]
    assert main(["import", *flags]) == 0
    assert main(["split", "all.jsonl", "--sizes", "20/6", "--seed", "1", "-o", "split"]) == 0
    capsys.readouterr()
    assert main(["check", "split/train.jsonl", "split/validation.jsonl"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Shared between files: nothing" in out
