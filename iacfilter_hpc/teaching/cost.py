"""Cost of a teacher: tokens, prices, and the limits at which no more is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from iacfilter_hpc.teaching.verdicts import Completion

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a million tokens of prompts and of completions, in any currency."""

    prompt: float
    completion: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of some answers; `uncounted` answers came without a count."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0

    @classmethod
    def of(cls, completions: Iterable[Completion]) -> Usage:
        """Tokens of all of these."""
        total = cls()
        for each in completions:
            total = total.plus(each)
        return total

    def plus(self, completion: Completion) -> Usage:
        """With those of one more."""
        prompt, answer = completion.prompt_tokens, completion.completion_tokens
        if prompt is None or answer is None:
            return Usage(self.prompt_tokens, self.completion_tokens, self.uncounted + 1)
        return Usage(self.prompt_tokens + prompt, self.completion_tokens + answer, self.uncounted)

    def cost(self, prices: Prices) -> float:
        """What these tokens cost."""
        asked = self.prompt_tokens * prices.prompt
        return (asked + self.completion_tokens * prices.completion) / MILLION


class Stop(StrEnum):
    """Reason to ask no more, though questions are left: which limit was reached."""

    MAX_COST = "max-cost"
    MAX_REQUESTS = "max-requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits: the most that the answers to all questions may cost, and the most requests of a call.

    `max_cost` needs `prices`. None is no limit.
    """

    prices: Prices | None = None
    max_cost: float | None = None
    max_requests: int | None = None


class Spending:
    """Spending so far against its limits; what is under way counts as the dearest answer so far."""

    def __init__(self, limits: Limits, known: Iterable[Completion]) -> None:
        self._limits = limits
        self._dearest = 0.0
        self._under_way = 0
        self.requests = 0
        self.usage = Usage()
        for completion in known:
            self.count(completion)

    @property
    def cost(self) -> float | None:
        """What all answers cost; None without prices."""
        prices = self._limits.prices
        return None if prices is None else self.usage.cost(prices)

    @property
    def is_blind(self) -> bool:
        """Whether a limit on costs cannot be kept, as answers came without counts of tokens."""
        return self._limits.max_cost is not None and self.usage.uncounted > 0

    def stop(self) -> Stop | None:
        """The limit that one more request would exceed, if any."""
        limits = self._limits
        if limits.max_requests is not None and self.requests >= limits.max_requests:
            return Stop.MAX_REQUESTS
        if limits.max_cost is None or self.cost is None:
            return None
        # requests under way have no price yet: without this, many at once would all be let through
        expected = self.cost + self._dearest * (self._under_way + 1)
        spent = self.cost >= limits.max_cost
        return Stop.MAX_COST if spent or expected > limits.max_cost else None

    def begin(self) -> None:
        """A request is sent."""
        self.requests += 1
        self._under_way += 1

    def end(self) -> None:
        """A request has ended, well or not."""
        self._under_way -= 1

    def count(self, completion: Completion) -> None:
        """Add an answer."""
        self.usage = self.usage.plus(completion)
        if (prices := self._limits.prices) is not None:
            self._dearest = max(self._dearest, Usage().plus(completion).cost(prices))
