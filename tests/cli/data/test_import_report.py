"""iacfilter-data import: every detection becomes a sample, or is accounted for."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.cli.data.__main__ import main
from iacfilter_hpc.samples.sample import Sample, read_samples
from tests.cli.commands import iacfilter
from tests.samples.made import REAL_DATA, write

SCRIPTS = {
    "site/db.yml": b"- name: db\n  user: root\n  password: abc\n  # TODO: rotate\n",
    "site/web.rb": b"url = 'http://x'\n" * 30,
    "site/latin.pp": b"# fix caf\xe9\n",
    "site/inventory.ini": b"password=x\n",
    "site/blob.yml": b"\0\1",
}
REPORT = b"""\
in/site/db.yml,2,sec_def_admin,user:'root'
in/site/db.yml,2,sec_hard_secr,user:'root'
in/site/db.yml,2,sec_hard_user,user:'root'
in/site/db.yml,3,sec_hard_secr,password:'abc'
in/site/db.yml,3,sec_hard_pass,password:'abc'
in/site/db.yml,4,sec_susp_comm,# TODO: rotate
in/site/web.rb,20,sec_https,url:'http://x'
in/site/latin.pp,1,sec_susp_comm,# fix caf\xe9
in/site/db.yml,-1,sec_hard_secr,x
in/site/db.yml,99,sec_hard_secr,x
in/site/gone.yml,1,sec_hard_secr,x
in/site/gone.yml,1,sec_hard_pass,x
in/../../etc/passwd,1,sec_hard_secr,x
in/site/blob.yml,1,sec_https,x
in/site/inventory.ini,1,sec_hard_pass,x
in/site/db.yml,2,sec_brand_new,x
"""
UNUSABLE = {
    9: "line is -1",
    10: "line 99 is past the end (4 lines)",
    11: "file is missing",
    14: "not a text file",
    15: "technology unknown: pass --technology",
}
ORACLE = b"""\
PATH,LINE,CATEGORY,AGREEMENT
site/db.yml,3,Hard-coded secret,2
site/db.yml,2,Admin by default,3
site/web.rb,0,none,3
site/lost.yml,1,Empty password,1
"""
Place = tuple[str, int, str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A report, an oracle, the scripts of both, and groups."""
    write(tmp_path / "scripts", SCRIPTS)
    groups = b"file,repo,family\nsite/db.yml,owner/site,site\n"
    files = {"report.csv": REPORT, "oracle.csv": ORACLE, "groups.csv": groups}
    return write(tmp_path, files)


Import = Callable[..., tuple[int, str, str]]


