"""iacfilter-data split: files that share nothing, and a summary that says how they came about."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.cli.data.__main__ import main
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.sample import Sample, read_samples, write_samples
from tests.cli.commands import iacfilter
from tests.samples.made import REAL_DATA, numbered
from tests.samples.test_split import grouped

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a subcommand in a folder with all.jsonl of 120 samples in 40 families."""
    monkeypatch.chdir(tmp_path)
    write_samples(Path("all.jsonl"), grouped([1, 2, 3, 4, 5] * 8))

    def command(*arguments: str) -> tuple[int, str, str]:
        return main(list(arguments)), *capsys.readouterr()

    return command


def split_of(run: Run, *flags: str, sizes: str = "60/20", data: str = "all.jsonl") -> Any:
    code, out, _ = run("split", data, "--sizes", sizes, "-o", "out", "--json", *flags)
    assert code == 0
    return json.loads(out)


def test_two_files_and_a_summary(run: Run, tmp_path: Path) -> None:
    document = split_of(run, "--seed", "7")
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "summary.json",
        "train.jsonl",
        "validation.jsonl",
    ]
    assert json.loads((out / "summary.json").read_text()) == document
    assert document["schema"] == 1
    assert (document["seed"], document["by"], document["sizes"]) == (7, "auto", [60, 20])
    assert document["input"] == {
        "file": str(tmp_path / "all.jsonl"),
        "sha256": sha256_of(tmp_path / "all.jsonl"),
        "samples": 120,
    }
    for described in document["files"]:
        samples = read_samples(out / described["file"])
        labels = Counter(sample.label for sample in samples)
        assert described["sha256"] == sha256_of(out / described["file"])
        assert (described["samples"], described["TP"], described["FP"]) == (
            len(samples),
            labels["TP"],
            labels["FP"],
        )
        assert sum(cell["TP"] for cell in described["counts"]) == labels["TP"]
    assert [described["samples"] for described in document["files"]] == [60, 20]
    assert sum(document["left_out"].values()) == 40


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ("60/20", [60, 20]),
        ("60/20/20", [60, 20, 20]),
        ("100/20", [100, 20]),
        ("0.8/0.2", None),
        ("0.5/0.2/0.1", None),
    ],
)
def test_check_finds_nothing_in_a_split(run: Run, sizes: str, counts: list[int] | None) -> None:
    document = split_of(run, sizes=sizes)
    if counts is not None:
        assert [described["samples"] for described in document["files"]] == counts
    files = [f"out/{described['file']}" for described in document["files"]]
    code, out, _ = run("check", *files)
    assert code == 0
    assert "Shared between files: nothing" in out


@pytest.mark.parametrize("count", [120, 121, 119])
def test_shares_of_one_use_all_samples(run: Run, tmp_path: Path, count: int) -> None:
    write_samples(tmp_path / "all.jsonl", numbered(0, count))
    document = split_of(run, sizes="0.5/0.3/0.2")
    assert sum(described["samples"] for described in document["files"]) == count
    assert document["left_out"] == {}


def test_the_same_seed_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    files = [split_of(run, "--seed", "3")["files"]]
    (tmp_path / "out").rename(tmp_path / "first")
    files.append(split_of(run, "--seed", "3")["files"])
    assert files[0] == files[1]
    (tmp_path / "out").rename(tmp_path / "second")
    assert split_of(run, "--seed", "4")["files"] != files[0]


def test_samples_are_written_as_they_were_read(run: Run, tmp_path: Path) -> None:
    split_of(run)
    before = (tmp_path / "all.jsonl").read_text().splitlines()
    for name in ("train", "validation"):
        lines = (tmp_path / "out" / f"{name}.jsonl").read_text().splitlines()
        assert [line for line in before if line in set(lines)] == lines


def test_duplicates_are_dropped_and_listed(run: Run, tmp_path: Path) -> None:
    samples = numbered(0, 40)
    double = replace(samples[30], content=samples[4].content, smell=samples[4].smell, label="TP")
    samples[30], samples[4] = double, replace(samples[4], label="FP")
    write_samples(tmp_path / "all.jsonl", samples)
    document = split_of(run, "--dedupe", sizes="30/9")
    assert document["left_out"] == {"duplicate": 1}
    assert document["input"]["samples"] == 40
    (listed,) = document["left_out_samples"]
    assert listed == {
        "key": double.key,
        "smell": double.smell,
        "file": double.file,
        "line": 20,
        "label": "TP",
        "reason": f"duplicate of {samples[4].file}:20",
        "same_label": False,
    }


def test_groups_can_be_given(run: Run, tmp_path: Path) -> None:
    samples = [replace(one, repo=None, family=None) for one in numbered(0, 40)]
    write_samples(tmp_path / "all.jsonl", samples)
    code, _, err = run("split", "all.jsonl", "--sizes", "20/10", "-o", "out", "--by", "repo")
    assert code == 1
    assert "error: 40 of 40 samples name no repo" in err
    rows = [f"{one.file},r{number // 10}\n" for number, one in enumerate(samples)]
    (tmp_path / "g.csv").write_text("file,repo\n" + "".join(rows))
    document = split_of(run, "--by", "repo", "--groups", "g.csv", sizes="20/10")
    assert document["groups"] == 4
    repos = [
        {s.repo for s in read_samples(tmp_path / "out" / f["file"])} for f in document["files"]
    ]
    assert [len(each) for each in repos] == [2, 1]


