"""iacfilter_hpc.glitch.to_samples and prompt: the sample of a detection, or why there is none."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.glitch.report import Detection, open_report
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import Unusable, build_sample, prefix_of
from iacfilter_hpc.samples.groups import Groups, Origin
from iacfilter_hpc.samples.prompt import Reported, build_prompt
from iacfilter_hpc.samples.sample import (
    MAX_LINE_BYTES,
    Sample,
    line_of,
    read_samples,
    write_samples,
)
from iacfilter_hpc.samples.smells import FILTERED, title_of
from tests.samples.made import REAL_DATA, write

SCRIPT = "".join(f"{'  ' * (n % 3)}key{n}: value{n}  \n" for n in range(1, 21)).encode()
FOUND = Detection(
    row=4,
    path="in/site/db.yml",
    line=10,
    code="sec_hard_pass",
    smell="hard_coded_secret",
    detail="key10:'value10'",
    raw="in/site/db.yml,10,sec_hard_pass,key10:'value10'",
)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(write(tmp_path / "scripts", {"site/db.yml": SCRIPT}), "in")


def made(scripts: Scripts, detection: Detection, technology: str | None = None) -> Sample:
    found = build_sample(detection, scripts, technology=technology, source="s")
    assert isinstance(found, Sample), found
    return found


def reason(scripts: Scripts, detection: Detection, technology: str | None = None) -> str:
    found = build_sample(detection, scripts, technology=technology, source="s")
    assert isinstance(found, Unusable)
    assert found.detection is detection
    return found.reason.text


def test_a_sample_of_a_detection(scripts: Scripts) -> None:
    groups = Groups({"site/db.yml": Origin("owner/site", "site")})
    found = build_sample(
        FOUND,
        scripts,
        technology=None,
        label="TP",
        source="oracle:x",
        confidence=0.667,
        groups=groups,
    )
    lines = SCRIPT.decode().split("\n")[4:15]
    assert found == Sample(
        smell="hard_coded_secret",
        file="site/db.yml",
        content="key10: value10",
        line=10,
        detection_span=(5, 15),
        with_context="\n".join(lines),
        with_prompt=build_prompt(
            *("hard_coded_secret", "site/db.yml", 10, 5, lines),
            Reported("ansible", "sec_hard_pass"),
        ),
        label="TP",
        source="oracle:x",
        confidence=0.667,
        technology="ansible",
        repo="owner/site",
        family="site",
    )
    assert lines[0].startswith("    key5:"), "indentation is kept"


@pytest.mark.parametrize(
    ("line", "span"), [(1, (1, 6)), (5, (1, 10)), (6, (1, 11)), (16, (11, 20)), (20, (15, 20))]
)
def test_the_span_stays_in_the_file(scripts: Scripts, line: int, span: tuple[int, int]) -> None:
    found = made(scripts, replace(FOUND, line=line, detail=f"key{line}:"))
    assert found.detection_span == span
    assert len(found.with_context.split("\n")) == span[1] - span[0] + 1


@pytest.mark.parametrize(
    ("name", "technology"),
    [("a.pp", "puppet"), ("a.rb", "chef"), ("a.yml", "ansible"), ("puppet/a.YAML", "ansible")],
)
def test_the_extension_names_the_technology(tmp_path: Path, name: str, technology: str) -> None:
    scripts = Scripts(write(tmp_path, {name: SCRIPT}))
    detection = replace(FOUND, path=name)
    assert made(scripts, detection).technology == technology
    assert made(scripts, detection, "terraform").technology == "terraform"
    assert '"technology": "' in line_of(made(scripts, detection))


@pytest.mark.parametrize("folder", ["", ".github", ".github/workflows"])
def test_a_workflow_is_not_ansible(tmp_path: Path, folder: str) -> None:
    """Whichever folder is named: the path of the script as a whole tells."""
    write(tmp_path, {".github/workflows/ci.yml": SCRIPT})
    name = str(Path(".github/workflows/ci.yml").relative_to(folder or "."))
    found = made(Scripts(tmp_path / folder), replace(FOUND, path=name))
    assert (found.file, found.technology) == (name, "github-actions")
    assert "\nTechnology: GitHub Actions\n" in found.with_prompt


def test_a_directory_does_not_name_the_technology(tmp_path: Path) -> None:
    scripts = Scripts(write(tmp_path, {"ansible/puppet/a.json": SCRIPT}))
    detection = replace(FOUND, path="ansible/puppet/a.json")
    assert reason(scripts, detection) == "technology unknown: pass --technology"
    assert made(scripts, detection, "chef").technology == "chef"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"line": -1}, "line is -1"),
        ({"line": 0}, "line is 0"),
        ({"line": 21}, "line 21 is past the end (20 lines)"),
        ({"line": 999999999}, "line 999999999 is past the end (20 lines)"),
        ({"path": "in/site/gone.yml"}, "file is missing"),
        ({"path": "in/site"}, "technology unknown: pass --technology"),
        (
            {"smell": None, "code": "sec_new"},
            "code sec_new is none of GLITCH's 43 rules",
        ),
        ({"path": "in/\udce9.yml"}, "its path is not UTF-8"),
    ],
)
def test_a_detection_that_makes_no_sample(
    scripts: Scripts, changes: dict[str, object], why: str
) -> None:
    assert reason(scripts, replace(FOUND, **changes)) == why  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["other/site/db.yml", "in/../../etc/passwd.yml", "/etc/a.yml"])
def test_a_path_that_is_not_below_the_folder(scripts: Scripts, path: str) -> None:
    found = reason(scripts, replace(FOUND, path=path))
    assert found == f"its path is not below in, or leads out of {scripts.folder}"


@pytest.mark.parametrize(
    ("smell", "detail", "holds"),
    [
        ("hard_coded_secret", "key10:'value10'", True),
        ("hard_coded_secret", "KEY10:'a reference'", True),
        ("hard_coded_secret", "other:'value10'", True),
        ("hard_coded_secret", "key11:'value11'", False),
        ("use_of_http", "url:'http://a.example'", False),
        # a value of several lines is reported at its first, where its name is
        ("hard_coded_secret", "key10:'value10\\nsecond'", True),
        # words of three characters say more than shorter ones
        ("hard_coded_secret", "k:'secret10'", False),
        ("hard_coded_secret", "v:'10'", True),
        ("hard_coded_secret", "z:'99'", False),
        # nothing is quoted, nothing can be compared
        ("hard_coded_secret", "", True),
        ("hard_coded_secret", "{{ }}", True),
        # reported where the block begins
        ("no_integrity_check", "key11:'value11'", True),
        ("missing_default_case", '"value15"', True),
        ("missing_default_case", '"value16"', False),
    ],
)
def test_a_line_must_hold_what_glitch_quotes(
    scripts: Scripts, smell: str, detail: str, holds: bool
) -> None:
    """Otherwise it is a line of another script, or of another version of it."""
    detection = replace(FOUND, smell=smell, detail=detail)
    if holds:
        assert made(scripts, detection).line == 10
    else:
        assert reason(scripts, detection) == "the line does not hold what GLITCH reports"


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
def test_every_real_line_holds_what_glitch_quotes() -> None:
    """74 of 74."""
    folder = REAL_DATA / "scripts" / "ansible"
    report = open_report(REAL_DATA / "glitch_output" / "ase22_ansible_oracle.csv")
    scripts = Scripts(folder, prefix_of(report, folder))
    found = [row for row in report.rows() if isinstance(row, Detection)]
    assert len(found) == 74
    for each in found:
        assert made(scripts, each).content


def test_comparing_with_a_quoted_megabyte_is_quick(tmp_path: Path) -> None:
    scripts = Scripts(write(tmp_path, {"a.yml": b"abc " * 2**18}))
    detail = " ".join(f"word{number}" for number in range(2**17))
    began = time.monotonic()
    assert "does not hold" in reason(scripts, replace(FOUND, path="a.yml", line=1, detail=detail))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a\0b", "not a text file"),
        (b"", "line 1 is past the end (0 lines)"),
        (b"x" * (MAX_LINE_BYTES // 3), "its sample is longer than 8 MiB"),
    ],
)
def test_a_script_that_makes_no_sample(tmp_path: Path, content: bytes, why: str) -> None:
    scripts = Scripts(write(tmp_path, {"a.yml": content}))
    assert reason(scripts, replace(FOUND, path="a.yml", line=1, detail="x")) == why


def test_a_script_with_a_line_of_a_megabyte(tmp_path: Path) -> None:
    scripts = Scripts(write(tmp_path, {"a.yml": b"x" * 2**20 + b"\n" + SCRIPT}))
    first, other = replace(FOUND, path="a.yml", line=1, detail="x"), replace(FOUND, path="a.yml")
    samples = [made(scripts, first), made(scripts, replace(other, line=11))]
    write_samples(tmp_path / "s.jsonl", samples)
    assert read_samples(tmp_path / "s.jsonl", unlabelled=True) == samples


def test_a_report_on_an_empty_line_is_a_sample(tmp_path: Path) -> None:
    scripts = Scripts(write(tmp_path, {"a.yml": b"a\n  \nb\n"}))
    assert made(scripts, replace(FOUND, path="a.yml", line=2, detail="")).content == ""


def test_what_is_written_can_be_read(scripts: Scripts, tmp_path: Path) -> None:
    found = made(scripts, FOUND)
    odd = replace(found, content='\u2028"\\\x1b', label="FP", confidence=None, family="f")
    extension = replace(found, technology="ansible", technology_is_given=False)
    write_samples(tmp_path / "s.jsonl", [found, odd, extension])
    assert read_samples(tmp_path / "s.jsonl", unlabelled=True) == [found, odd, extension]
    assert (tmp_path / "s.jsonl").read_bytes().count(b"\n") == 3


def test_a_prompt_tells_nothing_of_the_answer(scripts: Scripts) -> None:
    """Label, source, confidence and repository change nothing in it."""
    plain = made(scripts, FOUND)
    told = build_sample(
        FOUND,
        scripts,
        technology=None,
        label="FP",
        source="oracle:rater",
        confidence=0.333,
        groups=Groups({"site/db.yml": Origin("owner/hidden", "hidden-family")}),
    )
    assert isinstance(told, Sample)
    assert told.with_prompt == plain.with_prompt
    for word in ("label", "source", "confidence", "repo:", "family", "hidden", "rater", "0.333"):
        assert word not in told.with_prompt.replace("repository", "").replace("source code", "")


def test_the_noisy_smells_come_first() -> None:
    assert FILTERED == (
        "hard_coded_secret",
        "suspicious_comment",
        "weak_cryptography_algorithms",
        "use_of_http",
    )
    assert title_of("sec_new") == "sec_new"