@pytest.fixture
def imported(folder: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    """Runs the subcommand on the folder; answers exit code, stdout and stderr."""

    def run(*flags: str, report: str = "report.csv") -> tuple[int, str, str]:
        code = main(
            [
                *("import", str(folder / report), "--scripts", str(folder / "scripts")),
                *("-o", str(folder / "out.jsonl"), *flags),
            ]
        )
        return code, *capsys.readouterr()

    return run


def document(done: tuple[int, str, str]) -> dict[str, Any]:
    code, out, _ = done
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    assert found["schema"] == 1
    return found


def samples(folder: Path) -> list[Sample]:
    return read_samples(folder / "out.jsonl", unlabelled=True)


def places(folder: Path) -> list[Place]:
    return [(s.file, s.line, s.smell) for s in samples(folder)]


def test_detections_become_samples(folder: Path, imported: Import) -> None:
    code, out, err = imported()
    assert code == 0
    assert places(folder) == [
        ("site/db.yml", 2, "hard_coded_secret"),
        ("site/db.yml", 3, "hard_coded_secret"),
        ("site/db.yml", 4, "suspicious_comment"),
        ("site/web.rb", 20, "use_of_http"),
        ("site/latin.pp", 1, "suspicious_comment"),
    ]
    assert [s.technology for s in samples(folder)] == ["ansible"] * 3 + ["chef", "puppet"]
    assert {(s.label, s.confidence, s.source) for s in samples(folder)} == {
        (None, None, "glitch:2022")
    }
    assert samples(folder)[1].content == "password: abc"
    assert samples(folder)[1].with_context == SCRIPTS["site/db.yml"].decode().removesuffix("\n")
    assert samples(folder)[4].content == "# fix caf\u00e9"
    assert err == "warning: 'site/latin.pp' is not UTF-8, it was read as Latin-1\n"
    for said in (
        "Wrote 5 samples",
        "16 rows of form 2022",
        "paths below in\n",
        "1 admin_by_default",
    ):
        assert said in out
    for row, reason in UNUSABLE.items():
        assert any(line.split()[:1] == [str(row)] and reason in line for line in out.splitlines())


def test_every_row_is_accounted_for(folder: Path, imported: Import) -> None:
    found = document(imported("--json"))
    assert found["rows"] == 16
    assert found["samples"] == 5
    assert found["merged"] == 3
    assert found["other"] == {"admin_by_default": 1, "sec_brand_new (unknown)": 1}
    reasons = {each["row"]: each["reason"] for each in found["unusable"]}
    outside = f"its path is not below in, or leads out of {folder / 'scripts'}"
    assert reasons == {**UNUSABLE, 13: outside}
    assert found["unusable"][0] == {
        "row": 9,
        "path": "in/site/db.yml",
        "line": -1,
        "code": "sec_hard_secr",
        "reason": "line is -1",
        "raw": "in/site/db.yml,-1,sec_hard_secr,x",
    }
    accounted = (found["samples"], found["merged"], *found["other"].values(), len(reasons))
    assert sum(accounted) == found["rows"]
    assert found["prefix"] == "in"
    assert found["latin1"] == ["site/latin.pp"]
    assert found["ungrouped"] == ["site/db.yml", "site/latin.pp", "site/web.rb"]


def test_rejects_are_written(folder: Path, imported: Import) -> None:
    (folder / "report.csv").write_bytes(REPORT + b"no row \xff\n")
    code, *_ = imported("--rejects", str(folder / "rejects.jsonl"), "--skip-bad-rows")
    assert code == 0
    rejects = [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]
    assert [each["row"] for each in rejects] == [9, 10, 11, 13, 14, 15, 17]
    assert rejects[-1] == {
        "row": 17,
        "reason": "not PATH,LINE,CODE,REPR",
        "raw": "no row \udcff",
    }


def test_an_oracle_labels(folder: Path, imported: Import) -> None:
    code, out, err = imported("--oracle", str(folder / "oracle.csv"), "--smells", "all")
    assert code == 0
    labels = {(s.file, s.line, s.smell): (s.label, s.confidence) for s in samples(folder)}
    assert labels == {
        ("site/db.yml", 2, "admin_by_default"): ("TP", 1.0),
        ("site/db.yml", 2, "hard_coded_secret"): ("FP", None),
        ("site/db.yml", 3, "hard_coded_secret"): ("TP", 0.667),
        ("site/db.yml", 4, "suspicious_comment"): ("FP", None),
        ("site/web.rb", 20, "use_of_http"): ("FP", None),
    }
    assert {s.source for s in samples(folder)} == {"oracle:oracle.csv"}
    assert "warning: the oracle names 'site/lost.yml', which is no file of the scripts" in err
    assert "file is not in the oracle" in out


def test_groups_are_written(folder: Path, imported: Import) -> None:
    assert imported("--groups", str(folder / "groups.csv"))[0] == 0
    assert {(s.file, s.repo, s.family) for s in samples(folder)} == {
        ("site/db.yml", "owner/site", "site"),
        ("site/web.rb", None, None),
        ("site/latin.pp", None, None),
    }
    assert (
        imported("--repo", "r", "--family", "f", "--source", "me", "--technology", "chef")[0] == 0
    )
    found = {(s.repo, s.family, s.source, s.technology) for s in samples(folder)}
    assert found == {("r", "f", "me", "chef")}
    assert ("site/inventory.ini", 1, "hard_coded_secret") in places(folder)


def test_two_spellings_of_a_path_are_one_file(folder: Path, imported: Import) -> None:
    again = b"./in//site/db.yml,3,sec_hard_pass,password:'abc'\n"
    (folder / "report.csv").write_bytes(REPORT + again)
    assert document(imported("--json"))["merged"] == 4
    assert len(samples(folder)) == 5


def test_smells_can_be_named(folder: Path, imported: Import) -> None:
    assert imported("--smells", "use_of_http", "admin_by_default")[0] == 0
    assert Counter(smell for _, _, smell in places(folder)) == {
        "use_of_http": 1,
        "admin_by_default": 1,
    }


def test_a_code_of_glitch_can_be_named(folder: Path, imported: Import) -> None:
    """The three codes of a secret are one smell to a model, and still three rules."""
    found = document(imported("--smells", "sec_hard_user", "use_of_http", "--json"))
    assert places(folder) == [("site/db.yml", 2, "hard_coded_secret"), ("site/web.rb", 20, HTTP)]
    assert "GLITCH's rule: Hard-coded user. " in samples(folder)[0].with_prompt
    assert found["other"]["hard_coded_secret"] == 9


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("use_of_htpp", "did you mean use_of_http"),
        ("sec_htps", "did you mean sec_https"),
        ("\x1b[31m", "'\\x1b[31m' is neither a smell nor a code of GLITCH: --help lists them"),
    ],
)
def test_a_mistyped_smell_is_told_what_is_near(
    capsys: pytest.CaptureFixture[str], word: str, says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["import", "r", "--scripts", ".", "-o", "o", "--smells", word])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


