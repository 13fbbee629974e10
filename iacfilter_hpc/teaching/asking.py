"""Asking: questions to an endpoint, several at once, with retries and limits; answers to a file.

Until the first answer there is one question at a time: a wrong address, key or model costs one
request, and a limit on costs has a price to reckon with before many are under way.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from iacfilter_hpc.errors import IacfilterError, counted
from iacfilter_hpc.runs.records import now
from iacfilter_hpc.teaching.answer_file import Answer, AnswerFile, Vote
from iacfilter_hpc.teaching.cost import Spending, Stop
from iacfilter_hpc.teaching.endpoint import (
    Client,
    Endpoint,
    Later,
    Refused,
    Rejected,
    Reply,
    Unlike,
    Unreached,
)

Say = Callable[[str], None]
MOST_IN_A_ROW = 5
"""Questions without an answer, one after another, after which the endpoint is given up."""
LONGEST_WAIT = 600.0
"""Seconds for which an endpoint may ask to be left alone; for longer it is better asked later."""
NEWS_SECONDS = 10.0
SETTINGS = "see --url (up to /v1), --model, --body and the key"
AGAIN = "run the command again: what is answered is not asked anew"


@dataclass(frozen=True, slots=True)
class Retries:
    """Retries of a request: how many tries in all, and how many seconds lie between them."""

    tries: int = 8
    first: float = 1.0
    most: float = 60.0

    def wait(self, tried: int, asked_for: float | None) -> float:
        """Seconds before the next try: as the endpoint asks, else twice as many as before."""
        # jitter: what failed together would else come back together
        if asked_for is not None:
            return asked_for + random.uniform(0, self.first)
        return min(self.most, self.first * 2.0 ** (tried - 1)) * random.uniform(0.5, 1)


@dataclass(frozen=True, slots=True)
class Question:
    """Question: what a vote's answer is kept under, and the body of its request."""

    vote: Vote
    prompt: str
    model: str
    body: Mapping[str, object]

    def answered(self, raw: str, seconds: float) -> Answer:
        """The answer to it, as it is kept."""
        return Answer(
            sample=self.vote.sample,
            request=self.vote.request,
            vote=self.vote.number,
            prompt=self.prompt,
            model=self.model,
            asked_at=now(),
            seconds=round(seconds, 3),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """Asked: how many answers are new, how many requests that took, and why it ended early, if so.

    `refused` questions have no answer, though they were asked.
    """

    answered: int
    requests: int
    refused: int
    stop: Stop | None


def ask_all(
    questions: Sequence[Question],
    endpoint: Endpoint,
    file: AnswerFile,
    spending: Spending,
    *,
    parallel: int,
    say: Say,
    retries: Retries | None = None,
) -> Asked:
    """Ask until all are answered or a limit is reached; each answer is in `file` at once.

    Raises:
        IacfilterError: the endpoint refuses all requests or gives no more answers, or an answer
            cannot be written.
    """
    asking = _Asking(questions, endpoint, file, spending, say, retries or Retries())
    if questions:
        asyncio.run(asking.run(parallel))
    if asking.failure is not None:
        raise asking.failure
    return asking.outcome()


class _Asking:
    def __init__(
        self,
        questions: Sequence[Question],
        endpoint: Endpoint,
        file: AnswerFile,
        spending: Spending,
        say: Say,
        retries: Retries,
    ) -> None:
        self._left = deque(questions)
        self._count = len(questions)
        self._endpoint = endpoint
        self._file = file
        self._spending = spending
        self._say = say
        self._retries = retries
        self._not_before = 0.0
        self._in_a_row = 0
        self._news_at = time.monotonic() + NEWS_SECONDS
        self._stop: Stop | None = None
        self.answered = 0
        self.refused = 0
        self.failure: IacfilterError | None = None

    def outcome(self) -> Asked:
        """What came of it."""
        # near a limit some stop asking, and the others may yet come to the end
        stop = self._stop if self._left else None
        return Asked(self.answered, self._spending.requests, self.refused, stop)

    async def run(self, parallel: int) -> None:
        """Ask one by one until one is answered, then all others, so many at once."""
        async with Client(self._endpoint, parallel) as client, asyncio.TaskGroup() as group:
            while not self.answered and await self._next(client):
                pass
            for _ in range(parallel):
                group.create_task(self._work(client))

    async def _work(self, client: Client) -> None:
        while await self._next(client):
            pass

    async def _next(self, client: Client) -> bool:
        """Ask the next question; False if there is none, or none may be asked."""
        if self.failure is not None or not self._left or self._is_over():
            return False
        if self._spending.is_blind:
            self._fail("it counts no tokens, so --max-cost cannot be kept", "use --max-requests")
            return False
        question = self._left.popleft()
        try:
            reply, seconds = await self._reply(client, question)
        except _Over:
            self._left.append(question)
            return False
        except Rejected as error:
            self._fail(str(error), SETTINGS)
        except Refused as error:
            self._miss(question, str(error))
        except Later as error:
            # all tries of the first one: the others would wait as long, one after another
            if not self.answered:
                self._fail(str(error), AGAIN)
            self._miss(question, str(error))
        else:
            self._keep(question, reply, seconds)
        return True

    def _is_over(self) -> bool:
        found = self._spending.stop()
        self._stop = self._stop or found
        return found is not None

    async def _reply(self, client: Client, question: Question) -> tuple[Reply, float]:
        """The reply to a question, after as many tries as it takes."""
        for tried in range(1, self._retries.tries + 1):
            await self._until_allowed()
            if self.failure is not None or self._is_over():
                raise _Over
            started = time.monotonic()
            self._spending.begin()
            try:
                return await client.ask(question.body), time.monotonic() - started
            except Later as error:
                # before any answer it is more likely a slip than bad luck
                if not self.answered and isinstance(error, Unreached | Unlike):
                    raise Rejected(str(error)) from error
                if tried == self._retries.tries:
                    raise
                self._put_off(error, tried)
            finally:
                self._spending.end()
        raise AssertionError("the last try returns or raises")

    async def _until_allowed(self) -> None:
        # a second at a time: what ends all of it must not wait for the longest pause
        while self.failure is None and (left := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 1.0))

    def _put_off(self, error: Later, tried: int) -> None:
        """Have all requests wait, as whatever ails the endpoint ails it for all of them."""
        if error.wait is not None and error.wait > LONGEST_WAIT:
            self._fail(f"{error}; it asks to wait {error.wait:.0f} s", "run the command again then")
            return
        wait = self._retries.wait(tried, error.wait)
        self._not_before = max(self._not_before, time.monotonic() + wait)
        self._say(f"{error}; again in {wait:.0f} s (try {tried} of {self._retries.tries})")

    def _keep(self, question: Question, reply: Reply, seconds: float) -> None:
        try:
            self._file.add(question.answered(reply.raw, seconds))
        except IacfilterError as error:
            self.failure = error
            return
        self._spending.count(reply.completion)
        self.answered += 1
        self._in_a_row = 0
        if time.monotonic() >= self._news_at:
            self._news_at = time.monotonic() + NEWS_SECONDS
            self._say(f"{self.answered} of {self._count} answered")

    def _miss(self, question: Question, problem: str) -> None:
        """A question stays without an answer; the endpoint is given up after several in a row."""
        self.refused += 1
        self._in_a_row += 1
        self._say(f"sample {question.vote.sample}: {problem}")
        if self._in_a_row >= MOST_IN_A_ROW:
            self._fail(problem, AGAIN if self.answered else SETTINGS)

    def _fail(self, problem: str, hint: str) -> None:
        if self.failure is not None:
            return
        if self._file.answers:
            kept = counted(len(self._file.answers), "answer is", "answers are")
            hint = f"{hint}\n{kept} kept in {self._file.path}"
        self.failure = IacfilterError(f"{self._endpoint.url}: {problem}", hint=hint)


class _Over(Exception):
    """A limit was reached, or the endpoint given up, while a question waited."""
