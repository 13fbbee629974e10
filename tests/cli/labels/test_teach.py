"""iacfilter-teach: what it prints and refuses, and what is left of it after a kill or Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.cli.labels.teach import main
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.sample import read_samples, write_samples
from iacfilter_hpc.teaching.prompt import DEFAULT
from tests.cli.commands import PROGRAMS
from tests.samples.made import numbered
from tests.teaching.conftest import no_proxy  # noqa: F401 - a fixture
from tests.teaching.faulty_server import Answer, Bad, completion, serving

KEY = "sk-very-secret-0123456789"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def teach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command in a folder with samples.jsonl: nine that nobody has judged, three TP."""
    monkeypatch.chdir(tmp_path)
    made = [replace(s, label=None if i < 9 else "TP") for i, s in enumerate(numbered(0, 12))]
    write_samples(Path("samples.jsonl"), made)

    def run(*flags: str) -> tuple[int, str, str]:
        try:
            code = main(["samples.jsonl", *flags])
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


def to(url: str) -> tuple[str, ...]:
    return "-o", "taught.jsonl", "--url", url, "--model", "big"


def by_file(texts: dict[str, str]) -> Callable[[dict[str, Any], int], Answer]:
    """FP for all samples but some."""

    def respond(body: dict[str, Any], number: int) -> Answer:
        prompt = body["messages"][0]["content"]
        return completion(next((t for f, t in texts.items() if f in prompt), "Answer: FP"))

    return respond


def test_the_answer_as_text_and_as_json(teach: Command) -> None:
    texts = {"site-1/": "Answer: TP", "site-2/": "I cannot tell", "site-10/": "TP"}
    with serving(by_file(texts)) as server:
        prices = ("--price-in", "0.5", "--price-out", "2")
        code, out, err = teach(*to(server.url), *prices, "--disputed", "disputed.jsonl")
        assert (code, err) == (0, "")
        again, text, err = teach(*to(server.url), "--disputed", "disputed.jsonl", "--json")
        assert (again, err, len(server.bodies)) == (0, "", 12)
    lines = out.splitlines()
    digest = sha256_of(DEFAULT)
    assert lines[:9] == [
        "Wrote 11 labels to taught.jsonl",
        "  labels      2 TP, 9 FP",
        "  without     1, in disputed.jsonl: 1 no answer can be read",
        "  agreement   -",
        f"  teacher     big, 1 vote at temperature 0, prompt prompt.md.j2 ({digest[:12]})",
        "  answers     12 in taught.answers.jsonl, 12 of them new (12 requests)",
        "  tokens      1,200 of prompts, 120 of answers; cost 0.00084",
        "  agrees      with 1 of 3 labels that samples came with (0.333); TP taught FP: 2, "
        "FP taught TP: 0",
        "",
    ]
    one = read_samples(Path("disputed.jsonl"), unlabelled=True)[0]
    assert lines[10].split() == [
        *("3", one.file, "20", "0", "0", "1", "no", "answer", "can", "be", "read")
    ]
    document = json.loads(text)
    assert document["schema"] == 1 and document["labels"] == {"TP": 2, "FP": 9}
    assert document["unlabelled"] == {"undecided": 0, "unreadable": 1, "unanswered": 0}
    assert document["prompt"]["sha256"] == digest and document["cost"] is None
    assert (document["kept_answers"], document["new_answers"], document["requests"]) == (12, 0, 0)
    (row,) = document["without_label"]
    assert (row["sample"], row["key"], row["reason"]) == (3, one.key, "no answer can be read")
    assert len(read_samples(Path("taught.jsonl"))) == 11


def test_many_answers_that_cannot_be_read(teach: Command) -> None:
    with serving(lambda body, number: completion("Hm." if number % 4 == 0 else "TP")) as server:
        code, _, err = teach(*to(server.url), "--parallel", "1")
    assert code == 0 and err == (
        "warning: 3 of 12 answers cannot be read: see taught.answers.jsonl, the prompt and "
        "--max-tokens\n"
    )