HTTP = "use_of_http"
FIVE = """\
PATH,LINE,ERROR,DESCRIPTION,CODE
site.yml,1,sec_https,Use of HTTP without TLS - Favor HTTPS. (CWE-319),url: http://a
default.rb,1,implementation_long_statement,-,url: http://a
init.pp,1,sec_obsolete_command,-,url: http://a
main.tf,1,sec_logging,Suggestion: check for a required flag 'log'.,url: http://a
.github/workflows/ci.yml,1,design_avoid_comments,-,url: http://a
+-----------------+---------------+
| Total IaC files | Lines of Code |
+-----------------+---------------+
"""


def test_all_technologies_and_kinds_of_rules(folder: Path, imported: Import) -> None:
    """As glitch prints them to standard output, one report after the other."""
    names = [line.partition(",")[0] for line in FIVE.splitlines()[1:6]]
    write(folder / "scripts", dict.fromkeys(names, b"url: http://a\n"))
    (folder / "report.csv").write_text(FIVE + FIVE)
    found = document(imported("--smells", "all", "--json"))
    assert (found["rows"], found["samples"], found["merged"]) == (10, 5, 5)
    assert [(s.technology, s.smell) for s in samples(folder)] == [
        ("ansible", HTTP),
        ("chef", "long_statement"),
        ("puppet", "obsolete_command"),
        ("terraform", "logging"),
        ("github-actions", "avoid_comments"),
    ]
    assert "\nGLITCH says: Suggestion: check for a" in samples(folder)[3].with_prompt
    code, _, err = imported("--smells", "sec_dnssec")
    assert code == 1 and "1 of logging, which --smells leaves out" not in err
    assert "2 of logging, which --smells leaves out" in err


def test_a_prefix_can_be_given(folder: Path, imported: Import) -> None:
    code, _, err = imported("--path-prefix", "in/site")
    assert code == 1
    assert f"{folder / 'report.csv'} gives no sample (16 rows)" in err
    assert "with the reason: file is missing" in err
    assert not (folder / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (b"PATH,LINE,ERROR,DESCRIPTION,CODE\n", b"site/db.yml,3,sec_hard_pass,Words, (CWE-1),abc"),
        (b"\xef\xbb\xbfPATH,LINE,ERROR\n", b"site/db.yml,3,hardcoded-secret"),
        (b"", b"site/db.yml,3,sec_hard_pass,abc"),
    ],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_every_form_gives_the_same_sample(
    folder: Path, imported: Import, header: bytes, row: bytes, newline: bytes
) -> None:
    (folder / "report.csv").write_bytes((header + row + b"\n").replace(b"\n", newline))
    assert imported()[0] == 0
    assert places(folder) == [("site/db.yml", 3, "hard_coded_secret")]