def test_a_split_without_one_of_the_labels_is_warned_of(run: Run, tmp_path: Path) -> None:
    samples: list[Sample] = [replace(one, label="TP") for one in numbered(0, 20)]
    write_samples(tmp_path / "all.jsonl", samples)
    code, out, err = run("split", "all.jsonl", "--sizes", "10/5", "-o", "out")
    assert code == 0
    assert "warning: train.jsonl has no sample labelled FP" in err
    assert "Wrote 10 train, 5 validation to out (seed 0)" in out
    assert "left out    5: its group is not needed" in out
    assert "Next: iacfilter-data check out/train.jsonl out/validation.jsonl" in out


@pytest.mark.parametrize(
    "sizes",
    [
        "",
        "600",
        "600/",
        "0/5",
        "5/0",
        "-1/5",
        "a/b",
        "0.5/5",
        "0.9/0.2",
        "1/2/3/4",
        "nan/0.5",
        "1e3/5",
    ],
)
def test_sizes_that_are_none(sizes: str) -> None:
    done = iacfilter("data", "split", "all.jsonl", "-o", "out", f"--sizes={sizes}")
    assert done.returncode == 2
    assert "is neither numbers of samples (600/75) nor shares up to 1" in done.stderr


def test_sizes_that_cannot_be_reached(run: Run, tmp_path: Path) -> None:
    code, out, err = run("split", "all.jsonl", "--sizes", "600/75", "-o", "out")
    assert (code, out) == (1, "")
    assert err == (
        "error: 675 samples are asked for, there are 120\n"
        "hint: ask for fewer, or for shares such as 0.8/0.2\n"
    )
    write_samples(tmp_path / "all.jsonl", grouped([10, 10]))
    code, out, err = run("split", "all.jsonl", "--sizes", "11/9", "-o", "out")
    assert (code, out) == (1, "")
    assert "hint: possible here: 10/10" in err
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


def test_the_output_must_be_new_or_empty(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    split_of(run)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for output, problem in (
        ("out", "--output out is not empty"),
        (".", "--output . is not empty"),
        ("all.jsonl", "--output all.jsonl is not a directory"),
        ("none/out", "there is no directory none"),
    ):
        code, out, err = run("split", "all.jsonl", "--sizes", "60/20", "-o", output)
        assert (code, out) == (2, "")
        assert problem in err
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_written_through(run: Run, tmp_path: Path, exists: bool) -> None:
    """To an empty directory, or to one that is still to be made."""
    (tmp_path / "elsewhere").mkdir()
    if exists:
        (tmp_path / "elsewhere" / "split").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere" / "split")
    document = split_of(run)
    assert (tmp_path / "out").is_symlink()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["split"]
    assert len(read_samples(tmp_path / "out" / "train.jsonl")) == document["files"][0]["samples"]


def test_an_error_names_the_directory_that_was_asked_for(
    run: Run, tmp_path: Path, full_disk: Path
) -> None:
    (tmp_path / "link").symlink_to(full_disk)
    for name, why in (("link/out", "No space left on device"), ("/proc/out", "")):
        code, out, err = run("split", "all.jsonl", "--sizes", "60/20", "-o", name)
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {name}: {why}")
    assert not list(full_disk.iterdir())


def test_all_flags_that_make_no_sense_are_named_at_once(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, out, err = run("split", "pipe", "--sizes", "60/20", "-o", "none/out")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: pipe is no regular file, and it is read more than once",
        "error: --output none/out: there is no directory none",
        "hint: save what a pipe or a device gives to a file, and name that",
        "hint: mkdir -p none",
    ]


def test_files_are_as_the_umask_says(run: Run, tmp_path: Path) -> None:
    split_of(run)
    new = tmp_path / "new"
    new.mkdir()
    assert (tmp_path / "out").stat().st_mode == new.stat().st_mode


def test_bad_samples_are_named(run: Run, tmp_path: Path) -> None:
    write_samples(tmp_path / "all.jsonl", [replace(numbered(0, 1)[0], label=None)])
    code, out, err = run("split", "all.jsonl", "--sizes", "60/20", "-o", "out")
    assert (code, out) == (1, "")
    assert "error: all.jsonl:1: field label is null, not TP or FP" in err


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
def test_the_real_corpus_at_the_pilots_size(run: Run) -> None:
    corpus = str(REAL_DATA / "corpus" / "weak_train.jsonl")
    document = split_of(run, "--dedupe", sizes="600/75", data=corpus)
    assert [described["samples"] for described in document["files"]] == [600, 75]
    shares = [described["TP"] / described["samples"] for described in document["files"]]
    assert abs(shares[0] - 248 / 1457) < 0.02
    assert abs(shares[1] - 248 / 1457) < 0.02
    assert run("check", "out/train.jsonl", "out/validation.jsonl")[0] == 0
