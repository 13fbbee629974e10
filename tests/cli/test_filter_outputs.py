"""iacfilter-filter, end to end with a tiny model: rows, SARIF, document and exit codes agree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft4Validator

from iacfilter_hpc.cli.judging.filter import main
from iacfilter_hpc.runs.layout import PACKAGE
from tests.filtering.unguarded import other_warnings, unguarded
from tests.glitch.made_decisions import ROWS, write_all
from tests.glitch.test_sarif import VALIDATOR
from tests.samples.made import REAL_DATA, write
from tests.test_architecture import loaded_by
from tests.tiny_finals import make_encoder_final, make_generative_final
from tests.training.settings import TRAINS

pytestmark = TRAINS
V2 = "PATH,LINE,ERROR,DESCRIPTION,CODE\n"
WORDS = "PATH,LINE,ERROR\n"
ROW = b"work/roles/x/tasks/main.yml,4,sec_https,url:'http://tools.example/a,b.tgz'"


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_encoder_final(tmp_path_factory.mktemp("encoder") / "final")


@pytest.fixture
def words(tmp_path: Path, final: Path) -> list[str]:
    report, scripts = write_all(tmp_path)
    flags = unguarded()
    return [str(report.path), "--scripts", str(scripts.folder), *flags, "--model", str(final)]


def document(capfd: pytest.CaptureFixture[str], words: list[str], code: int = 0) -> dict[str, Any]:
    """What --json prints, and nothing else is."""
    assert main([*words, "--json"]) == code
    found = json.loads(capfd.readouterr().out)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def between(capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path) -> str:
    """A threshold that the tiny model's probabilities of the seven judged rows lie around."""
    rows = tmp_path / "every.csv"
    document(capfd, [*words, "--annotate", "-o", str(rows)])
    p_tp = sorted({float(line.rpartition(",")[2] or 0) for line in rows.read_text().splitlines()})
    assert len(p_tp) == 6, "five inputs, and the rows without"
    return f"{(p_tp[3] + p_tp[4]) / 2:.9f}"


def test_rows_come_back_on_stdout_without_the_false_alarms(
    capfd: pytest.CaptureFixture[str], words: list[str], between: str, tmp_path: Path
) -> None:
    assert main([*words, "--threshold", between, "--annotate"]) == 0
    every = capfd.readouterr().out.splitlines()
    assert [line.rsplit(",", 2)[0] for line in every] == ROWS.splitlines()
    assert main([*words, "--threshold", between]) == 0
    said = capfd.readouterr()
    kept = [line for line in every if line.rsplit(",", 2)[1] != "FP"]
    assert said.out.splitlines() == kept
    assert 6 < len(kept) < len(every)
    assert "rows of form 2022, paths below work" in said.err
    assert f"p(TP) >= {float(between):.4f}, as --threshold {float(between):g} asks" in said.err
    assert main([*words, "--threshold", between, "--bare"]) == 0
    assert capfd.readouterr().out.splitlines() == [line.rsplit(",", 2)[0] for line in kept]


def test_all_outputs_say_the_same(
    capfd: pytest.CaptureFixture[str], words: list[str], between: str, tmp_path: Path, final: Path
) -> None:
    rows, sarif = tmp_path / "out.csv", tmp_path / "out.sarif"
    flags = ["--threshold", between, "-o", str(rows), "--sarif", str(sarif)]
    found = document(capfd, [*words, *flags])
    lines = rows.read_text().splitlines()
    decisions = [line.rsplit(",", 2)[1] for line in lines]
    assert found["rows"] == {
        "read": 13,
        "kept": len(lines),
        "tp": decisions.count("TP"),
        "fp": 13 - len(lines),
        "unjudged": 6,
    }
    assert sum(counts["fp"] for counts in found["by_smell"].values()) == found["rows"]["fp"]
    assert sum(found["unjudged"].values()) == 6
    assert found["model"] == {
        "name": final.parent.name,
        "directory": str(final),
        "approach": "encoder",
    }
    assert found["threshold"]["value"] == float(between)
    log = json.loads(sarif.read_text())
    assert not list(VALIDATOR.iter_errors(log))
    results = log["runs"][0]["results"]
    outputs = found["outputs"]
    assert (outputs["rows"], outputs["sarif"]) == (str(rows), str(sarif))
    assert outputs["sarif_results"] == len(results) == 12
    shown = [r for r in results if not r["suppressions"]]
    assert outputs["sarif_suppressed"] == len(results) - len(shown) > 0
    marks = {int(r["properties"]["reportRow"]): r["properties"] for r in shown}
    for number, row in enumerate(ROWS.splitlines(), 1):
        written = [line for line in lines if line.startswith(f"{row},")]
        if number in marks:
            mark = written[0].removeprefix(f"{row},")
            assert mark.startswith(f"{marks[number]['decision']}")
            p_tp = marks[number]["p_tp"]
            assert p_tp is None or mark.endswith(f",{p_tp:.6f}")
    assert found["rows_per_second"] > 0
    folder, see = words[2], "see --scripts and --path-prefix"
    assert other_warnings(found["warnings"]) == [
        f"1 of 13 rows are kept because their file is missing below {folder}, for paths below "
        f"work: {see}",
        f"1 of 13 rows are kept because their path is not below work, or leads out of {folder}: "
        f"{see}",
        "1 script is not UTF-8, and was read as Latin-1: 'cookbooks/a b/caf\\xe9:1.rb'",
    ]


