"""iacfilter-data check: schema, balance and leaks of files, and when that is a failure."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.cli.data.__main__ import main
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.sample import Sample, line_of, write_samples
from tests.cli.commands import iacfilter
from tests.samples.made import DEMO, REAL_DATA, numbered, sample, without_origin
from tests.samples.test_leakage import exact, planted, same_repo
from tests.training.settings import TRAINS

Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Check:
    """Runs the subcommand in a folder with train.jsonl and validation.jsonl."""
    monkeypatch.chdir(tmp_path)
    write_samples(Path("train.jsonl"), numbered(0, 24))
    write_samples(Path("validation.jsonl"), numbered(100, 12))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["check", *(arguments or ("train.jsonl", "validation.jsonl"))])
        return code, *capsys.readouterr()

    return run


def test_clean_files(check: Check) -> None:
    code, out, err = check()
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["file", "samples", "TP", "FP", "unlabelled", "scripts", "groups"]
    assert rows[1] == ["train.jsonl", "24", "16", "8", "0", "24", "24"]
    assert rows[2] == ["validation.jsonl", "12", "8", "4", "0", "12", "12"]
    assert ["all", "16/8", "8/4"] in rows
    assert "Shared between files: nothing" in out


def test_leaks_are_listed_and_fail(check: Check, tmp_path: Path) -> None:
    train, validation = numbered(0, 24), numbered(100, 12)
    validation[4] = exact(train[2], validation[4])
    write_samples(tmp_path / "validation.jsonl", validation)
    code, out, err = check()
    assert code == 1
    place = f"train.jsonl:3 ({train[2].file}:20)  =  validation.jsonl:5 ({validation[4].file}:20)"
    assert out.count(place) == 2
    assert err.splitlines() == [
        "error: leakage: 1 pair of different files has the same smell and same reported line",
        "error: leakage: 1 pair of different files has the same lines around it",
        "hint: iacfilter-data split makes files that share nothing; --allow KIND accepts a kind",
    ]


def test_a_kind_can_be_accepted(check: Check, tmp_path: Path) -> None:
    train, validation = numbered(0, 24), numbered(100, 12)
    validation[4] = exact(train[2], validation[4])
    validation[5] = same_repo(train[6], validation[5])
    write_samples(tmp_path / "validation.jsonl", validation)
    files = ("train.jsonl", "validation.jsonl")
    code, out, err = check(*files, "--allow", "content", "--allow", "context")
    assert code == 1
    assert "same smell and same reported line: 1 pair (accepted)" in out
    assert err.count("error:") == 1
    assert "same repository" in err
    code, out, err = check(*files, *("--allow", "content", "--allow", "context", "--allow", "repo"))
    assert (code, err) == (0, "")
    assert out.count("(accepted)") == 3


def test_json_has_every_pair(check: Check, tmp_path: Path) -> None:
    train, validation, wanted = planted()
    write_samples(tmp_path / "train.jsonl", train)
    write_samples(tmp_path / "validation.jsonl", validation)
    code, out, _ = check("--json", "train.jsonl", "validation.jsonl")
    assert code == 1
    document: dict[str, Any] = json.loads(out)
    assert document["schema"] == 1
    assert document["leakage"] is True
    assert sum(leak["pairs"] for leak in document["leaks"]) == len(wanted)
    found = set()
    for leak in document["leaks"]:
        rows = {place["data"]: place["row"] for place in leak["samples"]}
        found.add((leak["kind"], rows["train.jsonl"], rows["validation.jsonl"]))
        place = leak["samples"][0]
        assert place["file"] == train[place["row"] - 1].file
    assert found == wanted
    assert document["files"][0]["sha256"] == sha256_of(tmp_path / "train.jsonl")
    assert sum(cell["TP"] + cell["FP"] for cell in document["files"][0]["counts"]) == 200


def test_few_pairs_are_shown_and_all_are_counted(check: Check, tmp_path: Path) -> None:
    train, validation, _ = planted()
    write_samples(tmp_path / "train.jsonl", train)
    write_samples(tmp_path / "validation.jsonl", validation)
    _, out, err = check("train.jsonl", "validation.jsonl", "--show", "3")
    assert out.count("  =  ") == 18
    assert out.count("... and 17 more") == 2
    assert out.count("... and 7 more") == 4
    assert "error: leakage: 20 pairs" in err


def test_pairs_are_summed_up_by_cluster(check: Check, tmp_path: Path) -> None:
    train, validation = numbered(0, 24), numbered(100, 12)
    for number in range(4):
        train[number] = near(train[9], train[number], f"train{number}")
    validation[:3] = [near(train[9], one, one.label or "") for one in validation[:3]]
    write_samples(tmp_path / "train.jsonl", train)
    write_samples(tmp_path / "validation.jsonl", validation)
    _, out, err = check("train.jsonl", "validation.jsonl", "--pairs", "pairs.jsonl")
    lines = out.splitlines()
    start = lines.index(
        "Shared between files: near-context, nearly the same lines around it: 15 pairs in 1 cluster"
    )
    assert lines[start + 1] == (
        "  15 pairs among 8 samples (5 in train.jsonl, 3 in validation.jsonl), such as"
    )
    assert [line.count("  =  ") for line in lines[start + 2 :]] == [1, 1, 1]
    assert "error: leakage: 15 pairs of different files have nearly the same lines" in err
    pairs = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    rows = [(each["one"]["row"], each["other"]["row"]) for each in pairs]
    assert {each["kind"] for each in pairs} == {"near-context"}
    assert sorted(rows) == [(one, other) for one in (1, 2, 3, 4, 10) for other in (1, 2, 3)]
    _, out, _ = check("train.jsonl", "validation.jsonl", "--json")
    (leak,) = json.loads(out)["leaks"]
    assert (leak["pairs"], len(leak["samples"]), len(leak["examples"])) == (15, 8, 3)
    assert leak["by_file"] == {"train.jsonl": 5, "validation.jsonl": 3}


def near(copied: Sample, one: Sample, word: str) -> Sample:
    """A sample whose context is another one's, less a word."""
    words = copied.with_context.split(" ")
    return replace(one, with_context=" ".join([*words[:-2], word, words[-1]]), content="")


