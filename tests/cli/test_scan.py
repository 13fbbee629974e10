"""iacfilter-scan and the flags of a build, end to end with a tiny model and a program as GLITCH."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from iacfilter_hpc.cli.judging import filter as filtering
from iacfilter_hpc.cli.judging.scan import main
from iacfilter_hpc.config.schema import TINY as TINY_MODEL
from iacfilter_hpc.trained_model.decision import read_decision, write_decision
from tests.glitch.made_decisions import write_all
from tests.glitch.test_sarif import VALIDATOR
from tests.samples.made import REAL_DATA
from tests.scanning.glitch_stand_in import CANNOT
from tests.scanning.made import FILES, ROWS, TINY, make_glitch, make_repository, write_files
from tests.tiny_finals import make_encoder_final
from tests.training.settings import TRAINS

pytestmark = TRAINS
KEEP, REMOVE = "0.000001", "0.999999"
"""Thresholds that every p(TP) is above, and below."""


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_encoder_final(tmp_path_factory.mktemp("encoder") / "final")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "repository")


@pytest.fixture
def words(tmp_path: Path, folder: Path, final: Path) -> list[str]:
    """A command line that scans the folder."""
    glitch = make_glitch(tmp_path / "bin")
    return [str(folder), "--model", str(final), "--glitch", str(glitch), *TINY]


def document(capfd: pytest.CaptureFixture[str], words: list[str], code: int = 0) -> dict[str, Any]:
    """What --json prints, and nothing else is."""
    assert main([*words, "--json"]) == code
    found = json.loads(capfd.readouterr().out)
    assert isinstance(found, dict)
    return found


def starts(text: str) -> set[str]:
    return {",".join(line.split(",")[:3]) for line in text.splitlines()[1:]}


def test_one_step_from_a_folder_to_what_is_kept(
    capfd: pytest.CaptureFixture[str], words: list[str], folder: Path, tmp_path: Path
) -> None:
    write_files(folder, {"bad.yml": CANNOT})
    before = sorted(folder.rglob("*"))
    report = tmp_path / "report.csv"
    assert main([*words, "--threshold", KEEP, "--keep-report", str(report)]) == 0
    said = capfd.readouterr()
    assert starts(said.out) == ROWS == starts(report.read_text())
    assert f"{folder}: GLITCH of unknown version read 5 scripts\n" in said.err
    assert "  ansible        3 scripts, 3 rows, 1 not parsed\n" in said.err
    assert f"{folder}: 6 rows of form v2, paths as they are\n" in said.err
    assert "could not parse all: 'Ansible - Could not parse file: bad.yml'\n" in said.err
    # the same as the two steps by hand
    by_hand = [str(report), "--scripts", str(folder), *words[1:3], *TINY, "--threshold", KEEP]
    assert filtering.main(by_hand) == 0
    assert capfd.readouterr().out == said.out
    assert sorted(folder.rglob("*")) == before


def test_the_document(capfd: pytest.CaptureFixture[str], words: list[str], folder: Path) -> None:
    write_files(folder, {"bad.yml": CANNOT})
    found = document(capfd, [*words, "--threshold", KEEP])
    assert found["report"] == str(folder)
    assert found["glitch"] == {"program": [words[4]], "version": None}
    assert found["scripts"] == {"found": 5, "changed": None, "read": 5}
    assert found["technologies"][0] == {
        "name": "ansible",
        "scripts": 3,
        "rows": 3,
        "not_parsed": ["Ansible - Could not parse file: bad.yml"],
    }
    assert (found["rows"]["read"], found["findings"]) == (6, 6)
    assert any("bad.yml" in warning for warning in found["warnings"])


def test_only_what_has_changed(
    capfd: pytest.CaptureFixture[str], words: list[str], folder: Path
) -> None:
    make_repository(folder, FILES)
    words += ["--changed-since", "HEAD", "--fail-on-findings", "--threshold", KEEP]
    assert main(words) == 0
    assert "  changed    0 of 4 scripts, since HEAD\n" in capfd.readouterr().err
    write_files(folder, {"new.pp": "# TODO\n"})
    assert main(words) == 1
    said = capfd.readouterr()
    assert starts(said.out) == {"new.pp,1,sec_susp_comm"}
    assert said.err.endswith(
        "findings: 1 row is kept, so --fail-on-findings ends with exit code 1\n"
    )
    assert main([*words, "--no-untracked"]) == 0


def test_exit_codes_of_a_build(
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    build = [*words, "--fail-on-findings"]
    assert main([*build, "--threshold", KEEP]) == 1
    assert main([*build, "--threshold", REMOVE]) == 0
    monkeypatch.setenv("STAND_IN_FAILS", "1")
    assert (main(build), main(words)) == (2, 1)
    assert main([*build, "--glitch", "/nowhere"]) == main([*words, "--glitch", "/nowhere"]) == 2
    assert main([*build, "--model", f"{tmp_path}/none"]) == 2
    assert main([f"{tmp_path}/none", *build[1:]]) == 2
    assert "is not a directory" in capfd.readouterr().err
    assert main([*build, "--changed-since", "HEAD"]) == 2
    assert "is in no git work tree" in capfd.readouterr().err


def test_a_fault_in_the_code_does_not_look_like_findings(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def faulty(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("iacfilter_hpc.filtering.request.find_trained", faulty)
    with pytest.raises(SystemExit) as ended:
        main([*words, "--fail-on-findings"])
    assert ended.value.code == 2
    assert "RuntimeError: a fault" in capfd.readouterr().err
    with pytest.raises(RuntimeError):
        main(words)


def test_wrong_flags_are_told_before_glitch_runs(
    words: list[str], folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.csv")
    script = f"{folder}/manifests/init.pp"
    for flags, says in (
        (["-o", out, "--keep-report", out], "error: --output and --keep-report name the same file"),
        (["--keep-report", script], f"error: --keep-report {script} is a script below"),
        (["-o", script], f"error: --output {script} is a script below"),
        (["--no-untracked"], "error: --no-untracked is about --changed-since"),
        (["--changed-since", ""], "error: --changed-since '' is not a name"),
        (["--smells", "hard_coded_secrets"], "error: --smells: 'hard_coded_secrets' is no smell"),
        (["--bare", "--annotate"], "error: --bare leaves out"),
    ):
        assert main([*words, *flags]) == 2
        said = capfd.readouterr().err
        assert said.startswith(says), said
    assert "hint: did you mean hard_coded_secret?" not in said


def test_what_decides_is_read_before_glitch_runs(
    words: list[str],
    final: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # a scan that got so far would say this instead
    monkeypatch.setenv("STAND_IN_FAILS", "1")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("live-credentials: perhaps\n")
    base = tmp_path / "base.jsonl"
    base.write_text("{}\n")
    copied = tmp_path / "copied"
    shutil.copytree(final, copied)
    (copied / "validation_scores.json").unlink()
    for flags, says in (
        (["--rules", f"{tmp_path}/none.yaml"], f"error: {tmp_path}/none.yaml"),
        (["--rules", str(wrong)], f"error: {wrong}:1: live-credentials is"),
        (["--verdicts", f"{tmp_path}/none"], f"error: --verdicts {tmp_path}/none is not there"),
        (["--baseline", str(base)], f"error: {base}:1: "),
        (["--baseline", f"{tmp_path}/none"], f"error: {tmp_path}/none"),
        (["--model", str(copied), "--min-recall", "0.9"], f"error: {copied}/validation_scores"),
        (["--keep-report", f"{final}/x"], f"error: --keep-report {final}/x is inside the model"),
        (["-o", f"{final}/x"], f"error: --output {final}/x is inside the model"),
    ):
        assert main([*words, *flags]) in (1, 2)
        said = capfd.readouterr().err
        assert said.startswith(says), said
    write_decision(copied, replace(read_decision(copied), base_model=TINY_MODEL))
    words = [word for word in words if word != "--allow-tiny"]
    assert main([*words, "--model", str(copied)]) == 2
    assert "is a tiny model" in capfd.readouterr().err
    assert not (final / "x").exists()


def test_what_the_filter_reads_is_not_replaced_before(
    words: list[str], folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    verdicts, rules = folder / ".iacfilter/verdicts.jsonl", tmp_path / "rules.yaml"
    for path in (verdicts, rules, tmp_path / "last.csv", folder / ".iacfilter.yaml"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        flags = ["--baseline", f"{tmp_path}/last.csv", "--rules", str(rules)]
        # the rules of the folder are read where no others are named
        flags = flags[:2] if path.name.startswith(".") else flags
        command = words[: words.index("--rules")]
        for output in ("--keep-report", "-o"):
            assert main([*command, *flags, output, str(path)]) == 2
            said = capfd.readouterr().err
            assert f"put {path} is an input\n" in said or f"report {path} is an input\n" in said
        assert path.read_bytes() == b""


def test_all_logs_agree(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    paths = {n: tmp_path / n for n in ("rows.csv", "log.sarif", "quality.json", "summary.md")}
    flags = ("-o", "--sarif", "--code-quality", "--summary")
    words += [w for pair in zip(flags, map(str, paths.values()), strict=True) for w in pair]
    found = document(capfd, [*words, "--threshold", KEEP, "--smells", "use_of_http,sec_hard_secr"])
    assert found["outputs"]["code_quality"] == str(paths["quality.json"])
    assert (found["rows"]["read"], found["rows"]["unjudged"], found["findings"]) == (6, 2, 4)
    assert list(found["unjudged"]) == ["its smell is none of those that --smells names"]
    rows = paths["rows.csv"].read_text().splitlines()[1:]
    assert len(rows) == 6, "other smells pass"
    assert sum(",TP," in row for row in rows) == 4
    log = json.loads(paths["log.sarif"].read_text())
    assert not list(VALIDATOR.iter_errors(log))
    assert len(log["runs"][0]["results"]) == 4
    assert len(json.loads(paths["quality.json"].read_text())) == 4
    assert paths["summary.md"].read_text().startswith("### Security smells: 4 findings, 0 false")
    found = document(capfd, [*words, "--threshold", REMOVE])
    assert (found["findings"], json.loads(paths["quality.json"].read_text())) == (0, [])


def test_unjudged_rows_end_a_build_or_not(
    words: list[str], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # a script that cannot be read leaves its row unjudged
    write_files(folder, {"odd.yml": "# TODO\0\n"})
    words += ["--threshold", REMOVE, "--fail-on-findings"]
    assert main(words) == 1
    capfd.readouterr()
    assert main([*words, "--unjudged", "ignore"]) == 0
    said = capfd.readouterr()
    assert starts(said.out) == {"odd.yml,1,sec_susp_comm"}
    assert "  findings   0: the rows that are kept and were judged\n" in said.err


def test_githubs_log_holds_no_suppressed_results(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sarif = tmp_path / "log.sarif"
    words += ["--threshold", REMOVE, "--sarif", str(sarif)]

    def results(*flags: str) -> int:
        assert main([*words, *flags]) == 0
        return len(json.loads(sarif.read_text())["runs"][0]["results"])

    assert results() == 6
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    capfd.readouterr()
    assert results() == 0
    assert "GITHUB_ACTIONS is true, so --sarif leaves out" in capfd.readouterr().err
    assert results("--keep-suppressed") == 6
    assert "GITHUB_ACTIONS" not in capfd.readouterr().err
    monkeypatch.setenv("GITHUB_ACTIONS", "false")
    assert (results(), results("--omit-suppressed")) == (6, 0)


def test_another_folder_than_the_reports_is_an_error(
    tmp_path: Path, final: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """data import refuses it as well; all rows kept and a warning looked careful."""
    report, _ = write_all(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    words = [str(report.path), "--model", str(final), "--scripts", str(other), *TINY]
    for flags in ([], ["--fail-on-findings"]):
        assert filtering.main([*words, *flags]) == 2
        said = capfd.readouterr()
        assert said.out == ""
        assert said.err.startswith(
            f"error: {report.path} names 4 scripts, and none is in --scripts"
        )


def test_sarif_of_another_tool_is_filtered(
    tmp_path: Path, folder: Path, final: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    results = [
        {
            "ruleId": rule,
            "message": {"text": "x"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "roles/web/vars/main.yml"},
                        "region": {"startLine": 1, "snippet": {"text": "db_password: hunter2"}},
                    }
                }
            ],
        }
        for rule in ("CWE-798", "other")
    ]
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": results}]}
    path = tmp_path / "in.sarif"
    path.write_text(json.dumps(log))
    words = ["--sarif-in", str(path), "--scripts", str(folder), "--model", str(final), *TINY]
    assert filtering.main([*words, "--threshold", REMOVE]) == 0
    said = capfd.readouterr()
    assert [row.split(",")[2] for row in said.out.splitlines()[1:]] == ["sarif_t_other"]
    assert f"{path}: 2 findings, 1 of smells that GLITCH knows\n" in said.err
    assert filtering.main([*words, "--threshold", KEEP, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["sarif_in"] == {"file": str(path), "findings": 2, "known": 1, "left_out": 0}
    assert found["report"] == str(path)
    assert (found["rows"]["tp"], found["rows"]["unjudged"]) == (1, 1)
    assert filtering.main([*words, "-o", str(path)]) == 2
    assert f"--output {path} is an input" in capfd.readouterr().err
    for both in ([], ["report.csv", "--sarif-in", str(path)]):
        with pytest.raises(SystemExit) as ended:
            filtering.main([*both, *words[2:]])
        assert ended.value.code == 2


def test_sarif_whose_findings_name_no_file_passes(
    tmp_path: Path, folder: Path, final: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    results = [{"ruleId": "CWE-798", "message": {"text": "of the whole project"}}]
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": results}]}
    path = tmp_path / "in.sarif"
    path.write_text(json.dumps(log))
    words = ["--sarif-in", str(path), "--scripts", str(folder), "--model", str(final), *TINY]
    assert filtering.main(words) == 0
    assert starts(capfd.readouterr().out) == {"no-location,-1,sec_hard_secr"}


RECORDED = REAL_DATA / "glitch_output" / "main_21db8c4"
REPLAYED = {
    "ansible-role-docker": ("ansible-docker.csv", "ansible"),
    "mysql": ("mysql.csv", "chef"),
    "puppetlabs-apache": ("apache.csv", "puppet"),
    "terragoat": ("terragoat.csv", "terraform"),
    "kubespray": ("gha.csv", "github-actions"),
}


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the real data are not here")
@pytest.mark.parametrize("name", REPLAYED)
def test_what_glitch_really_printed_is_scanned_whole(
    tmp_path: Path, final: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """A program that prints what GLITCH 21db8c4 printed, with the paths that it has here."""
    recorded, technology = REPLAYED[name]
    lines = (RECORDED / recorded).read_text().splitlines()
    rows = [line.replace(f"repos/{name}/", "./", 1) for line in lines[1:]]
    program = make_glitch(tmp_path / "bin")
    replay = tmp_path / f"{technology}.csv"
    replay.write_text("\n".join([lines[0], *rows]) + "\n")
    text = program.read_text().replace("    print(TABLE)", "    replay(args)\n    print(TABLE)")
    program.write_text(
        text.replace(
            "def files(",
            "def replay(args):\n"
            f"    source = Path({str(tmp_path)!r}, args.tech + '.csv')\n"
            "    if source.exists():\n"
            "        Path(args.output).write_bytes(source.read_bytes())\n\n\ndef files(",
        )
    )
    flags = ["--model", str(final), "--glitch", str(program), "--threshold", KEEP, "--json", *TINY]
    out = tmp_path / "out.csv"
    assert main([str(RECORDED / "repos" / name), *flags, "-o", str(out)]) == 0
    found = json.loads(capfd.readouterr().out)
    scanned = {part["name"]: part["rows"] for part in found["technologies"]}
    assert scanned[technology] == len(rows)
    counts = found["rows"]
    assert counts["tp"] + counts["unjudged"] == counts["read"] == sum(scanned.values())
    written = [line.rsplit(",", 2)[0] for line in out.read_text().splitlines()[1:]]
    assert len(written) == counts["read"]
    assert not Counter(row.removeprefix("./") for row in rows) - Counter(written)
