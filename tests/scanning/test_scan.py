"""A folder scanned by a program in GLITCH's place: what is read, in which words, what is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError, IacfilterError, UsageError
from iacfilter_hpc.glitch.report import Detection, open_report
from iacfilter_hpc.samples.technologies import TECHNOLOGIES, technology_of
from iacfilter_hpc.scanning.copies import READ, copied_name, original_name
from iacfilter_hpc.scanning.glitch import complaints, find_glitch
from iacfilter_hpc.scanning.scan import Scanned, ScanRequest, scanned
from tests.scanning.glitch_stand_in import CANNOT, EXTENSIONS
from tests.scanning.made import FILES, ROWS, commit, make_glitch, make_repository, write_files

Scan = Callable[..., tuple[Scanned, list[str]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "repository")


@pytest.fixture
def scan(tmp_path: Path, folder: Path) -> Scan:
    """Scan the folder; the answer and the report's rows, without their header."""
    glitch = make_glitch(tmp_path / "bin")

    def run(**settings: object) -> tuple[Scanned, list[str]]:
        request = ScanRequest(folder, glitch, **settings)  # type: ignore[arg-type]
        with scanned(request, lambda text: None) as done:
            header, *rows = done.report.read_bytes().splitlines()
        assert header == b"PATH,LINE,ERROR,DESCRIPTION,CODE"
        return done, [os.fsdecode(row) for row in rows]

    return run


def starts(rows: list[str]) -> list[str]:
    """Rows as far as their codes."""
    return sorted(",".join(row.split(",")[:3]) for row in rows)


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def test_each_technology_is_read_once_and_nothing_is_written(
    scan: Scan, folder: Path, tmp_path: Path
) -> None:
    before = contents(folder)
    done, rows = scan()
    assert starts(rows) == sorted(ROWS)
    assert {part.technology: (part.scripts, part.rows) for part in done.parts} == {
        "ansible": (2, 3),
        "chef": (1, 2),
        "puppet": (1, 1),
    }
    assert (done.read, done.scripts, done.changed, done.unread) == (4, 4, None, ())
    assert contents(folder) == before
    assert not done.report.exists(), "it was temporary"


@pytest.mark.parametrize("technology", TECHNOLOGIES, ids=lambda each: each.name)
def test_every_technology_is_one_that_glitch_knows(technology: object) -> None:
    name, suffixes = technology.name, technology.suffixes  # type: ignore[attr-defined]
    assert name in EXTENSIONS
    assert {f".{extension}" for extension in EXTENSIONS[name]} <= {*READ, *suffixes}


def test_each_script_belongs_to_one_technology(scan: Scan, folder: Path) -> None:
    workflow = ".github/workflows/ci.yml"
    write_files(folder, {workflow: "on: push\n# TODO\n", "main.tf": 'password = "a"\n'})
    done, rows = scan()
    found = {part.technology: part.scripts for part in done.parts}
    for name in (workflow, "main.tf"):
        assert found.get(technology_of(name) or "", 0) > 0 or technology_of(name) is None
    assert sum(row.startswith(f"{workflow},2,") for row in rows) == 1


HOSTILE = (
    "x'; touch pwned; '.rb",
    'y"; system("touch pwned"); ".rb',
    "z#{system('touch pwned')}.rb",
    "$(touch pwned).rb",
    "`touch pwned`.rb",
    "--output=pwned.rb",
    "a, b.rb",
    "per%27cent.rb",
    "caf\u00e9 \u4e2d.rb",
    "back\\slash|&<>*?.rb",
)


def test_names_run_nothing_and_come_back(scan: Scan, folder: Path, tmp_path: Path) -> None:
    write_files(folder, {f"recipes/{name}": "# TODO\n" for name in HOSTILE})
    _, rows = scan()
    assert not list(tmp_path.rglob("pwned*"))
    for name in HOSTILE:
        assert sum(row.startswith(f"recipes/{name},1,sec_susp_comm,") for row in rows) == 1, name
        assert original_name(f"./{copied_name(name)}".encode()) == name.encode()
    found = [row for row in rows if row.startswith("recipes/")]
    assert len(found) == len(HOSTILE)