def test_a_file_of_pairs_is_no_input(check: Check, tmp_path: Path) -> None:
    before = (tmp_path / "train.jsonl").read_bytes()
    code, out, err = check("train.jsonl", "--pairs", "train.jsonl")
    assert (code, out) == (2, "")
    assert "error: --pairs train.jsonl is an input" in err
    assert (tmp_path / "train.jsonl").read_bytes() == before
    assert check("train.jsonl", "--pairs", "none/pairs.jsonl")[0] == 2


def test_of_a_flood_of_errors_the_first_ten_are_named(check: Check, tmp_path: Path) -> None:
    """And what is probably wrong with each of the files."""
    (tmp_path / "report.csv").write_text("a.yml,3,sec_https,url\n" * 75)
    text = "".join(f"{line_of(one)}\n" for one in numbered(0, 15))
    (tmp_path / "lower.jsonl").write_text(text.replace('"label": "TP"', '"label": "tp"'))
    code, out, err = check("report.csv", "lower.jsonl")
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert sum("report.csv:" in line for line in lines) == 11
    assert "error: report.csv: and 65 more" in lines
    assert lines[-2:] == [
        "hint: this is CSV: iacfilter-data import makes samples of a report",
        "hint: write TP, not tp",
    ]


def test_all_schema_errors_of_all_files_are_named(check: Check, tmp_path: Path) -> None:
    good = line_of(numbered(0, 1)[0])
    (tmp_path / "a.jsonl").write_text(f"{good}\n{{}}\n{good[:-1]}\n")
    (tmp_path / "b.jsonl").write_text("")
    code, out, err = check("a.jsonl", "b.jsonl", "none.jsonl", "train.jsonl")
    assert (code, out) == (1, "")
    assert "error: a.jsonl:2: field smell is missing" in err
    assert "error: a.jsonl:3: not JSON" in err
    assert "error: b.jsonl holds no sample" in err
    assert "error: none.jsonl cannot be read: No such file or directory" in err