def test_several_votes(teach: Command) -> None:
    with serving(lambda body, number: completion("FP" if number % 3 else "TP")) as server:
        flags = ("--votes", "3", "--parallel", "1", "--max-requests", "30")
        code, out, err = teach(*to(server.url), *flags)
    assert code == 0
    assert err == "warning: stopped at --max-requests, before all was asked: the same goes on\n"
    assert {body["temperature"] for body in server.bodies} == {0.7}
    assert "  without     2: 2 not all was answered" in out
    assert "  agreement   0.667 in the mean over labels" in out


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--max-cost", "1"), "error: --max-cost needs --price-in and --price-out\n"),
        (("--price-in", "1"), "error: --price-in and --price-out go together\n"),
        (
            ("--votes", "3", "--temperature", "0"),
            "error: --votes 3 at --temperature 0 pays several",
        ),
        (("--body", '{"n": 3, "model": "x"}'), "error: --body: model, n cannot be set\n"),
        (("--body", "[1]"), "--body: it is not an object"),
        (("--votes", "0"), "'0' is not a whole number from 1 to 99"),
        (("--min-agreement", "nan"), "'nan' is not a number from 0.5 to 1"),
        (("--key-env", "NOT_THERE"), "error: --key-env: the variable NOT_THERE is not set\n"),
        (("--url", "node7"), "error: --url is no address of HTTP\n"),
        (("--prompt", "none.j2"), "error: none.j2 cannot be read: No such file"),
        (("--output", "no/taught.jsonl"), "error: --output: no is not a directory"),
    ],
)
def test_what_is_refused_before_anything_is_asked(
    teach: Command, flags: tuple[str, ...], problem: str
) -> None:
    with serving(by_file({})) as server:
        code, out, err = teach(*to(server.url), *flags)
        assert not server.bodies
    assert (code, out) == (1 if "none.j2" in flags else 2, "")
    assert problem in err
    assert [path.name for path in Path().iterdir()] == ["samples.jsonl"]


def test_what_is_lacking_is_named(teach: Command) -> None:
    code, _, err = teach("--model", "big")
    assert code == 2 and "the following arguments are required: -o, --url" in err


def test_the_prompt_alone(teach: Command) -> None:
    Path("mine.j2").write_text("{{ sample.file }}?")
    code, out, _ = teach("--print-prompt", "--prompt", "mine.j2")
    assert (code, out) == (0, f"{read_samples(Path('samples.jsonl'), unlabelled=True)[0].file}?\n")
    code, out, _ = teach("--print-prompt", "--json")
    assert json.loads(out)["sha256"] == sha256_of(DEFAULT)


def test_the_key_goes_out_and_nowhere_else(teach: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    with serving(by_file({})) as server:
        teach(*to(server.url))
        assert "Authorization" not in server.headers[-1], "no key goes out unasked"
        monkeypatch.setenv("IACFILTER_TEACHER_KEY", KEY)
        _, out, err = teach(*to(server.url), "--temperature", "0.1", "--json")
        assert server.headers[-1]["Authorization"] == f"Bearer {KEY}"
        teach(*to(server.url), "--temperature", "0.2", "--key-env", "OPENAI_API_KEY")
        assert server.headers[-1]["Authorization"] == "Bearer sk-of-somebody-else"
    assert KEY not in out + err
    assert not any(KEY in path.read_text() for path in Path().iterdir())
    with serving(lambda body, number: Bad(401, f"no such key: {KEY}")) as server:
        code, out, err = teach(*to(server.url), "--temperature", "0.3")
    assert code == 1 and err.startswith(
        f"error: {server.url}: 401 Unauthorized: no such key: [key]"
    )


def start(url: str, *flags: str) -> subprocess.Popen[str]:
    program = [sys.executable, str(PROGRAMS / "iacfilter-teach"), "samples.jsonl", *to(url), *flags]
    return subprocess.Popen(program, stderr=subprocess.PIPE, text=True, env={**os.environ})


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_kill_loses_at_most_what_was_under_way(teach: Command, number: signal.Signals) -> None:
    slow = lambda body, number: Bad(body=completion("FP"), hang=0.05)  # noqa: E731
    with serving(slow) as server:
        going = start(server.url, "--votes", "5", "--parallel", "3")
        wait_for(lambda: len(server.bodies) >= 20)
        going.send_signal(number)
        _, err = going.communicate(timeout=30)
        assert not Path("taught.jsonl").exists()
        # what was sent before the end is still on its way to the server, or being answered
        time.sleep(0.3)
        wait_for(lambda: server.at_once == 0)
        asked = len(server.bodies)
        kept = len(Path("taught.answers.jsonl").read_bytes().splitlines())
        # of three under way each may have been answered, or the next one be
        assert 0 <= asked - kept <= 3
        code, out, _ = teach(*to(server.url), "--votes", "5", "--parallel", "3", "--json")
        assert code == 0 and len(server.bodies) == asked + 60 - kept
    if number is signal.SIGINT:
        assert going.returncode == 130
        assert err.splitlines()[-2:] == [
            "what is answered is kept in taught.answers.jsonl: the same command goes on",
            "interrupted",
        ]
    document = json.loads(out)
    assert (document["labels"]["FP"], document["kept_answers"]) == (12, 60)
    prompts = Counter(body["messages"][0]["content"] for body in server.bodies)
    assert set(prompts.values()) <= {5, 6, 7, 8} and prompts.total() <= 63