def test_bad_rows_end_the_import_and_all_are_named(folder: Path, imported: Import) -> None:
    (folder / "report.csv").write_bytes(REPORT + b"half,a\n\na.yml,3,sec_https,x\0\x1b\n")
    code, out, err = imported()
    report = folder / "report.csv"
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"error: {report}:17: not PATH,LINE,CODE,REPR: 'half,a'",
        f"error: {report}:19: it has a NUL byte: 'a.yml,3,sec_https,x\\x00\\x1b'",
        "hint: --skip-bad-rows reports such lines and goes on",
    ]
    assert not (folder / "out.jsonl").exists()
    code, out, _ = imported("--skip-bad-rows")
    assert code == 0
    assert "bad rows 2" in out
    assert "\\x00\\x1b" in out
    assert len(samples(folder)) == 5


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--scripts", "none"], "--scripts none is not a directory"),
        (["--scripts", "report.csv"], "--scripts report.csv is not a directory"),
        (["-o", "scripts"], "--output scripts is a directory"),
        (["-o", "none/out.jsonl"], "there is no directory none"),
        (["-o", "report.csv"], "--output report.csv is an input"),
        (["-o", "./scripts/../oracle.csv"], "oracle.csv is an input"),
        (["--rejects", "groups.csv"], "--rejects groups.csv is an input"),
        (["--rejects", "out.jsonl"], "--output and --rejects name the same file"),
        (["--repo", "r"], "give one or the other"),
        (["--technology", " "], "--technology ' ' is not a name"),
        (["--source", "a\nb"], "--source 'a\\nb' is not a name"),
    ],
)
def test_flags_that_make_no_sense(
    folder: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], problem: str
) -> None:
    monkeypatch.chdir(folder)
    before = {path: path.read_bytes() for path in folder.glob("*.csv")}
    words = ["import", "report.csv", "--scripts", "scripts", "-o", "out.jsonl"]
    words += ["--oracle", "oracle.csv", "--groups", "groups.csv"]
    done = iacfilter("data", *words, *flags)
    assert done.returncode == 2
    assert problem in done.stderr
    assert done.stdout == ""
    assert {path: path.read_bytes() for path in folder.glob("*.csv")} == before
    assert not (folder / "out.jsonl").exists()


def test_one_of_each_is_told_in_the_singular(folder: Path, imported: Import) -> None:
    row = "a.yml,1,sec_https,http\n"
    write(folder / "scripts", {"a.yml": b"url: http://a.example\n"})
    (folder / "report.csv").write_text(row * 2 + "no row\n")
    code, out, _ = imported("--skip-bad-rows")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("Wrote 1 sample to ")
    assert "  merged      1 row that repeats a file, line and smell" in lines
    assert "  no group    1 file without repository and family" in lines
    (folder / "report.csv").write_text("gone.yml,1,sec_https,http\nno row\n")
    code, _, err = imported("--skip-bad-rows")
    assert code == 1
    assert "error: 1 bad row\n" in err
    (folder / "report.csv").write_text("gone.yml,1,sec_https,http\n")
    assert "gives no sample (1 row)\n" in imported()[2]


def test_names_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty.csv").write_bytes(b"")
    words = ["--scripts", "scripts", "-o", "out.jsonl"]
    for report, problem in (
        ("none.csv", "none.csv cannot be read: No such file or directory"),
        ("empty.csv", "empty.csv is empty"),
        ("oracle.csv", "oracle.csv has no row PATH,LINE,CODE,REPR or"),
    ):
        done = iacfilter("data", "import", report, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"error: {problem}" in done.stderr
    for flag in ("--oracle", "--groups"):
        done = iacfilter("data", "import", "report.csv", *words, flag, "report.csv")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: report.csv")
    assert not (folder / "out.jsonl").exists()


def test_all_flags_that_make_no_sense_are_named_at_once(folder: Path, imported: Import) -> None:
    flags = ["--scripts", "none", "-o", "none/out", "--technology", " ", "--repo", "r"]
    code, out, err = imported(*flags, "--groups", str(folder / "groups.csv"), report="scripts")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f"error: {folder / 'scripts'} is no regular file, and it is read more than once",
        "error: --scripts none is not a directory",
        "error: --groups says what --repo and --family say: give one or the other",
        "error: --technology ' ' is not a name",
        "error: --output none/out: there is no directory none",
        "hint: save what a pipe or a device gives to a file, and name that",
        "hint: name the folder GLITCH has read",
        "hint: a CSV for scripts of several repositories, a name for those of one",
        "hint: a name is one line of printable text",
        "hint: mkdir -p none",
    ]


