"""Teaching by a server that answers well and badly: labels, retries, limits, and what is kept."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from iacfilter_hpc.errors import DataError, IacfilterError, UsageError
from iacfilter_hpc.samples.sample import Sample, read_samples, write_samples
from iacfilter_hpc.teaching.answer_file import opened
from iacfilter_hpc.teaching.cost import Limits, Prices, Stop, Usage
from iacfilter_hpc.teaching.endpoint import MAX_ANSWER_BYTES, endpoint_of
from iacfilter_hpc.teaching.verdicts import NoLabel
from tests.teaching.conftest import Teach
from tests.teaching.faulty_server import Answer, Bad, completion, serving

KEY = "sk-very-secret-0123456789"
PRICES = Prices(10.0, 100.0)
"""Each answer of the server costs 100 x 10 + 10 x 100 = 2,000 / 1,000,000 = 0.002."""


def tp(body: dict[str, Any], number: int) -> Answer:
    return completion("TP")


def first(bad: Answer, times: int = 1) -> Callable[[dict[str, Any], int], Answer]:
    """Bad at first, and well from then on."""
    return lambda body, number: bad if number < times else completion("TP")


def place_of(body: dict[str, Any], samples: list[Sample]) -> int:
    """Which of the samples a request is about."""
    prompt = body["messages"][0]["content"]
    (found,) = [i for i, sample in enumerate(samples) if sample.file in prompt]
    return found


def by_votes(samples: list[Sample], texts: dict[int, list[str]]) -> Callable[..., Answer]:
    """The texts of each sample, one after another; TP for samples that have none."""
    asked: Counter[int] = Counter()

    def respond(body: dict[str, Any], number: int) -> Answer:
        place = place_of(body, samples)
        text = texts.get(place, ["TP"] * 9)[asked[place]]
        asked[place] += 1
        return completion(text)

    return respond


def test_labels_and_what_they_rest_on(taught: Teach, samples: list[Sample], tmp_path: Path) -> None:
    texts = {
        0: ["Answer: FP", "FP", "**FP**"],
        1: ["TP", "FP", "FP"],
        2: ["TP", "FP", "I cannot tell"],
        3: ["?", "", "I cannot tell"],
    }
    with serving(by_votes(samples, texts)) as server:
        done = taught(
            server.url, votes=3, parallel=1, limits=Limits(prices=PRICES), temperature=0.5
        )
    assert server.paths == ["/v1/chat/completions"] * 36
    body = server.bodies[0]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("teacher", 0.5, 1024)
    assert "Authorization" not in server.headers[0]
    assert done.labels == {"TP": 8, "FP": 2, NoLabel.UNDECIDED: 1, NoLabel.UNREADABLE: 1}
    assert done.usage == Usage(3600, 360) and done.cost == pytest.approx(36 * 0.002)
    written = read_samples(tmp_path / "taught.jsonl", unlabelled=True)
    assert [each.label for each in written] == ["FP", "FP", None, None, *["TP"] * 8]
    sure = [each.confidence for each in written]
    assert sure == [1.0, 0.667, None, None, *[1.0] * 8]
    assert {each.source for each in written} == {
        f"teacher:teacher prompt:{done.prompt.sha256[:12]}"
    }
    plain = [replace(s, label=None, confidence=None, source="test") for s in written]
    assert plain == samples
    lines = (tmp_path / "taught.answers.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert len(kept) == 36 and {line["prompt"] for line in kept} == {done.prompt.sha256}
    assert json.loads(kept[0]["raw"])["choices"][0]["message"]["content"] == "Answer: FP"


def test_what_is_disputed_goes_aside(taught: Teach, samples: list[Sample], tmp_path: Path) -> None:
    texts = {0: ["TP", "FP", "FP"], 2: ["", "", ""]}
    aside = tmp_path / "disputed.jsonl"
    with serving(by_votes(samples, texts)) as server:
        taught(server.url, votes=3, temperature=1, disputed=aside, agreement=1.0)
    assert len(read_samples(tmp_path / "taught.jsonl")) == 10
    (one, other) = read_samples(aside, unlabelled=True)
    assert (one.key, other.key) == (samples[0].key, samples[2].key)
    assert one.label is other.label is one.confidence is None


def test_one_vote_says_nothing_of_how_sure_it_is(taught: Teach, tmp_path: Path) -> None:
    with serving(tp) as server:
        taught(server.url)
    assert {s.confidence for s in read_samples(tmp_path / "taught.jsonl")} == {None}


def test_nothing_is_asked_twice(taught: Teach, tmp_path: Path) -> None:
    with serving(tp) as server:
        first_time = taught(server.url)
        assert len(server.bodies) == 12 and first_time.asked.answered == 12
        text = (tmp_path / "taught.jsonl").read_bytes()
        again = taught(server.url)
        assert len(server.bodies) == 12 and again.asked.requests == 0
        assert (tmp_path / "taught.jsonl").read_bytes() == text and again.answers == 12
        # at the same temperature, so that the first votes are votes of three as well
        more = taught(server.url, votes=3)
        assert len(server.bodies) == 36 and (more.asked.answered, more.answers) == (24, 36)
        # what would be another question is asked
        taught(server.url, temperature=0.1)
        assert len(server.bodies) == 48
        taught(server.url, model="other")
        assert len(server.bodies) == 60


def test_equal_samples_are_asked_about_once(
    taught: Teach, samples: list[Sample], tmp_path: Path
) -> None:
    write_samples(tmp_path / "samples.jsonl", [samples[0], samples[1], samples[0]])
    with serving(tp) as server:
        done = taught(server.url)
    assert len(server.bodies) == 2 and done.labels == {"TP": 3}


def test_a_line_that_a_kill_cut_short_is_asked_for_again(taught: Teach, tmp_path: Path) -> None:
    path = tmp_path / "taught.answers.jsonl"
    with serving(tp) as server:
        taught(server.url)
        whole = path.read_bytes()
        path.write_bytes(whole[:-30])
        assert taught(server.url).asked.answered == 1
        assert len(path.read_bytes().splitlines()) == 12
        damaged = path.read_bytes().replace(b'"vote": 0', b'"vote": "0"', 1)
        path.write_bytes(damaged + b"{}\n")
        with pytest.raises(DataError) as error:
            taught(server.url)
    assert f'{path}:1: vote is "0"' in str(error.value)
    assert f"{path}:13: schema" in str(error.value)
    assert path.read_bytes() == damaged + b"{}\n", "what cannot be read is not thrown away"


def test_only_one_writes_a_file_of_answers(taught: Teach, tmp_path: Path) -> None:
    with opened(tmp_path / "taught.answers.jsonl"), serving(tp) as server:
        with pytest.raises(IacfilterError, match="in use: another iacfilter-teach writes it"):
            taught(server.url)
        assert not server.bodies


@pytest.mark.parametrize(
    ("bad", "news"),
    [
        (Bad(429, headers=(("Retry-After", "0"),)), "429 Too Many Requests: {}; again in 0 s"),
        (Bad(500, "<h1>oops</h1>\n\n"), "500 Internal Server Error: <h1>oops</h1>; again"),
        (Bad(503), "503 Service Unavailable"),
        (Bad(body=completion("TP"), cut_at=40), "the connection broke off: peer closed"),
        (Bad(cut_at=0, body=""), "its answer is no chat completion: not JSON"),
        (Bad(body=completion("TP"), hang=0.6), "no answer within 0.5 s"),
        (completion("TP")[:-5], "its answer is no chat completion: not JSON"),
        ('{"error": "upstream"}', "choices.0.message is missing"),
        (Bad(body='{"a": "\udcff"}'), "its answer is not UTF-8"),
    ],
)
def test_a_bad_moment_is_sat_out(bad: Answer, news: str, taught: Teach, said: list[str]) -> None:
    """After a first good answer, before which some of these are taken for a wrong address."""

    def respond(body: dict[str, Any], number: int) -> Answer:
        return bad if number in (3, 4) else completion("TP")

    with serving(respond) as server:
        done = taught(server.url, timeout=0.5)
    assert done.labels == {"TP": 12}
    assert (done.asked.answered, done.asked.requests, done.asked.refused) == (12, 14, 0)
    assert sum(news in line for line in said) == 2, said


def test_retry_after_is_kept_by_all(taught: Teach) -> None:
    """As seconds or as a date: nobody asks before it has passed."""
    for wait in ("1", None):
        # dates have whole seconds: of the next but one, a little more than one is left at least
        then = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        header = wait or then
        times: list[float] = []

        def respond(body: Any, number: int, times: list[float] = times, by: str = header) -> Answer:
            times.append(time.monotonic())
            return Bad(429, headers=(("Retry-After", by),)) if number == 0 else completion("TP")

        with serving(respond) as server:
            taught(server.url, model=header)
        assert 0.9 < min(times[1:]) - times[0] < 4


def test_an_endpoint_that_wants_to_be_left_alone(taught: Teach) -> None:
    bad = Bad(429, '{"error": "quota"}', (("Retry-After", "86400"),))
    with serving(first(bad)) as server:
        with pytest.raises(IacfilterError, match="it asks to wait 86400 s") as error:
            taught(server.url)
        assert len(server.bodies) == 1
        assert "run the command again then" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (Bad(401, f'{{"error": "Incorrect API key provided: {KEY}"}}'), "401 Unauthorized"),
        (Bad(404, '{"detail": "Not Found"}'), "404 Not Found"),
        (Bad(body="<html>"), "no chat completion"),
        (Bad(body="[]"), "no chat completion"),
        (
            Bad(307, headers=(("Location", "http://elsewhere.example/v1"),)),
            "redirects to http://el",
        ),
        (Bad(body="x" * (MAX_ANSWER_BYTES + 1)), "longer than 8 MiB"),
    ],
)
def test_a_slip_costs_one_request(
    bad: Answer, problem: str, taught: Teach, said: list[str], tmp_path: Path
) -> None:
    with serving(lambda body, number: bad) as server:
        with pytest.raises(IacfilterError, match=problem) as error:
            taught(server.url, key=KEY)
        assert len(server.bodies) == 1
        assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in f"{error.value} {error.value.hint} {said}"
    assert not (tmp_path / "taught.jsonl").exists()
    assert (tmp_path / "taught.answers.jsonl").read_bytes() == b""


def test_nobody_listens(taught: Teach) -> None:
    with serving(tp) as server:
        url = server.url
    with pytest.raises(IacfilterError, match="cannot be reached"):
        taught(url)


def test_a_proxy_that_stands_in_the_way(taught: Teach, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the environment's, as for any program; of what it does not reach, it is named."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(tp) as server:
        with pytest.raises(IacfilterError, match=r"through the proxy of \$http_proxy"):
            taught(server.url)
        assert not server.bodies
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        taught(server.url)
        assert len(server.bodies) == 12


def test_the_key_does_not_follow_a_redirect(taught: Teach) -> None:
    """Neither to another host nor later, once answers came."""
    with serving(tp) as other:
        leads = Bad(308, headers=(("Location", f"http://localhost:{other.port}/v1"),))

        def respond(body: dict[str, Any], number: int) -> Answer:
            return leads if number == 2 else completion("TP")

        with serving(respond) as server, pytest.raises(IacfilterError, match="not followed"):
            taught(server.url, key=KEY)
        assert not other.bodies


def test_the_key_is_kept_nowhere(taught: Teach, said: list[str], tmp_path: Path) -> None:
    """Though the server repeats it in its answers."""
    with serving(lambda body, number: completion(f"{KEY}\nTP")) as server:
        done = taught(server.url, key=KEY)
    assert done.labels == {"TP": 12}
    for path in tmp_path.iterdir():
        assert KEY not in path.read_text(), path
    assert KEY not in f"{said} {done!r}"
    assert "[key]" in (tmp_path / "taught.answers.jsonl").read_text()


def test_a_sample_that_is_refused_has_no_label(
    taught: Teach, samples: list[Sample], said: list[str]
) -> None:
    def respond(body: dict[str, Any], number: int) -> Answer:
        long = Bad(400, '{"error": "the prompt is too long"}')
        return long if place_of(body, samples) in (0, 5) else completion("TP")

    with serving(respond) as server:
        done = taught(server.url)
        assert done.labels == {"TP": 10, NoLabel.UNANSWERED: 2}
        assert len(server.bodies) == 12, "what is refused is not tried again"
        assert taught(server.url).asked.refused == 2, "but in the next call"
    assert f"sample {samples[5].key}: 400 Bad Request: " in "\n".join(said)


def test_a_field_that_an_endpoint_does_not_take(taught: Teach) -> None:
    """It is refused with every sample, which a few of them tell."""
    bad = Bad(400, '{"error": "no max_tokens here"}')
    with serving(lambda body, number: bad) as server:
        with pytest.raises(IacfilterError, match=r"400 Bad Request: .*no max_tokens here"):
            taught(server.url)
        assert len(server.bodies) == 5


def test_an_endpoint_that_has_died_is_given_up(taught: Teach, tmp_path: Path) -> None:
    with serving(lambda body, number: completion("TP") if number < 4 else Bad(500)) as server:
        with pytest.raises(IacfilterError, match="500 Internal") as error:
            taught(server.url, parallel=1)
        # five questions, three tries each
        assert len(server.bodies) == 4 + 15
    assert "4 answers are kept in" in (error.value.hint or "")
    with serving(tp) as server:
        assert taught(server.url).asked.answered == 8


def test_so_many_at_once(taught: Teach) -> None:
    with serving(lambda body, number: Bad(body=completion("TP"), hang=0.05)) as server:
        taught(server.url, parallel=4)
    assert server.most_at_once == 4


def test_a_limit_of_requests(taught: Teach) -> None:
    with serving(first(Bad(500), times=2)) as server:
        done = taught(server.url, limits=Limits(max_requests=7))
        assert len(server.bodies) == 7 and done.asked.stop is Stop.MAX_REQUESTS
        assert done.labels == {"TP": 5, NoLabel.UNANSWERED: 7}
        done = taught(server.url, limits=Limits(max_requests=7))
        assert done.asked.stop is None and done.labels == {"TP": 12}


def test_a_limit_of_costs(taught: Teach) -> None:
    limits = Limits(prices=PRICES, max_cost=0.0101)
    with serving(lambda body, number: Bad(body=completion("TP"), hang=0.02)) as server:
        done = taught(server.url, parallel=8, limits=limits)
        assert len(server.bodies) == 5 and done.cost == pytest.approx(0.01)
        assert done.asked.stop is Stop.MAX_COST
        # of all answers: another call spends nothing more
        again = taught(server.url, parallel=8, limits=limits)
        assert len(server.bodies) == 5 and again.asked.stop is Stop.MAX_COST
        done = taught(server.url, limits=Limits(prices=PRICES, max_cost=0.024))
        assert len(server.bodies) == 12 and done.asked.stop is None


def test_a_limit_of_costs_that_nobody_can_count(taught: Teach) -> None:
    limits = Limits(prices=PRICES, max_cost=1.0)
    with serving(lambda body, number: completion("TP", usage=None)) as server:
        for _ in range(2):
            with pytest.raises(IacfilterError, match="counts no tokens"):
                taught(server.url, limits=limits)
        assert len(server.bodies) == 1
        done = taught(server.url)
    assert done.usage == Usage(0, 0, uncounted=12)


def test_the_body_may_have_more_and_less(taught: Teach) -> None:
    body = {"max_tokens": None, "max_completion_tokens": 9, "top_p": 0.5}
    with serving(tp) as server:
        taught(server.url, body=body)
    assert server.bodies[0].keys() == {
        *("model", "messages", "temperature", "max_completion_tokens", "top_p")
    }


def test_labels_that_samples_came_with_are_compared(
    taught: Teach, samples: list[Sample], tmp_path: Path
) -> None:
    given = [replace(s, label="FP" if i < 4 else "TP") for i, s in enumerate(samples)]
    write_samples(tmp_path / "samples.jsonl", given)
    with serving(by_votes(samples, {0: ["FP"], 11: ["?"]})) as server:
        done = taught(server.url)
    assert done.earlier_labels == {("FP", "FP"): 1, ("FP", "TP"): 3, ("TP", "TP"): 7}


@pytest.mark.parametrize(
    ("disputed", "problem"),
    [
        ("samples.jsonl", "--disputed and SAMPLES are the same file"),
        ("taught.jsonl", "--output and --disputed are the same file"),
        ("taught.answers.jsonl", "--disputed and the file of answers are the same file"),
        ("no/disputed.jsonl", "--disputed: .*no is not a directory"),
    ],
)
def test_outputs_that_would_overwrite_something(
    disputed: str, problem: str, taught: Teach, tmp_path: Path
) -> None:
    with serving(tp) as server:
        with pytest.raises(UsageError, match=problem):
            taught(server.url, disputed=tmp_path / disputed)
        assert not server.bodies


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("node7:8000/v1", "no address of HTTP"),
        ("ftp://node7/v1", "no address of HTTP"),
        ("http:///v1", "no address of HTTP"),
        ("http://node7:99999/v1", "no address of HTTP"),
        ("http://[::1/v1", "no address of HTTP"),
        (f"https://user:{KEY}@node7/v1", "--url holds more"),
        (f"https://node7/v1?key={KEY}", "--url holds more"),
    ],
)
def test_an_address_that_is_none(url: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as error:
        endpoint_of(url, None, 1)
    assert KEY not in f"{error.value} {error.value.hint}"


@pytest.mark.parametrize("key", ["a\nb-secret", "k\u00e9y-secret", "two words"])
def test_a_key_that_no_header_can_hold(key: str) -> None:
    with pytest.raises(UsageError, match="the key holds characters") as error:
        endpoint_of("http://node7/v1", key, 1)
    assert key not in str(error.value)
