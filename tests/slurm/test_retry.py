"""iacfilter_hpc.slurm.retry: a controller that is away is asked again, and no other."""

from __future__ import annotations

import pytest

from iacfilter_hpc.errors import (
    SlurmError,
    SlurmMissing,
    SlurmRefused,
    SlurmUnanswered,
    SlurmUnreachable,
)
from iacfilter_hpc.slurm import retry
from iacfilter_hpc.slurm.client import garbled
from iacfilter_hpc.slurm.retry import retry_while_away


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "ASK_AGAIN_S", 0.01)
    monkeypatch.setattr(retry, "AWAY_S", 0.2)


class Asked:
    """A question that is answered by these, one after the other; the last one stays."""

    def __init__(self, *answers: SlurmError | str) -> None:
        self.answers = list(answers)
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, SlurmError):
            raise answer
        return answer


@pytest.mark.parametrize("away", [SlurmUnreachable("away"), SlurmUnanswered("no reply")])
def test_one_that_is_away_is_asked_again(
    quick: None, away: SlurmUnreachable, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(away, away, "an answer")
    assert retry_while_away(asked) == "an answer"
    assert asked.times == 3
    assert capsys.readouterr().err == f"{away.message}; asking again in 0 s\n" * 2


@pytest.mark.parametrize("no", [SlurmRefused("no"), SlurmMissing("missing"), garbled("x", "y")])
def test_another_answer_is_not_asked_for_again(quick: None, no: SlurmError) -> None:
    asked = Asked(no)
    with pytest.raises(type(no)):
        retry_while_away(asked)
    assert asked.times == 1


def test_one_that_stays_away_is_given_up(quick: None) -> None:
    asked = Asked(SlurmUnreachable("away"))
    with pytest.raises(SlurmUnreachable, match="away"):
        retry_while_away(asked)
    assert asked.times > 2


def test_a_request_that_may_stand_is_not_made_again(quick: None) -> None:
    first, again = Asked(SlurmUnanswered("no reply")), Asked(SlurmUnreachable("away"), "found")
    assert retry_while_away(first, again=again) == "found"
    assert (first.times, again.times) == (1, 2)
