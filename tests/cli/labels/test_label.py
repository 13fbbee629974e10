"""iacfilter-label: on a real terminal, killed and taken up again; with a list; as training data."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.verdicts.finding import Place
from iacfilter_hpc.verdicts.records import read_records
from iacfilter_hpc.verdicts.verdict import VERDICT, Decision, Verdict
from tests.cli.commands import iacfilter
from tests.verdicts.made_verdicts import AGAIN, HTTP, SECRET, judge, make_repository

KEYS = "t real  f false alarm"
SECONDS = 30
RUBY = Place("suspicious_comment", "scripts/cookbooks/a b/caf\u00e9:1.rb", 1)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


@pytest.fixture
def words(tmp_path: Path, scripts: Path) -> list[str]:
    return [str(tmp_path / "glitch.csv"), "--scripts", str(scripts), "--by", "ada"]


def verdicts(tmp_path: Path) -> list[Verdict]:
    return read_records(tmp_path / ".iacfilter/verdicts.jsonl", VERDICT)


class Terminal:
    """iacfilter-label on a pseudo-terminal of its own."""

    def __init__(self, *words: str, **variables: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "iacfilter_hpc.cli.labels.label", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **variables},
        )
        os.close(slave)
        self.text = ""

    def until(self, wanted: str) -> str:
        """What is shown from here up to these words."""
        deadline = time.monotonic() + SECONDS
        while wanted not in self.text:
            ready, _, _ = select.select([self.master], [], [], deadline - time.monotonic())
            assert ready, f"{wanted!r} did not come: {self.text!r}"
            try:
                self.text += os.read(self.master, 65536).decode()
            # a pseudo-terminal whose other end is closed
            except OSError:
                break
        shown, found, self.text = self.text.partition(wanted)
        assert found, shown
        return shown

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def page(self) -> str:
        """The next page."""
        return self.until(KEYS)

    def end(self) -> int:
        code = self.process.wait(SECONDS)
        os.close(self.master)
        return code


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    terminals: list[Terminal] = []
    yield terminals
    for each in terminals:
        if each.process.poll() is None:
            each.process.kill()
            each.end()


def cited(page: str) -> tuple[str, int]:
    found = re.search(r"\d+ of \d+: (.+):(\d+)\r", page)
    assert found, page
    return found[1], int(found[2])


def test_killed_in_the_middle_and_taken_up_again(
    tmp_path: Path, words: list[str], opened: list[Terminal]
) -> None:
    first = Terminal(*words)
    opened.append(first)
    pages = [first.page()]
    for key in "tfu":
        first.press(key)
        pages.append(first.page())
    first.process.send_signal(signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    kept = verdicts(tmp_path)
    assert [each.decision for each in kept] == [Decision.TP, Decision.FP, Decision.UNSURE]
    assert [(each.file, each.line) for each in kept] == [cited(page) for page in pages[:3]]
    second = Terminal(*words)
    opened.append(second)
    # the one that was shown when it was killed
    assert cited(second.page()) == cited(pages[3])
    # typed ahead, in one go, and mended
    second.press("nit is a mirrir\x7f\x7for\rf")
    second.until("\r\nnote: it is a mirror\r\n")
    second.page()
    second.press("q")
    second.until("1 answer kept in")
    assert second.end() == 0
    assert verdicts(tmp_path)[:3] == kept
    last = verdicts(tmp_path)[3]
    assert (last.decision, last.note, last.by) == (Decision.FP, "it is a mirror", "ada")


def test_a_page_shows_what_it_takes_to_decide(
    tmp_path: Path, words: list[str], opened: list[Terminal]
) -> None:
    page = ""
    terminal = Terminal(*words)
    opened.append(terminal)
    while "main.yml:9" not in page:
        page = terminal.page()
        terminal.press("s")
    assert '\x1b[1m>  9      password: "hunter,2"\x1b[0m' in page
    assert "\n   8      name: deploy" in page
    assert "hard-coded secret (sec_hard_secr)" in page
    assert "A credential is written into the code as a literal" in page
    assert "GLITCH says: password:'hunter,2'" in page
    terminal.process.send_signal(signal.SIGINT)
    assert "interrupted" in terminal.until("interrupted") + "interrupted"
    assert terminal.end() == 130
    assert not (tmp_path / ".iacfilter").exists()


def test_back_answers_again_and_skip_asks_another_time(
    tmp_path: Path, words: list[str], opened: list[Terminal]
) -> None:
    terminal = Terminal(*words)
    opened.append(terminal)
    first = cited(terminal.page())
    # nothing is before the first one
    terminal.press("b")
    assert cited(terminal.page()) == first
    terminal.press("t")
    second = cited(terminal.page())
    terminal.press("b")
    page = terminal.page()
    assert cited(page) == first and "answered: TP by ada" in page
    terminal.press("f")
    assert cited(terminal.page()) == second
    terminal.press("s")
    terminal.page()
    # keys that are none: End and F4 send letters too
    for key in ("x", "\x1b[F", "\x1bOS", "F"):
        terminal.press(key)
        terminal.page()
    terminal.press("\x04")
    assert terminal.end() == 0
    assert [each.decision for each in verdicts(tmp_path)] == [Decision.TP, Decision.FP]
    again = Terminal(*words)
    opened.append(again)
    assert cited(again.page()) == second


def test_after_ten_labels_it_says_what_they_came_to(
    tmp_path: Path, scripts: Path, opened: list[Terminal]
) -> None:
    (scripts / "many.yml").write_text("".join(f"url{n}: http://{n}.example\n" for n in range(12)))
    report = tmp_path / "many.csv"
    report.write_text("".join(f"many.yml,{n},sec_https,http\n" for n in range(1, 13)))
    terminal = Terminal(str(report), "--scripts", str(scripts))
    opened.append(terminal)
    for _ in range(10):
        terminal.page()
        terminal.press("f")
    shown = terminal.until("any key goes on")
    assert re.search(r"use of HTTP +0 +10 +0 +2", shown)
    terminal.press(" ")
    for _ in range(2):
        terminal.page()
        terminal.press("t")
    terminal.until("12 answers kept in")
    assert terminal.end() == 0


def test_nothing_in_a_script_moves_the_cursor(
    tmp_path: Path, scripts: Path, opened: list[Terminal]
) -> None:
    (scripts / "odd.yml").write_text("a: 1\npassword: 'x\x1b[2Jy\u202ez'\n" + f"b: {'c' * 500}\n")
    report = tmp_path / "odd.csv"
    report.write_text("odd.yml,2,sec_hard_pass,x\x1b]0;password\x07\n")
    terminal = Terminal(str(report), "--scripts", str(scripts), TERM="dumb")
    opened.append(terminal)
    page = terminal.page()
    assert "\x1b" not in page and "\x07" not in page and "\u202e" not in page
    assert r"password: 'x\x1b[2Jy\u202ez'" in page
    assert max(map(len, page.splitlines()[:8])) <= 80
    terminal.press("q")
    assert terminal.end() == 0


def test_without_a_terminal_a_list_is_asked_for(words: list[str]) -> None:
    done = iacfilter("label", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: labels are asked for on a terminal, and there is none\n"
        "hint: --answers FILE takes a list: file,line,smell,decision,note\n"
    )


def answered(tmp_path: Path, words: list[str], rows: str, code: int = 0) -> Any:
    path = tmp_path / "answers.csv"
    path.write_text(f"file,line,smell,decision,note\n{rows}")
    done = iacfilter("label", *words, "--answers", str(path), "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def test_a_list_answers(tmp_path: Path, words: list[str]) -> None:
    rows = f'{HTTP.file},4,sec_https,f,"a mirror, and fast"\n./{SECRET.file},9,,TP,\n'
    found = answered(tmp_path, words, rows)["labelled"]
    assert (found["given"], found["questions"], found["figures"]) == (2, 7, None)
    assert found["by_smell"]["use_of_http"] == {"tp": 0, "fp": 1, "unsure": 0, "left": 2}
    assert found["left_out"]["file is missing"] == 1
    notes = [(each.line, each.decision, each.note) for each in verdicts(tmp_path)]
    assert notes == [(4, "FP", "a mirror, and fast"), (9, "TP", None)]


def test_every_wrong_answer_is_named_and_none_is_kept(tmp_path: Path, words: list[str]) -> None:
    rows = f"{HTTP.file},4,,FP,\nx.yml,1,,TP,\n{HTTP.file},4,use_of_http,maybe,\n{HTTP.file},5\n"
    rows += f"{HTTP.file},4,hard_coded_secret,TP,\n{HTTP.file},4,,TP,\n"
    said = answered(tmp_path, words, rows, 1)
    path = tmp_path / "answers.csv"
    assert [line for line in said.splitlines() if line.startswith("error")] == [
        f"error: {path}:2: line 4 has findings of design_long_statement, use_of_http: name one",
        f"error: {path}:3: 'x.yml' has no finding in line '1'",
        f"error: {path}:4: decision is 'maybe', not TP, FP or unsure",
        f"error: {path}:5: it does not have 5 columns",
        f"error: {path}:6: '{HTTP.file}' has no finding in line '4' of 'hard_coded_secret'",
        f"error: {path}:7: line 4 has findings of design_long_statement, use_of_http: name one",
    ]
    assert not (tmp_path / ".iacfilter").exists()


def test_verdicts_become_training_data(tmp_path: Path, scripts: Path) -> None:
    judge(scripts, HTTP, Decision.FP, by="ada", at="2026-01-01T00:00:00Z")
    judge(scripts, HTTP, Decision.TP, by="bob", at="2026-01-02T00:00:00Z")
    judge(scripts, SECRET, Decision.TP)
    judge(scripts, RUBY, Decision.UNSURE)
    judge(scripts, AGAIN, Decision.FP)
    path = scripts / "roles/x/tasks/main.yml"
    path.write_text(path.read_text().replace("fetch it again", "fetch it twice"))
    out = tmp_path / "human.jsonl"
    words = ["--scripts", str(scripts), "--export", str(out), "--repo", "acme/site", "--json"]
    done = iacfilter("label", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["exported"] == {
        "file": str(out),
        "labels": {"TP": 2},
        "left_out": {
            "a person is unsure": 1,
            "it has expired: the block around its line has changed, or has a double": 1,
        },
    }
    first, second = read_samples(out)
    assert (first.smell, first.label, first.source, first.confidence) == (
        "hard_coded_secret",
        "TP",
        "human",
        1,
    )
    assert (second.label, second.confidence, second.repo) == ("TP", 0.5, "acme/site")
    assert second.content == "url: http://tools.example/a,b.tgz"
    # samples are asked about as rows are, and what has a verdict has its answer
    again = iacfilter("label", str(out), "--scripts", str(scripts.parent), "--by", "eve")
    assert "there is none" in again.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--scripts", "."], "error: there is nothing to label\nhint: name a report or samples"),
        (
            ["none.csv", "--scripts", ".", "--verdicts", "no/x"],
            "error: --verdicts no/x: there is no directory no\nhint: mkdir -p no",
        ),
        (["none.csv", "--scripts", "nowhere"], "error: --scripts nowhere is not a directory"),
        (["--scripts", ".", "--export", "no/x"], "error: --export no/x: there is no directory no"),
        (["--scripts", ".", "--export", "x", "--by", " "], "error: --by ' ' is not a name"),
        (["--scripts", ".", "--export", "x"], "error: {folder}/.iacfilter/verdicts.jsonl cannot"),
        (
            ["--scripts", ".", "--verdicts", "x", "--export", "x"],
            "error: --export x is an input\nhint: it would be overwritten",
        ),
    ],
)
def test_what_makes_no_sense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if "x" in flags:
        Path("x").touch()
    done = iacfilter("label", *flags)
    assert done.returncode in (1, 2) and done.stdout == ""
    assert done.stderr.startswith(says.replace("{folder}", str(tmp_path)))
