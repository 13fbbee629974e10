"""Teach: samples to labels, by several votes of a teacher on each; what is answered is never lost.

The answers are kept beside the labels and counted anew each time, so that a call that was stopped
goes on, and more votes ask for those that lack alone.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from iacfilter_hpc.errors import DataError, UsageError, together
from iacfilter_hpc.runs.files import replacing
from iacfilter_hpc.samples.sample import Label, Sample, SampleFile, read_sample_file, text_of
from iacfilter_hpc.teaching.answer_file import AnswerFile, Vote, opened
from iacfilter_hpc.teaching.asking import Asked, Question, Retries, Say, ask_all
from iacfilter_hpc.teaching.cost import Limits, Spending, Usage
from iacfilter_hpc.teaching.endpoint import Endpoint
from iacfilter_hpc.teaching.prompt import Prompt, read_prompt
from iacfilter_hpc.teaching.verdicts import NoLabel, Votes

ANSWERS = ".answers.jsonl"
"""What takes the place of the output's suffix in the name of the file of raw answers."""
OURS = ("model", "messages", "stream", "n")
"""Fields of a request that are not for --body: labels rest on what is known of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Asking: the model, and how it is asked. `body` are further fields; null takes one away."""

    model: str
    votes: int = 1
    temperature: float = 0.0
    max_tokens: int = 1024
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachRequest:
    """Request for labels. `disputed` takes the samples without one, which else are in `output`.

    `prompt` None is the shipped template; `agreement` the least share of votes behind a label.
    """

    samples: Path
    output: Path
    endpoint: Endpoint
    asking: Asking
    disputed: Path | None = None
    prompt: Path | None = None
    agreement: float = 0.0
    limits: Limits = field(default_factory=Limits)
    parallel: int = 4
    retries: Retries = field(default_factory=Retries)

    @property
    def answers(self) -> Path:
        """The file of raw answers, beside the output."""
        return self.output.with_suffix(ANSWERS)


@dataclass(frozen=True, slots=True)
class Judged:
    """Judged sample: as it was given, the votes on it, and the label or the reason for none."""

    sample: Sample
    votes: Votes
    outcome: Label | NoLabel


@dataclass(frozen=True, slots=True)
class Taught:
    """Taught: every sample in its order, and what it took. `cost` is None without prices.

    `usage` and `cost` are of all answers that the labels rest on, those of earlier calls included.
    """

    request: TeachRequest
    prompt: Prompt
    judged: tuple[Judged, ...]
    asked: Asked
    answers: int
    usage: Usage
    cost: float | None

    @property
    def labels(self) -> Counter[Label | NoLabel]:
        """Samples by label or reason for none."""
        return Counter(each.outcome for each in self.judged)

    @property
    def earlier_labels(self) -> Counter[tuple[Label, Label]]:
        """Samples by the label that they came with and the one that they got, where both are."""
        return Counter(
            (each.sample.label, each.outcome)
            for each in self.judged
            if each.sample.label is not None and not isinstance(each.outcome, NoLabel)
        )


def teach(request: TeachRequest, say: Say) -> Taught:
    """Ask for what has no answer yet, count the votes, and write the samples with their labels.

    Raises:
        DataError: wrong samples, or answers that cannot be read (all lines are named).
        UsageError: a template that is none, or outputs that would overwrite one another.
        IacfilterError: the endpoint gives no answers; no samples are written then.
    """
    _check_outputs(request)
    file = read_sample_file(request.samples, unlabelled=True)
    prompt = read_prompt(request.prompt)
    questions = list(_questions(file, prompt, request.asking))
    with opened(request.answers) as (answers, is_locked):
        if not is_locked:
            say(f"warning: {answers.path}: no locks here, so start no second iacfilter-teach on it")
        spending, asked = _ask(request, _distinct(questions), answers, say)
        judged = tuple(_judged(request, file.samples, questions, answers))
        _write(request, judged, prompt)
        kept = len({question.vote for question in questions} & answers.answers.keys())
    return Taught(request, prompt, judged, asked, kept, spending.usage, spending.cost)