def test_one_bad_line_among_ten_thousand(check: Check, tmp_path: Path) -> None:
    lines = [line_of(one) for one in numbered(0, 50)] * 200
    lines[7123] = lines[7123].replace('"label": "', '"label": "x')
    (tmp_path / "many.jsonl").write_text("\n".join(lines) + "\n")
    code, out, err = check("many.jsonl")
    assert (code, out) == (1, "")
    assert err.splitlines()[0].startswith('error: many.jsonl:7124: field label is "x')
    assert err.count("error:") == 1


def test_samples_without_a_label_are_counted(check: Check, tmp_path: Path) -> None:
    some = [replace(one, label=None) for one in numbered(200, 3)]
    write_samples(tmp_path / "new.jsonl", [*numbered(300, 2), *some])
    code, out, _ = check("new.jsonl")
    assert code == 0
    assert ["new.jsonl", "5", "1", "1", "3", "5", "5"] in [s.split() for s in out.splitlines()]
    assert "1/1 + 3 unlabelled" in out
    assert "Shared between" not in out


def test_repetitions_in_one_file_are_no_failure(check: Check, tmp_path: Path) -> None:
    train = numbered(0, 24)
    other = replace(exact(train[2], train[3]), label="FP")
    write_samples(tmp_path / "train.jsonl", [*train, other])
    code, out, err = check()
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["train.jsonl", "content", "1", "1", "1"] in rows


def test_repetitions_in_one_file_are_listed(check: Check, tmp_path: Path) -> None:
    """As many as are asked for, contradictory labels first; --json has all."""
    train = numbered(0, 24)
    same = [exact(train[n], sample(200 + n)) for n in range(4)]
    contrary = replace(exact(train[7], sample(300)), label="FP")
    assert train[7].label == "TP"
    write_samples(tmp_path / "train.jsonl", [*train, *same, contrary])
    _, out, _ = check("train.jsonl", "--show", "2")
    lines = out.splitlines()
    start = lines.index("train.jsonl, same smell and same reported line:")
    assert lines[start + 1 : start + 4] == [
        f"  both labels: TP train.jsonl:8 ({train[7].file}:20)  =  "
        f"FP train.jsonl:29 ({contrary.file}:20)",
        f"  FP train.jsonl:1 ({train[0].file}:20)  =  FP train.jsonl:25 ({same[0].file}:20)",
        "  ... and 3 more",
    ]
    _, out, _ = check("train.jsonl", "--json")
    repeats = {each["kind"]: each for each in json.loads(out)["repeats"]}
    content = repeats["content"]
    assert (content["groups"], content["surplus"], content["contradictions"]) == (5, 5, 1)
    rows = [[one["row"] for one in each["samples"]] for each in content["each"]]
    assert rows == [[8, 29], [1, 25], [2, 26], [3, 27], [4, 28]]
    assert [each["contradictory"] for each in content["each"]] == [True, *[False] * 4]
    assert content["each"][0]["samples"][1]["label"] == "FP"


def test_a_sample_that_contradicts_itself_is_a_failure(check: Check, tmp_path: Path) -> None:
    train = numbered(0, 24)
    train[3], train[5] = replace(train[3], line=99), replace(train[5], content="not there")
    write_samples(tmp_path / "train.jsonl", train)
    code, out, err = check()
    assert code == 1
    assert out
    assert err.splitlines() == [
        "error: train.jsonl:4: line 99 is outside detection_span [15, 25]",
        "error: train.jsonl:6: content is not on line 20 of with_context",
        "hint: content, line, detection_span and with_context are of one place in one file",
    ]
    found = json.loads(check("train.jsonl", "validation.jsonl", "--json")[1])
    assert [(each["file"], each["row"]) for each in found["contradictions"]] == [
        ("train.jsonl", 4),
        ("train.jsonl", 6),
    ]


def test_of_many_contradictions_ten_are_named_and_json_has_all(
    check: Check, tmp_path: Path
) -> None:
    write_samples(tmp_path / "train.jsonl", [replace(one, line=99) for one in numbered(0, 24)])
    code, out, err = check("train.jsonl", "--json")
    assert code == 1
    assert [line.startswith("error: train.jsonl:") for line in err.splitlines()[:10]] == [True] * 10
    assert err.splitlines()[10] == "error: and 14 more"
    assert len(json.loads(out)["contradictions"]) == 24