def test_the_report_can_be_read_as_glitchs(scan: Scan, folder: Path, tmp_path: Path) -> None:
    write_files(folder, {"recipes/a, b.rb": "# TODO: this, and that\n"})
    scan(keep_report=tmp_path / "kept.csv")
    report = open_report(tmp_path / "kept.csv")
    rows = list(report.rows())
    assert all(isinstance(row, Detection) for row in rows)
    assert ("recipes/a, b.rb", 1, "sec_susp_comm") in {
        (row.path, row.line, row.code) for row in rows if isinstance(row, Detection)
    }
    assert len(rows) == len(ROWS) + 1


def test_names_that_no_row_can_hold_are_told(scan: Scan, folder: Path) -> None:
    write_files(folder, {"line\nend.yml": "# TODO\n"})
    (folder / os.fsdecode(b"latin\xff.yml")).write_text("# TODO\n")
    done, rows = scan()
    assert [each.name for each in done.unread] == ["line\nend.yml"]
    assert sum(row.startswith(os.fsdecode(b"latin\xff.yml")) for row in rows) == 1
    assert done.parts[0].scripts == 3


def test_links_and_gits_own_files_are_not_read(scan: Scan, folder: Path, tmp_path: Path) -> None:
    (folder / "link.yml").symlink_to("roles/web/vars/main.yml")
    (tmp_path / "outside").mkdir()
    write_files(tmp_path / "outside", {"a.yml": "# TODO\n"})
    (folder / "linked").symlink_to(tmp_path / "outside")
    write_files(folder, {".git/refs/heads/main.yml": "# TODO\n"})
    os.mkfifo(folder / "pipe.yml")
    _, rows = scan()
    assert starts(rows) == sorted(ROWS)


def test_what_cannot_be_parsed_is_told_and_the_rest_read(scan: Scan, folder: Path) -> None:
    write_files(folder, {"a 'b'/bad.yml": CANNOT, "worse.rb": CANNOT})
    done, rows = scan()
    assert starts(rows) == sorted(ROWS)
    assert done.complaints == [
        "Ansible - Could not parse file: a 'b'/bad.yml",
        "Ansible - Could not parse file: worse.rb",
    ]


def test_only_what_has_changed_is_read(scan: Scan, folder: Path) -> None:
    make_repository(folder, FILES)
    done, rows = scan(changed_since="HEAD")
    assert (rows, done.changed, done.scripts, done.parts) == ([], 0, 4, ())
    write_files(folder, {"roles/web/vars/main.yml": "db_password: hunter3\n", "new.pp": "# TODO\n"})
    done, rows = scan(changed_since="HEAD")
    changed = ["new.pp,1,sec_susp_comm", "roles/web/vars/main.yml,1,sec_hard_pass"]
    assert starts(rows) == changed
    assert (done.changed, done.read) == (2, 2)
    assert starts(scan(changed_since="HEAD", untracked=False)[1]) == changed[1:]
    commit(folder, "second")
    assert starts(scan(changed_since="HEAD~1")[1]) == changed


def test_a_folder_without_scripts_is_no_clean_one(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="holds no script that GLITCH reads"),
        scanned(ScanRequest(write_files(tmp_path / "x", {"a.md": "x"})), lambda text: None),
    ):
        pass


