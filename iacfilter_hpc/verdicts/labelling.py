"""Labelling: questions to a person, one after another, each answer on disk before the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from iacfilter_hpc.errors import DataError, UsageError
from iacfilter_hpc.glitch.checks import (
    Output,
    folder_problems,
    input_problems,
    name_problems,
    output_problems,
    refuse,
    script_problems,
)
from iacfilter_hpc.glitch.report import Detection, open_report
from iacfilter_hpc.glitch.scripts import Scripts, find_prefix
from iacfilter_hpc.samples.byte_lines import unreadable
from iacfilter_hpc.samples.prompt import NEWEST, PromptForm
from iacfilter_hpc.samples.sample import read_samples
from iacfilter_hpc.verdicts.anchor import Anchored, anchor
from iacfilter_hpc.verdicts.finding import Finding, Outline, Place
from iacfilter_hpc.verdicts.questions import (
    Question,
    Questions,
    Score,
    in_order,
    questions_of_rows,
    questions_of_samples,
    scored,
)
from iacfilter_hpc.verdicts.records import FOLDER, append, read_records
from iacfilter_hpc.verdicts.repository import Kept, ReportedPlaces, find_verdicts
from iacfilter_hpc.verdicts.verdict import VERDICT, Decision, Verdict, newest, now


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """Request to label: what, with which model beside, who labels, and where verdicts are kept.

    `source` is a report or a file of samples, None where only `export` is asked for; `answers` is a
    list of answers in a person's place, `export` a file of samples made of all verdicts.
    """

    source: Path | None
    scripts: Path
    models: Path
    model: str | None = None
    verdicts: Path | None = None
    by: str
    seed: int = 0
    answers: Path | None = None
    export: Path | None = None
    repo: str | None = None
    family: str | None = None
    technology: str | None = None
    prefix: str | None = None
    blind: bool = False
    as_json: bool = False


@dataclass(slots=True)
class Labelling:
    """Labelling in progress: the questions in their order, and the answers so far.

    `verdicts` are those that stand on these questions, of earlier times too; `given` counts the
    answers of this time.
    """

    kept: Kept
    by: str
    questions: Sequence[Question]
    left_out: dict[str, int]
    verdicts: dict[Place, Verdict]
    expired: int
    _findings: dict[Place, Finding]
    _at: int = 0
    given: int = 0
    _shown: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._forward()

    @property
    def current(self) -> Question | None:
        """The question to be answered, None if there is none left."""
        return self.questions[self._at] if self._at < len(self.questions) else None

    @property
    def number(self) -> int:
        """The number of the current question, from 1."""
        return self._at + 1

    def outline(self, question: Question) -> Outline:
        """The script that a question is about."""
        found = self.kept.repository.outline(question.place.file)
        assert found is not None, "a question has a place"
        return found

    def answer(self, decision: Decision, note: str | None = None) -> None:
        """Keep the answer to the current question, on disk when this returns, and go on."""
        question = self.current
        assert question is not None, "there is a question to answer"
        self.keep(question, decision, note)
        self.skip()

    def keep(self, question: Question, decision: Decision, note: str | None) -> None:
        """Keep the answer to any question, on disk when this returns."""
        fields = asdict(self._findings[question.place])
        verdict = Verdict(**fields, decision=decision, by=self.by, at=now(), note=note)
        append(self.kept.path, verdict)
        self.verdicts[question.place] = verdict
        self.given += 1

    def skip(self) -> None:
        """Go on without an answer; the question is asked again another time."""
        self._shown.append(self._at)
        self._at += 1
        self._forward()

    def back(self) -> bool:
        """Go to the question shown before, answered or not; whether there is one."""
        if not self._shown:
            return False
        self._at = self._shown.pop()
        return True

    def counts(self) -> dict[str, Counter[str]]:
        """How the questions of each smell are answered so far; "" counts those that are not."""
        found: dict[str, Counter[str]] = {}
        for each in self.questions:
            verdict = self.verdicts.get(each.place)
            found.setdefault(each.place.smell, Counter())[verdict.decision if verdict else ""] += 1
        return found

    def labels(self) -> list[tuple[bool, float]]:
        """Whether a person calls it real, and p(TP), of each question that has both."""
        return [
            (verdict.decision == Decision.TP, each.p_tp)
            for each in self.questions
            if (verdict := self.verdicts.get(each.place))
            and verdict.decision != Decision.UNSURE
            and each.p_tp is not None
        ]

    def _forward(self) -> None:
        """Pass what has an answer."""
        while self._at < len(self.questions) and self.questions[self._at].place in self.verdicts:
            self._at += 1


def check(request: LabelRequest) -> None:
    """Raise what is wrong with a request, all at once.

    Raises:
        UsageError: flags that make no sense together, or name what is not there.
    """
    refuse(list(_problems(request)))


def _problems(request: LabelRequest) -> Iterator[UsageError]:
    yield from folder_problems(request.scripts)
    if request.source is None and request.export is None:
        yield UsageError(
            "there is nothing to label", hint="name a report or samples, or --export FILE"
        )
    if request.source is not None:
        yield from input_problems(request.source)
    folder = request.verdicts and request.verdicts.parent
    is_made = folder and folder.name == FOLDER and folder.parent.is_dir()
    if folder and not (folder.is_dir() or is_made):
        # before the first answer is given, and not after
        yield UsageError(
            f"--verdicts {request.verdicts}: there is no directory {folder}",
            hint=f"mkdir -p {folder}",
        )
    named = (("--by", request.by), ("--repo", request.repo), ("--family", request.family))
    for flag, name in (*named, ("--technology", request.technology)):
        yield from name_problems(flag, name)
    if request.export is not None:
        verdicts = find_verdicts(request.scripts, request.verdicts).path
        inputs = [path for path in (request.source, request.answers, verdicts) if path]
        outputs = [Output("--export", request.export)]
        yield from output_problems(outputs, inputs)
        yield from script_problems(outputs, request.scripts)


def open_labelling(
    request: LabelRequest, score: Score | None, form: PromptForm = NEWEST
) -> Labelling:
    """The questions that a request leads to, with the answers that are there already.

    Raises:
        UsageError: the file of verdicts is none.
        DataError: a file cannot be read, or has wrong lines; or no finding makes a question.
    """
    kept = find_verdicts(request.scripts, request.verdicts)
    standing = standing_verdicts(kept)
    found = _questions(request, kept, form)
    findings = kept.repository.findings(each.place for each in found.asked)
    places = {each.place: each for each in findings}
    # a blank line, or the mark of a document, is in no block
    asked = [each for each in found.asked if each.place in places]
    if not asked:
        reasons = [f"{count} because {reason}" for reason, count in found.left_out.items()]
        raise DataError(
            "\n".join([f"{request.source} has nothing to label", *reasons]),
            hint="see --scripts and --path-prefix",
        )
    questions = in_order(scored(asked, score) if score else asked, request.seed)
    return Labelling(
        kept=kept,
        by=request.by,
        questions=questions,
        left_out=found.left_out,
        verdicts={
            each.place: verdict for each in questions if (verdict := standing.at(each.place))
        },
        expired=len(standing.expired),
        _findings=places,
    )


def standing_verdicts(kept: Kept) -> Anchored[Verdict]:
    """The newest verdict of each finding, where it stands today.

    Raises:
        DataError: the file cannot be read, or has lines that are no verdicts; each is named.
    """
    every = read_records(kept.path, VERDICT) if kept.path.exists() else []
    return anchor(newest(every), kept.repository)


def _questions(request: LabelRequest, kept: Kept, form: PromptForm) -> Questions:
    assert request.source is not None, "checked"
    if _is_samples(request.source):
        samples = read_samples(request.source, unlabelled=True)
        prefix = _prefix(request, (each.file for each in samples))
        return questions_of_samples(samples, _places(request, prefix, kept))
    report = open_report(request.source)
    paths = (row.path for row in report.rows() if isinstance(row, Detection))
    places = _places(request, _prefix(request, paths), kept)
    return questions_of_rows(report.rows(), places, request.technology, form)


def _prefix(request: LabelRequest, paths: Iterator[str]) -> str:
    return find_prefix(paths, request.scripts) if request.prefix is None else request.prefix


def _places(request: LabelRequest, prefix: str, kept: Kept) -> ReportedPlaces:
    return kept.repository.places(Scripts(request.scripts, prefix))


def _is_samples(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError as error:
        raise unreadable(path, error) from error