def test_unknown_names_are_warnings(check: Check, tmp_path: Path) -> None:
    odd = replace(numbered(0, 1)[0], smell="htpp", technology="bicepp")
    write_samples(tmp_path / "odd.jsonl", [odd])
    code, out, err = check("odd.jsonl", "--json")
    warnings = [
        "odd.jsonl: 1 sample of smell 'htpp', which is of none of GLITCH's 43 rules",
        "odd.jsonl: 1 sample of technology 'bicepp', which is none of ansible, chef, puppet, "
        "terraform, github-actions",
    ]
    assert code == 0
    assert err.splitlines() == [f"warning: {warning}" for warning in warnings]
    assert json.loads(out)["warnings"] == warnings


def test_all_flags_that_make_no_sense_are_named_at_once(check: Check, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, out, err = check("pipe", "train.jsonl", "train.jsonl", "--show", "-1", "--model", "x")
    assert (code, out) == (2, "")
    assert [line for line in err.splitlines() if line.startswith("error")] == [
        "error: pipe is no regular file, and it is read more than once",
        "error: --show -1 is not a number of clusters",
        "error: --model needs --approach",
        "error: a file is named twice",
    ]


@pytest.mark.parametrize("name", [pytest.param("nope/nope", marks=TRAINS)])
def test_a_model_that_is_not_here_is_said_without_asking_a_hub(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with socket.create_server(("127.0.0.1", 0)) as hub:
        hub.settimeout(0)
        endpoint = f"http://127.0.0.1:{hub.getsockname()[1]}"
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache")}
        arguments = ("train.jsonl", "--model", name, "--approach", "encoder")
        done = iacfilter("data", "check", *arguments, **settings)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"error: model {name} cannot be loaded: " in done.stderr
        assert "hint: " in done.stderr
        with pytest.raises(BlockingIOError):
            hub.accept()


def test_groups_make_leaks_visible(check: Check, tmp_path: Path) -> None:
    train, validation = numbered(0, 24), [without_origin(one) for one in numbered(100, 12)]
    write_samples(tmp_path / "validation.jsonl", validation)
    assert check()[0] == 0
    (tmp_path / "g.csv").write_text(f"file,family\n{validation[0].file},{train[5].family}\n")
    code, out, _ = check("train.jsonl", "validation.jsonl", "--groups", "g.csv")
    assert code == 1
    assert "family, same family of repositories: 1 pair" in out


def test_files_of_one_name_are_told_apart(check: Check, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write_samples(tmp_path / "other" / "train.jsonl", numbered(0, 3))
    code, out, _ = check("train.jsonl", "other/train.jsonl")
    assert code == 1
    assert "other/train.jsonl:3 (" in out


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["train.jsonl"], "a file is named twice"),
        (["--show", "-1"], "--show -1 is not a number of clusters"),
        (["--model", "x"], "--model needs --approach"),
        (["--max-length", "9"], "need --model"),
        (["--model", "x", "--approach", "encoder", "--max-length", "0"], "--max-length 0"),
        (
            ["--model", "x", "--approach", "generative", "--input-fields", "content"],
            "--input-fields is for the encoder",
        ),
    ],
)
def test_flags_that_make_no_sense(check: Check, flags: list[str], problem: str) -> None:
    code, out, err = check("train.jsonl", "validation.jsonl", *flags)
    assert (code, out) == (2, "")
    assert problem in err


def test_the_demo_passes(check: Check) -> None:
    names = ("train", "validation", "test")
    assert check(*(str(DEMO / f"{name}.jsonl") for name in names))[0] == 0


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
def test_the_real_corpus_passes(check: Check) -> None:
    corpus = REAL_DATA / "corpus"
    assert check(str(corpus / "weak_train.jsonl"), str(corpus / "weak_val.jsonl"))[0] == 0
    code, _, err = check(str(corpus / "weak_train.jsonl"), str(corpus / "pilot_train.jsonl"))
    assert code == 1
    assert "have the same file" in err