def test_glitch_that_fails_is_an_error(
    scan: Scan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STAND_IN_FAILS", "1")
    with pytest.raises(IacfilterError) as failed:
        scan(keep_report=tmp_path / "kept.csv")
    assert failed.value.message == (
        "GLITCH of unknown version ended with exit code 1 on the scripts of ansible\n"
        "Error: Rego library is not available."
    )
    assert not (tmp_path / "kept.csv").exists()


def test_another_form_of_report_is_refused(scan: Scan, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "glitch"
    program.write_text(program.read_text().replace("PATH,LINE,ERROR,DESCRIPTION,CODE", "PATH,LINE"))
    with pytest.raises(DataError, match="another form: it begins with b'PATH,LINE', not"):
        scan()


def test_the_program_is_found_or_the_command_that_installs_it_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(IacfilterError, match="GLITCH is not installed") as missing:
        find_glitch(None)
    assert "git+https://github.com/sr-lab/GLITCH" in str(missing.value.hint)
    assert "another project" in str(missing.value.hint)
    program = make_glitch(tmp_path / "bin")
    assert find_glitch(None).argv == (str(program),)
    monkeypatch.chdir(tmp_path)
    assert find_glitch(Path("bin/glitch")).argv == (str(program),)
    (tmp_path / "text").touch(0o644)
    for path in ("bin", "nowhere", "text"):
        with pytest.raises(UsageError, match="is no program that can be run"):
            find_glitch(Path(path))


def test_a_module_is_run_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "glitch"
    make_glitch(package).rename(package / "__main__.py")
    (package / "__init__.py").touch()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", f"{package.parent}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(str(package.parent))
    found = find_glitch(None)
    assert found.argv[1:] == ("-P", "-m", "glitch")
    folder = write_files(tmp_path / "repository")
    # a module of the scanned folder must not be the one that runs
    write_files(folder, {"argparse.py": "raise SystemExit('of the repository')\n"})
    with scanned(ScanRequest(folder), lambda text: None) as done:
        assert starts(done.report.read_text().splitlines()[1:]) == sorted(ROWS)


def test_the_version_is_that_of_the_programs_own_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make_glitch(tmp_path / "bin")
    assert find_glitch(program).shown == "GLITCH of unknown version"
    made = tmp_path / "packages" / "glitch-2.0.0.dist-info"
    write_files(made, {"METADATA": "Metadata-Version: 2.1\nName: glitch\nVersion: 2.0.0\n"})
    monkeypatch.setenv("PYTHONPATH", f"{made.parent}:{os.environ.get('PYTHONPATH', '')}")
    assert find_glitch(program).shown == "GLITCH 2.0.0"
    commit_of_it = '{"vcs_info": {"commit_id": "21db8c4f00d"}}'
    write_files(made, {"direct_url.json": commit_of_it})
    assert find_glitch(program).shown == "GLITCH 2.0.0 (21db8c4)"
    # as pip writes a path that is too long for a first line
    body = program.read_text().replace("from __future__ import annotations\n", "")
    python = sys.executable
    program.write_text(f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n{body}")
    assert find_glitch(program).shown == "GLITCH 2.0.0 (21db8c4)"


@pytest.mark.parametrize("said", ["print('drawing glitches')", "import sys; sys.exit('no lint')"])
def test_another_program_of_that_name_is_refused(tmp_path: Path, said: str) -> None:
    program = make_glitch(tmp_path / "bin")
    program.write_text(f"{program.read_text().partition(chr(10))[0]}\n{said}\n")
    with pytest.raises(IacfilterError, match="is not GLITCH 2: `lint --help` does not name"):
        find_glitch(program)


def test_a_program_that_cannot_start(tmp_path: Path) -> None:
    program = make_glitch(tmp_path / "bin")
    program.write_text("#!/nowhere/python\n")
    with pytest.raises(IacfilterError, match="cannot be run: No such file"):
        find_glitch(program)


def test_complaints_are_lines_of_glitch_and_not_of_its_tracebacks() -> None:
    bar = "ANALYZING ALL FILES: 50%|#####  | 1/2 [00:00<00:00, 1.1it/s]"
    said = (
        f"\r{bar}Error: Chef - Could not parse file: ./a.rb\n"
        f"{'=' * 20} Traceback {'=' * 20}\n  x\nYamlError: Error: inner\n{'=' * 51}\n"
        f"\r{bar}\nError: Unknown Error: ./b.rb\n{'=' * 20} Traceback {'=' * 20}\ny\n{'=' * 51}\n"
        "ValueError: not one of ours\n"
    )
    assert complaints(said) == ["Chef - Could not parse file: ./a.rb", "Unknown Error: ./b.rb"]