def test_a_script_of_the_same_name_judges_nothing(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    """main.yml is everywhere: a finding must not go because of another file's third line."""
    folder = write(tmp_path / "other", {"main.yml": b"- debug:\n    msg: hello\n    when: no\n"})
    rows = [
        f"proj/roles/{role}/tasks/main.yml,3,sec_hard_pass,db_password: hunter2\n"
        for role in ("web", "db")
    ]
    words[2] = str(folder)
    flags = ["--threshold", "0.999", "--annotate"]
    Path(words[0]).write_text(rows[0])
    found = document(capfd, [*words, *flags, "-o", str(tmp_path / "out.csv")])
    assert found["unjudged"] == {"the line does not hold what GLITCH reports": 1}
    (warning,) = other_warnings(found["warnings"])
    assert warning.startswith("1 of 1 rows are kept because ")
    assert warning.endswith(": see --scripts and --path-prefix")
    # that neither is there says that the folder is another one
    Path(words[0]).write_text("".join(rows))
    assert main([*words, *flags]) == 2
    assert "names 2 scripts, and none is in --scripts" in capfd.readouterr().err


@pytest.mark.parametrize("flags", [[], ["--annotate"], ["--bare"]])
def test_a_clean_scan_is_a_file_of_nothing(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path, flags: list[str]
) -> None:
    """GLITCH of 2022 writes no header: what it has not found leaves no byte."""
    Path(words[0]).write_bytes(b"")
    rows, sarif = tmp_path / "out.csv", tmp_path / "out.sarif"
    flags = [*flags, "-o", str(rows), "--sarif", str(sarif), "--fail-on-findings"]
    found = document(capfd, [*words, *flags])
    assert found["rows"] == {"read": 0, "kept": 0, "tp": 0, "fp": 0, "unjudged": 0}
    (warning,) = other_warnings(found["warnings"])
    assert warning == f"{words[0]} reports nothing: is it all that GLITCH wrote?"
    log = json.loads(sarif.read_text())
    assert not list(VALIDATOR.iter_errors(log))
    assert (rows.read_bytes(), log["runs"][0]["results"]) == (b"", [])
    assert main(words) == 0
    assert capfd.readouterr().out == ""


def test_what_may_be_cut_off_or_a_slip_is_a_warning(
    capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    Path(words[0]).write_bytes(ROW[:-5])
    found = document(capfd, [*words, "--technology", "ansibel"])
    assert other_warnings(found["warnings"]) == [
        "--technology ansibel is none of ansible, chef, puppet, terraform, github-actions",
        f"{words[0]} ends without a line end: it may have been cut off in its last row",
    ]


def test_a_filtered_report_can_be_filtered_again(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    once, twice = tmp_path / "once.csv", tmp_path / "twice.csv"
    flags = ["--annotate", "--threshold", "0.5"]
    document(capfd, [*words, *flags, "-o", str(once)])
    document(capfd, [str(once), *words[1:], *flags, "-o", str(twice)])
    assert twice.read_bytes() == once.read_bytes()


def test_a_sarif_log_for_github_has_only_what_is_kept(
    capfd: pytest.CaptureFixture[str], words: list[str], between: str, tmp_path: Path
) -> None:
    sarif = tmp_path / "out.sarif"
    flags = ["--threshold", between, "--sarif", str(sarif), "--omit-suppressed"]
    found = document(capfd, [*words, *flags])
    results = json.loads(sarif.read_text())["runs"][0]["results"]
    assert {r["properties"]["decision"] for r in results} == {"TP", "UNJUDGED"}
    assert (found["outputs"]["sarif_suppressed"], found["outputs"]["rows"]) == (0, None)


def test_exit_code_1_if_a_finding_is_kept(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    rows, sarif = tmp_path / "out.csv", tmp_path / "out.sarif"
    flags = ["--fail-on-findings", "-o", str(rows), "--sarif", str(sarif)]
    assert main([*words, *flags, "--threshold", "0.99"]) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[-1] == ("findings: 6 rows are kept, so --fail-on-findings ends with exit code 1")
    assert not any(line.startswith("error:") for line in said)
    assert len(rows.read_text().splitlines()) == 6 and sarif.is_file()
    assert main([*words, "--threshold", "0.99", "-o", str(rows)]) == 0
    Path(words[0]).write_text("\n".join([*ROWS.splitlines()[:7], "", " "]) + "\n")
    assert main([*words, *flags, "--threshold", "0.99"]) == 0
    assert rows.read_text() == "\n \n", "a blank line is no finding, and stays"
    Path(words[0]).write_text("work/roles/x/tasks/main.yml,99,sec_https,url\n")
    capfd.readouterr()
    assert main([*words, *flags]) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[-1] == "findings: 1 row is kept, so --fail-on-findings ends with exit code 1"
    assert any(": 1 row of form 2022, " in line for line in said)
    assert f"  written    {sarif}: 1 result" in said


def test_a_recall_chooses_the_threshold(
    capfd: pytest.CaptureFixture[str], words: list[str], final: Path, tmp_path: Path
) -> None:
    found = document(capfd, [*words, "--min-recall", "0.95"])
    assert found["threshold"] == {
        "value": pytest.approx((0.5 + 0.475) / 2),
        "mode": "recall",
        "origin": "as --min-recall 0.95 asks: it keeps 20 of 20 real ones and 1 of 20 false "
        "alarms of the validation data",
        "recall": {
            "asked": 0.95,
            "real_ones_needed": 19,
            "families_needed": 59,
            "found": [],
        },
    }
    everything = document(capfd, [*words, "--min-recall", "1"])
    assert everything["rows"]["fp"] == 0
    assert everything["threshold"]["recall"]["families_needed"] is None
    assert main([*words, "--min-recall", "0.99", "-o", str(tmp_path / "out")]) == 0
    said = capfd.readouterr().err
    assert "warning: real smells in the validation data: 20, too few for a recall of 0.99" in said
    copied = tmp_path / "copied"
    shutil.copytree(final, copied)
    (copied / "validation_scores.json").unlink()
    words[-1] = str(copied)
    assert main([*words, "--min-recall", "0.99"]) == 1
    assert f"error: {copied}/validation_scores.json " in capfd.readouterr().err


BAD = {
    "2022 cut off": ROW + b"\n" + ROW[:37],
    "v2 cut off": V2.encode() + ROW.replace(b"url", b"HTTP (CWE-319),url") + b"\n" + ROW[:37],
    "replication cut off": WORDS.encode() + ROW[:30] + b"use of http\n" + ROW[:30] + b"use of",
    "wrong columns": ROW + b"\na,b\n,,,\n1,2,3,4,5,6\nwork/a.yml;4;sec_https;x\n",
    "commas and quotes": ROW + b',"a",\'b\',,""\n' + ROW.replace(b"url", b'"a ""b, c"""') + b"\n",
    "CRLF": ROW + b"\r\n" + ROW + b"\r\n",
    "byte order mark": b"\xef\xbb\xbf" + ROW + b"\n" + b"\xef\xbb\xbf" + ROW + b"\n",
    "Latin-1": ROW + b"\xe9\xff\n" + ROW.replace(b"main", b"ma\xefn") + b"\n",
    "odd lines": b"".join(ROW.replace(b",4,", b",%d," % n) + b"\n" for n in (-1, 0, 4, 99999)),
    "empty lines": b"\n\n" + ROW + b"\n\n\n",
    "a header alone": V2.encode(),
    "directories": ROW + b"\n" + ROW.replace(b"/main.yml", b"") + b"\n",
    "duplicates": (ROW + b"\n") * 3,
    "1 MB": ROW + b"\n" + ROW + b"x" * 1024 * 1024 + b"\n" + b"y" * 1024 * 1024,
    "NUL bytes": ROW + b"\n" + ROW + b"\0\n\0\0\n",
    "control characters": ROW + b"\x0c\x1b[31m\x85\xe2\x80\xa8\n" + ROW + b"\n",
    "another way out": ROW.replace(b"roles", b"../../etc") + b"\n" + ROW + b"\n",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_whatever_a_report_holds_no_row_is_lost(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path, content: bytes
) -> None:
    """All rows marked, and all rows bare: GLITCH's bytes are in both."""
    Path(words[0]).write_bytes(content)
    rows, sarif = tmp_path / "out.csv", tmp_path / "out.sarif"
    flags = ["--threshold", "0.01", "-o", str(rows), "--sarif", str(sarif)]
    found = document(capfd, [*words, *flags, "--annotate"])
    assert found["rows"]["fp"] == 0, "nothing is below such a threshold"
    header = content.startswith(b"PATH")
    assert found["rows"]["read"] == sum(bool(x.strip()) for x in content.split(b"\n")) - header
    assert not list(VALIDATOR.iter_errors(json.loads(sarif.read_text(encoding="utf-8"))))
    plain, marked = content.split(b"\n"), rows.read_bytes().split(b"\n")
    assert len(plain) == len(marked)
    for before, after in zip(plain, marked, strict=True):
        row, ending = before.removesuffix(b"\r"), b"\r" if before.endswith(b"\r") else b""
        assert after.startswith(row) and after.endswith(ending)
        columns = after.removeprefix(row).removesuffix(ending)
        assert columns.count(b",") == (2 if row.strip() else 0)
    document(capfd, [*words, *flags, "--bare"])
    assert rows.read_bytes() == content


def test_a_file_is_written_through_a_link(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "elsewhere" / "rows.csv")
    document(capfd, [*words, "-o", str(link)])
    assert link.is_symlink()
    assert len(link.read_text().splitlines()) > 5
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["rows.csv"]


def test_a_generative_model_filters_too(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "models" / "generative" / "mine"
    make_generative_final(run)
    words[-1] = str(run / "final")
    found = document(capfd, words)
    assert found["model"] == {
        "name": "mine",
        "directory": str(run / "final"),
        "approach": "generative",
    }
    assert found["rows"]["unjudged"] == 6


def test_a_damaged_model_is_an_error_that_leaves_nothing(
    capfd: pytest.CaptureFixture[str], words: list[str], tmp_path: Path, final: Path
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(final, copied)
    weights = copied / "model.safetensors"
    words[-1] = str(copied)
    before = sorted(path.name for path in tmp_path.iterdir())
    for damage in (weights.read_bytes()[:-100], b"", None):
        weights.unlink() if damage is None else weights.write_bytes(damage)
        assert main([*words, "-o", str(tmp_path / "out.csv")]) == 1
        said = capfd.readouterr()
        assert f"error: {weights} " in said.err
        assert said.err.endswith("hint: copy final/ whole, with every file in it\n")
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    (copied / "decision.json").write_text("{")
    assert main(words) == 1
    assert f"error: {copied}/decision.json" in capfd.readouterr().err


def test_deepspeed_is_not_even_imported(words: list[str]) -> None:
    found = loaded_by("filter", *words)
    assert "torch" in found
    assert not {"deepspeed", "submitit", "matplotlib"} & found


FILTERS = """
import importlib.util, sys
assert not any(map(importlib.util.find_spec, ("deepspeed", "submitit")))
from iacfilter_hpc.cli.judging.filter import main
sys.exit(main(sys.argv[1:]))
"""


def test_it_needs_neither_deepspeed_nor_slurm(
    words: list[str], no_slurm: None, tmp_path: Path
) -> None:
    """A copied final/, on a machine that has never seen the cluster nor its packages."""
    assert shutil.which("sbatch") is None
    site = tmp_path / "site-packages"
    site.mkdir()
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith(("deepspeed", "submitit", "__editable__", "iacfilter")):
            (site / package.name).symlink_to(package)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(site), str(PACKAGE.parent)]),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    program = [sys.executable, "-S", "-c", FILTERS, *words, "--fail-on-findings"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    rows = [line.rsplit(",", 2)[0] for line in done.stdout.splitlines()]
    assert rows[-6:] == ROWS.splitlines()[-6:]
    assert "rows are kept, so --fail-on-findings" in done.stderr


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"needs {REAL_DATA}")
@pytest.mark.parametrize(
    ("name", "count", "unjudged"),
    [("ase22_ansible_oracle.csv", 74, 10), ("ase22_chef_oracle.csv", 165, 165)],
)
def test_real_reports(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    final: Path,
    name: str,
    count: int,
    unjudged: int,
) -> None:
    """Scripts are at hand for one of them; of the other one file is, and all rows are kept."""
    report, scripts = REAL_DATA / "glitch_output" / name, REAL_DATA / "scripts" / "ansible"
    if unjudged == count:
        path = report.read_text().partition(",")[0]
        scripts = write(tmp_path / "scripts", {path.lstrip("/"): b"\n"})
    rows, sarif = tmp_path / "out.csv", tmp_path / "out.sarif"
    words = [str(report), "--scripts", str(scripts), "--model", str(final), "--annotate"]
    words += unguarded()
    found = document(capfd, [*words, "-o", str(rows), "--sarif", str(sarif)])
    assert (found["rows"]["read"], found["rows"]["unjudged"]) == (count, unjudged)
    log = json.loads(sarif.read_text())
    assert not list(Draft4Validator(VALIDATOR.schema).iter_errors(log))
    plain, marked = report.read_bytes().splitlines(), rows.read_bytes().splitlines()
    assert [line.rsplit(b",", 2)[0] for line in marked] == plain