@pytest.mark.parametrize("flag", ["-o", "--rejects"])
def test_only_a_file_is_replaced(folder: Path, imported: Import, flag: str) -> None:
    """What else stands there stays: it is no place for a file that appears whole or not at all."""
    names = ["pipe"]
    os.mkfifo(folder / "pipe")
    # only root can make a device; one of its own, since root could replace that of the machine too
    if os.geteuid() == 0:
        os.mknod(folder / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        names.append("null")
    for name in names:
        before = (folder / name).stat()
        code, out, err = imported(flag, str(folder / name))
        assert (code, out) == (2, "")
        assert f"{folder / name} is no regular file, and cannot be replaced\nhint: " in err
        assert (folder / name).stat() == before


def test_links_are_written_through(folder: Path, imported: Import) -> None:
    (folder / "elsewhere").mkdir()
    for name in ("out.jsonl", "rejects.jsonl"):
        (folder / name).symlink_to(folder / "elsewhere" / name)
    assert imported("--rejects", str(folder / "rejects.jsonl"))[0] == 0
    for name in ("out.jsonl", "rejects.jsonl"):
        assert (folder / name).is_symlink()
        assert (folder / "elsewhere" / name).read_text().count("\n") > 1
    (folder / "lost.jsonl").symlink_to(folder / "nowhere" / "out")
    said = imported("--rejects", str(folder / "lost.jsonl"))[2]
    assert f"lost.jsonl: there is no directory {folder / 'nowhere'}\n" in said


def test_two_names_of_one_file_are_one(folder: Path, imported: Import) -> None:
    (folder / "link.jsonl").symlink_to("out.jsonl")
    code, _, err = imported("--rejects", str(folder / "link.jsonl"))
    assert code == 2
    assert "--output and --rejects name the same file" in err


@pytest.mark.parametrize("flag", ["-o", "--rejects"])
@pytest.mark.parametrize("link", [False, True])
def test_scripts_are_never_written_over(
    folder: Path, imported: Import, flag: str, link: bool
) -> None:
    """By its extension, or because the report is about it, whatever its extension."""
    for name, row in (("db.yml", b""), ("inventory.ini", b""), ("x.dat", b"in/site/x.dat,1,sec_")):
        path = folder / "scripts" / "site" / name
        path.touch()
        (folder / "report.csv").write_bytes(REPORT + (row + b"https,x\n" if row else b""))
        before = path.read_bytes()
        named = folder / f"link-{name}" if link else path
        if link:
            named.symlink_to(path)
        code, out, err = imported(flag, str(named))
        assert (code, out) == (2, ""), name
        assert f"{named} is a script below --scripts {folder / 'scripts'}\nhint: it wou" in err
        assert path.read_bytes() == before


def test_other_files_among_the_scripts_may_be_written(folder: Path, imported: Import) -> None:
    """Where the scripts are a repository, outputs of earlier runs lie there too."""
    for name in ("out.jsonl", "new.yml"):
        for _ in range(2 if name == "out.jsonl" else 1):
            assert imported("-o", str(folder / "scripts" / name))[0] == 0


def test_a_report_is_a_regular_file(folder: Path, imported: Import) -> None:
    """A pipe would be empty when it is read again, or keep the reader waiting."""
    os.mkfifo(folder / "pipe")
    code, out, err = imported(report="pipe")
    assert (code, out) == (2, "")
    assert err == (
        f"error: {folder / 'pipe'} is no regular file, and it is read more than once\n"
        "hint: save what a pipe or a device gives to a file, and name that\n"
    )


def test_blank_lines_are_no_rows(folder: Path, imported: Import) -> None:
    for blank in (b"\n", b"\r\n \n\n", b"\t"):
        (folder / "report.csv").write_bytes(b"\n" + REPORT + blank)
        found = document(imported("--json"))
        assert (found["rows"], found["bad_rows"]) == (16, [])


def test_a_report_that_may_be_cut_off_is_a_warning(folder: Path, imported: Import) -> None:
    (folder / "report.csv").write_bytes(REPORT + b"in/site/web.rb,21,sec_https,url:'htt")
    code, _, err = imported()
    assert code == 0
    assert err.splitlines()[0] == (
        f"warning: {folder / 'report.csv'} ends without a line end: it may have been cut off in "
        "its last row"
    )
    (folder / "report.csv").write_bytes(REPORT)
    assert "cut off" not in imported()[2]


def test_a_technology_that_nobody_knows_is_a_warning(imported: Import) -> None:
    code, _, err = imported("--technology", "ansibel")
    assert code == 0
    said = "is none of ansible, chef, puppet, terraform, github-actions\n"
    assert f"warning: --technology ansibel {said}" in err
    assert "warning: --tech" not in imported("--technology", "chef")[2]


def test_rejects_and_samples_appear_together(
    folder: Path, imported: Import, full_disk: Path
) -> None:
    """A disk that is full of one of them leaves neither."""
    (folder / "out.jsonl").write_text("old")
    rows = b"".join(b"in/site/gone.yml,%d,sec_https,x\n" % number for number in range(1, 2000))
    (folder / "report.csv").write_bytes(REPORT + rows)
    code, out, err = imported("--rejects", str(full_disk / "rejects.jsonl"))
    assert (code, out) == (1, "")
    assert err == f"error: {full_disk / 'rejects.jsonl'}: No space left on device\n"
    assert (folder / "out.jsonl").read_text() == "old"
    assert not list(full_disk.iterdir())


def test_an_oracle_may_name_what_no_file_system_takes(folder: Path, imported: Import) -> None:
    long = b"site/" + b"n" * 300 + b".yml"
    (folder / "oracle.csv").write_bytes(ORACLE + long + b",1,Empty password,1\n")
    code, _, err = imported("--oracle", str(folder / "oracle.csv"))
    assert code == 0
    assert f"the oracle names {long.decode()!r}, which is no file of the scripts" in err


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no file")
def test_an_output_that_cannot_be_written(folder: Path, imported: Import) -> None:
    code, out, err = imported("-o", "/proc/self/out.jsonl")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: /proc/")


def test_an_old_output_stays_when_the_import_fails(folder: Path, imported: Import) -> None:
    (folder / "out.jsonl").write_text("old")
    (folder / "report.csv").write_bytes(REPORT + b"half\n")
    assert imported()[0] == 1
    assert (folder / "out.jsonl").read_text() == "old"
    assert not list(folder.glob(".*"))


def test_rows_of_a_megabyte(folder: Path, imported: Import) -> None:
    write(folder, {"scripts/site/long.yml": b"x" * 2**20 + b"\n"})
    row = b"in/site/long.yml,1,sec_https," + b"x" * 2**20 + b"\n"
    (folder / "report.csv").write_bytes(REPORT + row + b"z" * 2**20 + b"\n")
    code, out, _ = imported("--skip-bad-rows")
    assert code == 0
    assert ("site/long.yml", 1, "use_of_http") in places(folder)
    assert max(map(len, out.splitlines())) < 400


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
def test_the_real_oracle_is_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """48 of 48 samples: file, line, smell and label, and the code around them."""
    out = tmp_path / "ansible.jsonl"
    code = main(
        [
            *("import", str(REAL_DATA / "glitch_output" / "ase22_ansible_oracle.csv")),
            *("--scripts", str(REAL_DATA / "scripts" / "ansible")),
            *("--oracle", str(REAL_DATA / "scripts" / "ansible_oracle.csv")),
            *("--groups", str(REAL_DATA / "oracle" / "meta.csv"), "--json", "-o", str(out)),
        ]
    )
    found = document((code, *capsys.readouterr()))
    made = {(s.file, s.line, s.smell): s for s in read_samples(out)}
    wanted = read_samples(REAL_DATA / "oracle" / "ansible_test.jsonl")
    assert len(wanted) == len(made) == found["samples"] == 48
    for one in wanted:
        same = made[one.file, one.line, one.smell]
        assert same.label == one.label
        assert (same.content, same.detection_span) == (one.content, one.detection_span)
        assert same.with_context == one.with_context
        assert same.confidence == (one.confidence if one.label == "TP" else None)
        assert same.family
    assert found["unusable"] == found["bad_rows"] == found["oracle_missing"] == []
