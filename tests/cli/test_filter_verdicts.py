"""iacfilter-filter with people's verdicts and a baseline, end to end with a tiny model."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from iacfilter_hpc.cli.judging.filter import main
from iacfilter_hpc.cli.labels import label
from iacfilter_hpc.verdicts.verdict import Decision
from tests.cli.test_filter_outputs import document
from tests.filtering.unguarded import other_warnings, unguarded
from tests.glitch.made_decisions import FILES, ROWS, TASKS
from tests.tiny_finals import make_encoder_final
from tests.training.settings import TRAINS
from tests.verdicts.made_verdicts import HTTP, SECRET, judge, make_repository

pytestmark = TRAINS
MAIN = "roles/x/tasks/main.yml"
BY_PEOPLE = {"tp": 2, "fp": 1, "unsure": 0, "live_credentials_removed": 0}


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_encoder_final(tmp_path_factory.mktemp("encoder") / "final")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


@pytest.fixture
def words(tmp_path: Path, scripts: Path, final: Path) -> list[str]:
    words = [str(tmp_path / "glitch.csv"), "--scripts", str(scripts), "--model", str(final)]
    return [*words, *unguarded()]


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_verdicts_decide_whatever_the_threshold(
    capfd: pytest.CaptureFixture[str], words: list[str], scripts: Path, tmp_path: Path
) -> None:
    judge(scripts, HTTP, Decision.FP)
    judge(scripts, SECRET, Decision.TP)
    out = tmp_path / "out.csv"
    # the one keeps every row, the other none
    keep, remove = ["--threshold", "1e-9", "-o", str(out)], ["--threshold", "0.999", "-o", str(out)]
    found = document(capfd, [*words, *keep])
    assert (found["rows"]["fp"], found["by_people"]) == (1, BY_PEOPLE)
    assert found["verdicts"] == {
        "file": str(tmp_path / ".iacfilter/verdicts.jsonl"),
        "standing": 2,
        "expired": {},
    }
    found = document(capfd, [*words, *remove])
    assert found["rows"]["tp"] == 2
    assert [line.endswith(",TP by a person,") for line in lines(out)[:2]] == [True, True]
    found = document(capfd, [*words, *remove, "--no-verdicts"])
    assert (found["rows"]["tp"], found["verdicts"]) == (0, None)
    assert main([*words, *remove]) == 0
    said = capfd.readouterr().err
    assert "by people  2 TP, 1 FP, 0 unsure" in said
    path = scripts / MAIN
    path.write_text(path.read_text().replace("deploy", "deployer"))
    assert main([*words, *remove]) == 0
    said = capfd.readouterr().err
    assert "verdicts   1 standing" in said
    assert "expired    1 verdict: the block around its line has changed, or has a double" in said
    assert "a person's verdict TP on this line has expired" in said


def test_a_damaged_file_of_verdicts_stops_the_filter(
    capfd: pytest.CaptureFixture[str], words: list[str], scripts: Path, tmp_path: Path
) -> None:
    judge(scripts, HTTP, Decision.FP)
    path = tmp_path / ".iacfilter/verdicts.jsonl"
    path.write_text(path.read_text()[:-9])
    out = tmp_path / "out.csv"
    assert main([*words, "-o", str(out)]) == 1
    assert capfd.readouterr().err.startswith(f"error: {path}:1: not JSON: ")
    assert not out.exists()
    assert main([*words, "-o", str(path), "--no-verdicts"]) == 2
    assert f"error: --output {path} is an input" in capfd.readouterr().err


def test_a_baseline_leaves_what_is_new(
    capfd: pytest.CaptureFixture[str], words: list[str], scripts: Path, tmp_path: Path
) -> None:
    base, out = tmp_path / "base.jsonl", tmp_path / "out.csv"
    flags = ["--threshold", "1e-9", "-o", str(out)]
    found = document(capfd, [*words, *flags, "--write-baseline", str(base)])
    assert found["baseline"] is None and len(lines(base)) == 8
    report, path = Path(words[0]), scripts / MAIN
    first = "- name: first\n  debug:\n"
    path.write_text(TASKS.decode().replace("---\n", f"---\n{first}"))
    rows = [
        f"work/{MAIN},6,sec_https,url:'http://tools.example/a,b.tgz'",
        f"work/{MAIN},2,sec_susp_comm,first",
    ]
    report.write_text("".join(f"{row}\n" for row in rows))
    found = document(capfd, [*words, *flags, "--baseline", str(base), "--fail-on-findings"], 1)
    assert found["rows"]["read"] == 1
    assert found["baseline"] == {"file": str(base), "known_rows": 1, "gone": 7}
    assert [line.startswith(rows[1]) for line in lines(out)] == [True]
    # nothing new is nothing to fail for, and no sign of an empty report
    report.write_text(f"{rows[0]}\n")
    found = document(capfd, [*words, *flags, "--baseline", str(base), "--fail-on-findings"])
    assert other_warnings(found["warnings"]) == []
    # rolled forward, in the same file
    both = ["--baseline", str(base), "--write-baseline", str(base)]
    assert document(capfd, [*words, *flags, *both])["baseline"]["gone"] == 7
    assert len(lines(base)) == 1
    assert main([*words, "-o", str(base), "--baseline", str(base)]) == 2
    assert "is an input" in capfd.readouterr().err


def test_a_build_that_fails_does_not_hide_what_it_found(
    capsys: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    base, link = tmp_path / "base.jsonl", tmp_path / "link"
    base.touch()
    link.symlink_to(base)
    both = ["--baseline", str(base), "--write-baseline", str(link)]
    assert main([*words, *both, "--fail-on-findings"]) == 2
    assert base.read_bytes() == b""
    said = capsys.readouterr().err
    assert said.startswith(f"error: --write-baseline {link} would replace --baseline")
    assert "hint: roll the baseline forward in a run without --fail-on-findings" in said


def test_a_baseline_stays_where_the_other_outputs_cannot_appear(
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base, out = tmp_path / "base.jsonl", tmp_path / "out.csv"
    store = os.fsync

    def full(file: int) -> None:
        if Path(f"/proc/self/fd/{file}").readlink().name.startswith(f".{out.name}."):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        store(file)

    monkeypatch.setattr(os, "fsync", full)
    assert main([*words, "--write-baseline", str(base), "-o", str(out)]) == 1
    assert f"error: {out}: No space left" in capsys.readouterr().err
    assert not base.exists() and not out.exists()


def test_an_earlier_report_is_a_baseline_of_equal_rows(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    before, out = tmp_path / "before.csv", tmp_path / "out.csv"
    before.write_text("\n".join(ROWS.splitlines()[:12]) + "\n")
    found = document(capfd, [*words, "-o", str(out), "--baseline", str(before)])
    assert found["baseline"] == {"file": str(before), "known_rows": 12, "gone": 0}
    assert found["rows"]["read"] == 1
    assert "is a report, which has no fingerprints" in other_warnings(found["warnings"])[0]


def test_labels_beside_a_model(
    capsys: pytest.CaptureFixture[str], words: list[str], tmp_path: Path, final: Path
) -> None:
    answers = tmp_path / "answers.csv"
    rows = f"{HTTP.file},4,use_of_http,TP,\n{SECRET.file},9,,FP,\n"
    answers.write_text(f"file,line,smell,decision,note\n{rows}")
    assert label.main([*words[:5], "--answers", str(answers), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    figures = found["labelled"]["figures"]
    assert figures["labels"] == 2 and figures["recall"]["count"] == 1
    assert figures["recall"]["later"][0] >= figures["recall"]["low"]
    assert label.main([*words[:5], "--answers", str(answers)]) == 0
    said = capsys.readouterr().out
    assert "2 labels with a p(TP), at the threshold 0.6100:" in said
    assert "after 20 more labels like these" in said
    assert set(FILES) == {MAIN, "cookbooks/a b/caf\u00e9:1.rb"}


def test_a_rule_is_above_people_and_a_credential_is_said(
    capfd: pytest.CaptureFixture[str], words: list[str], scripts: Path, tmp_path: Path
) -> None:
    """Whoever may add a verdict, as in a pull request, does not write --rules."""
    judge(scripts, HTTP, Decision.FP)
    judge(scripts, SECRET, Decision.FP)
    rules = tmp_path / "rules.yaml"
    rules.write_text("never-suppress:\n- {name: downloads, smell: use_of_http}\n")
    without = words[: words.index("--rules")]
    flags = ["-o", str(tmp_path / "out.csv"), "--threshold", "0.999"]
    found = document(capfd, [*without, *flags, "--rules", str(rules)])
    assert found["by_people"]["fp"] == 2, "both reports of the one password"
    assert found["safety"]["kept"]["rule"] >= 1
    assert "the rule downloads keeps it" in found["unjudged"]
    assert found["by_people"]["live_credentials_removed"] == 2
    said = [each for each in found["warnings"] if "as people have called them" in each]
    assert len(said) == 1 and said[0].startswith("2 rows that look like live credentials")
