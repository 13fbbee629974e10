"""iacfilter_hpc.verdicts.records: nothing lost, damage named, branches merged by git."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.verdicts.records import append, read_records
from iacfilter_hpc.verdicts.repository import find_verdicts
from iacfilter_hpc.verdicts.verdict import VERDICT, Decision, Verdict, agreement, line_of, newest
from tests.verdicts.made_verdicts import COMMENT, HTTP, SECRET, git, judge, make_repository


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


def kept(scripts: Path) -> Path:
    return find_verdicts(scripts).path


def read(scripts: Path) -> list[Verdict]:
    return read_records(kept(scripts), VERDICT)


def test_a_verdict_is_read_as_it_was_written(scripts: Path) -> None:
    made = [
        judge(scripts, HTTP, Decision.FP, by="Zo\u00eb", note="only\u2028a mirror"),
        judge(scripts, SECRET, Decision.UNSURE),
    ]
    assert read(scripts) == made
    assert kept(scripts).read_bytes().isascii()
    assert kept(scripts).with_name(".gitattributes").read_text() == "verdicts.jsonl merge=union\n"


def test_what_is_there_is_never_written_again(scripts: Path) -> None:
    made = judge(scripts, HTTP, Decision.FP)
    path = kept(scripts)
    # as an editor may leave it: without its last line end, with one of another system
    path.write_bytes(line_of(made).encode().rstrip(b"\n"))
    judge(scripts, SECRET, Decision.TP)
    assert len(read(scripts)) == 2
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = path.read_bytes()
    judge(scripts, COMMENT, Decision.TP)
    assert path.read_bytes().startswith(before)
    assert [each.smell for each in read(scripts)] == [HTTP.smell, SECRET.smell, COMMENT.smell]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON: "),
        ('{"schema": 1, "smell": "a"', "not JSON: "),
        ("[]", "not an object"),
        ("<<<<<<< HEAD", "a mark of a merge that was not ended"),
        ('{"schema": 2}', "schema is 2; this version reads 1, a newer iacfilter-hpc wrote it"),
        ('{"smell": "a"}', "schema is null; this version reads 1"),
        ('{"schema": 1, "smell": "a"}', "file is missing; line is missing; text is missing; "),
        ("\udc00", "not JSON: "),
    ],
)
def test_a_damaged_line_is_named_and_the_file_refused(scripts: Path, line: str, says: str) -> None:
    judge(scripts, HTTP, Decision.FP)
    path = kept(scripts)
    with path.open("ab") as file:
        file.write(line.encode("utf-8", "surrogatepass") + b"\n")
    judge(scripts, SECRET, Decision.TP)
    before = path.read_bytes()
    with pytest.raises(DataError) as raised:
        read(scripts)
    assert raised.value.message.startswith(f"{path}:2: {says}")
    assert "\n" not in raised.value.message
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            '"decision": "FP"',
            '"decision": "no"',
            "decision is \"no\": input should be 'TP' or 'FP'",
        ),
        ('"at": "2026', '"at": "yesterday, 2026', "at is 'yesterday, 2026-01-31T12:00:00Z', not"),
        ('"by": "ada"', '"by": " "', "by names nobody"),
        ('"file": "', '"file": "../', "file is '../scripts/roles/x/tasks/main.yml', which is not"),
        ('"file": "', '"file": "/etc/', "file is '/etc/scripts/roles/x/tasks/main.yml', which is"),
        ('"fingerprint": "', '"fingerprint": "x', "fingerprint is not of 32 hex digits"),
        ('"note": null', '"note": null, "why": 1', "why is not known to this version"),
    ],
)
def test_a_wrong_value_is_named(scripts: Path, old: str, new: str, says: str) -> None:
    judge(scripts, HTTP, Decision.FP)
    path = kept(scripts)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError) as raised:
        read(scripts)
    assert raised.value.message.startswith(f"{path}:1: {says}")


def test_a_file_of_another_kind_gives_no_flood(scripts: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n" * 500)
    with pytest.raises(DataError) as raised:
        read_records(path, VERDICT)
    assert len(raised.value.message.splitlines()) == 11
    assert raised.value.message.endswith("490 further lines alike")


def test_the_newest_counts_wherever_it_stands(scripts: Path) -> None:
    late = judge(scripts, HTTP, Decision.TP, at="2026-03-01T00:00:00Z")
    judge(scripts, HTTP, Decision.FP, at="2026-02-01T00:00:00Z")
    other = judge(scripts, SECRET, Decision.FP, at="2026-01-01T00:00:00Z")
    assert newest(read(scripts)) == [late, other]
    # of one second the one that was given last
    last = judge(scripts, HTTP, Decision.UNSURE, at="2026-03-01T00:00:00Z")
    assert newest(read(scripts)) == [last, other]


def test_agreement_is_of_people_and_not_of_answers(scripts: Path) -> None:
    judge(scripts, HTTP, Decision.FP, by="ada", at="2026-01-01T00:00:00Z")
    judge(scripts, HTTP, Decision.TP, by="ada", at="2026-01-02T00:00:00Z")
    judge(scripts, HTTP, Decision.FP, by="bob", at="2026-01-03T00:00:00Z")
    chosen = judge(scripts, HTTP, Decision.TP, by="eve", at="2026-01-04T00:00:00Z")
    assert agreement(read(scripts), chosen) == 2 / 3


def test_two_branches_merge_by_gits_union(scripts: Path, tmp_path: Path) -> None:
    judge(scripts, HTTP, Decision.FP)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "checkout", "-qb", "other")
    theirs = judge(scripts, HTTP, Decision.TP, by="bob", at="2026-02-02T00:00:00Z")
    git(tmp_path, "commit", "-qam", "theirs")
    git(tmp_path, "checkout", "-q", "main")
    ours = judge(scripts, SECRET, Decision.TP, at="2026-02-01T00:00:00Z")
    git(tmp_path, "commit", "-qam", "ours")
    git(tmp_path, "merge", "-q", "other", "-m", "both")
    assert len(read(scripts)) == 3
    assert sorted(newest(read(scripts)), key=lambda v: v.at) == [ours, theirs]


def test_the_nearest_file_up_to_the_repositorys_root(scripts: Path, tmp_path: Path) -> None:
    (tmp_path.parent / ".iacfilter").mkdir(exist_ok=True)
    (tmp_path.parent / ".iacfilter/verdicts.jsonl").touch()
    assert find_verdicts(scripts).path == tmp_path / ".iacfilter/verdicts.jsonl"
    (tmp_path / ".iacfilter").mkdir()
    (tmp_path / ".iacfilter/verdicts.jsonl").touch()
    assert find_verdicts(scripts / "roles").path == tmp_path / ".iacfilter/verdicts.jsonl"
    (scripts / ".iacfilter").mkdir()
    (scripts / ".iacfilter/verdicts.jsonl").touch()
    assert find_verdicts(scripts).path == scripts / ".iacfilter/verdicts.jsonl"
    assert find_verdicts(scripts).repository.root == scripts
    # named, and outside of the repository: paths start from its root all the same
    named = find_verdicts(scripts, tmp_path.parent / "copy.jsonl")
    assert (named.path, named.repository.root) == (tmp_path.parent / "copy.jsonl", tmp_path)
    # without a repository nothing above the scripts is looked at
    alone = tmp_path.parent / "alone"
    alone.mkdir()
    assert find_verdicts(alone).path == alone / ".iacfilter/verdicts.jsonl"


def test_a_record_leads_nowhere_outside(scripts: Path, tmp_path: Path) -> None:
    secret = tmp_path.parent / "secret.yml"
    secret.write_text("password: x\n")
    (scripts / "link.yml").symlink_to(secret)
    repository = find_verdicts(scripts).repository
    assert repository.outline("scripts/link.yml") is None
    assert repository.outline("../secret.yml") is None
    assert repository.outline("scripts/roles/x/tasks/main.yml") is not None


def test_a_full_disk_takes_no_half_a_line(scripts: Path, full_disk: Path) -> None:
    path = full_disk / "verdicts.jsonl"
    made = judge(scripts, HTTP, Decision.FP, note="x" * 3000)
    with pytest.raises(OSError, match="No space left") as raised:
        for _ in range(100):
            append(path, made)
    assert raised.value.filename == str(path)
    kept_lines = read_records(path, VERDICT)
    assert len(kept_lines) > 10 and {*kept_lines} == {made}
    # in a folder of somebody else nothing is put beside it
    assert [each.name for each in full_disk.iterdir()] == [path.name]


def test_append_makes_no_folder_but_its_own(scripts: Path, tmp_path: Path) -> None:
    made = judge(scripts, HTTP, Decision.FP)
    with pytest.raises(FileNotFoundError):
        append(tmp_path / "no" / "such" / "verdicts.jsonl", made)