def request_body(asking: Asking, prompt: str) -> dict[str, object]:
    """The body of a request: the prompt as the user's message, and how it is to be answered."""
    body: dict[str, object] = {
        "model": asking.model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": asking.temperature,
        "max_tokens": asking.max_tokens,
        **asking.body,
    }
    return {name: value for name, value in body.items() if value is not None}


def _ask(
    request: TeachRequest, questions: Sequence[Question], answers: AnswerFile, say: Say
) -> tuple[Spending, Asked]:
    known = [answers.answers[q.vote] for q in questions if q.vote in answers.answers]
    spending = Spending(request.limits, (answer.completion for answer in known))
    missing = [question for question in questions if question.vote not in answers.answers]
    asked = ask_all(
        missing,
        request.endpoint,
        answers,
        spending,
        parallel=request.parallel,
        say=say,
        retries=request.retries,
    )
    return spending, asked


def _questions(file: SampleFile, prompt: Prompt, asking: Asking) -> Iterator[Question]:
    """A question for each vote on each sample, in their order; equal samples have equal ones.

    Raises:
        DataError: prompts that cannot be made (all are named).
    """
    problems: list[DataError] = []
    for sample in file.samples:
        try:
            body = request_body(asking, prompt.ask(sample))
        except DataError as error:
            problems.append(error)
            continue
        request = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        for number in range(asking.votes):
            yield Question(Vote(sample.key, request, number), prompt.sha256, asking.model, body)
    if problems:
        raise together(problems)


def _distinct(questions: Sequence[Question]) -> list[Question]:
    """Each question once: a detection that stands in the file twice is asked about once."""
    # all votes on a sample side by side: where a limit ends it, most of what was asked is decided
    return list({question.vote: question for question in questions}.values())


def _judged(
    request: TeachRequest,
    samples: Sequence[Sample],
    questions: Sequence[Question],
    answers: AnswerFile,
) -> Iterator[Judged]:
    """Every sample with its votes; `questions` are in the samples' order."""
    wanted = request.asking.votes
    for index, sample in enumerate(samples):
        keys = [q.vote for q in questions[index * wanted : (index + 1) * wanted]]
        there = [answers.answers[key] for key in keys if key in answers.answers]
        votes = Votes.of(wanted, [answer.completion.verdict for answer in there])
        yield Judged(sample, votes, votes.decide(request.agreement))


def _write(request: TeachRequest, judged: Sequence[Judged], prompt: Prompt) -> None:
    """Write the samples, all files or none."""
    source = f"teacher:{request.asking.model} prompt:{prompt.sha256[:12]}"
    by_place: dict[Path, list[Sample]] = defaultdict(list)
    for each in judged:
        aside = request.disputed if isinstance(each.outcome, NoLabel) else None
        by_place[aside or request.output].append(labelled(each, source))
    places = [path for path in (request.output, request.disputed) if path is not None]
    with replacing(*places) as files:
        for path, file in zip(places, files, strict=True):
            file.write(text_of(by_place[path]).encode())


def labelled(judged: Judged, source: str) -> Sample:
    """The sample with the teacher's label or without one, whatever label it came with."""
    outcome, votes = judged.outcome, judged.votes
    if isinstance(outcome, NoLabel):
        return replace(judged.sample, label=None, confidence=None, source=source)
    # one vote agrees with itself: that says nothing of how sure it is
    sure = round(votes.agreement, 3) if votes.wanted > 1 else None
    return replace(judged.sample, label=outcome, confidence=sure, source=source)


def _check_outputs(request: TeachRequest) -> None:
    outputs = {
        "--output": request.output,
        "--disputed": request.disputed,
        "the file of answers": request.answers,
    }
    inputs = {"SAMPLES": request.samples, "--prompt": request.prompt}
    by_place: dict[Path, list[str]] = defaultdict(list)
    for name, path in {**outputs, **inputs}.items():
        if path is not None:
            by_place[path.resolve()].append(name)
    problems = [
        f"{' and '.join(names)} are the same file: {path}"
        for path, names in by_place.items()
        if len(names) > 1
    ]
    problems += [
        f"{name}: {path.parent} is not a directory"
        for name, path in outputs.items()
        if path is not None and not path.parent.is_dir()
    ]
    if problems:
        raise UsageError("\n".join(problems))
