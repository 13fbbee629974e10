"""iacfilter_hpc.filtering.filter: every row judged once, in its order, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iacfilter_hpc.evaluation.predict import load_scorer, score_samples
from iacfilter_hpc.filtering import filter
from iacfilter_hpc.filtering.filter import ROWS_IN_A_CHUNK, Filter
from iacfilter_hpc.filtering.first_reading import FirstReading
from iacfilter_hpc.filtering.safety.coverage import Coverage, Minimum
from iacfilter_hpc.filtering.safety.guard import Guard
from iacfilter_hpc.filtering.safety.rules import Rules
from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.reasons import Cause
from iacfilter_hpc.glitch.report import GlitchReport
from iacfilter_hpc.glitch.rows import read_rows
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.packing.prefixes import Ids
from iacfilter_hpc.samples.prompt import NEWEST, OLDEST, PromptForm, form_of
from iacfilter_hpc.training.approaches.scorer import Logits, Scorer
from tests.glitch.made_decisions import ROWS, write_all
from tests.tiny_finals import make_encoder_final, make_generative_final
from tests.training.settings import TRAINS

pytestmark = TRAINS


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    torch.set_num_threads(1)
    return load_scorer(make_encoder_final(tmp_path_factory.mktemp("encoder") / "final"))


@pytest.fixture(scope="module")
def generative(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    torch.set_num_threads(1)
    return load_scorer(make_generative_final(tmp_path_factory.mktemp("generative"), 420))


def judged(
    folder: Path, scorer: Scorer, rows: str = ROWS, threshold: float = 0.5
) -> list[list[DecidedRow]]:
    report, scripts = write_all(folder, rows)
    return list(Filter(scorer, threshold, scripts, None).judge(read_rows(report)))


def flat(chunks: list[list[DecidedRow]]) -> list[DecidedRow]:
    return [each for chunk in chunks for each in chunk]


@pytest.mark.parametrize("approach", ["scorer", "generative"])
def test_rows_have_the_probability_that_evaluation_gives(
    request: pytest.FixtureRequest, tmp_path: Path, approach: str
) -> None:
    scorer = request.getfixturevalue(approach)
    (chunk,) = judged(tmp_path, scorer)
    assert [each.row.found.row for each in chunk] == list(range(1, 14))
    samples = [each.sample for each in chunk if each.sample]
    scored, _ = score_samples(scorer, samples)
    assert [each.p_tp for each in chunk[:7]] == pytest.approx([each.p_tp for each in scored])
    assert all(sample.label is None for sample in samples)
    p_tp = sorted({each.p_tp for each in chunk if each.p_tp is not None})
    (again,) = judged(tmp_path, scorer, threshold=p_tp[1])
    assert {each.decision for each in again if each.p_tp == p_tp[0]} == {"FP"}
    assert {each.decision for each in again if each.p_tp and each.p_tp >= p_tp[1]} == {"TP"}


@pytest.mark.parametrize("form", PromptForm)
def test_a_model_is_asked_in_the_words_that_it_was_trained_in(
    tmp_path: Path, scorer: Scorer, form: PromptForm
) -> None:
    """Models of earlier versions do not say, and know the oldest form alone."""
    assert scorer.decision.prompt_form == OLDEST
    told = replace(scorer.decision, prompt_form=form)
    prompts = [
        e.sample.with_prompt
        for e in flat(judged(tmp_path, replace(scorer, decision=told)))
        if e.sample
    ]
    assert prompts and {form_of([prompt]) for prompt in prompts} == {form}


def why(judged: DecidedRow) -> str | None:
    return judged.reason and judged.reason.text


def test_what_cannot_be_judged_has_a_reason_and_no_decision(tmp_path: Path, scorer: Scorer) -> None:
    (chunk,) = judged(tmp_path, scorer)
    rest = chunk[7:]
    assert all(each.reason and each.decision is each.p_tp is None for each in rest)
    assert [why(each) for each in rest[:3]] == [
        "file is missing",
        "line 99 is past the end (13 lines)",
        "line is -1",
    ]
    assert (rest[0].file, rest[3].file) == ("roles/x/tasks/gone.yml", None)


def test_a_smell_that_training_never_saw_is_not_judged(tmp_path: Path, scorer: Scorer) -> None:
    """Its names may be words: they are those of the training file."""
    told = replace(scorer.decision, smells=("Use of HTTP without TLS", "hardcoded-secret"))
    (chunk,) = judged(tmp_path, replace(scorer, decision=told))
    assert [why(each) for each in chunk[:4]] == [
        None,
        None,
        None,
        "the model was not trained on suspicious_comment",
    ]
    assert chunk[3].sample and chunk[3].decision is None


def test_a_prompt_that_cannot_fit_is_not_judged(tmp_path: Path, generative: Scorer) -> None:
    report, scripts = write_all(tmp_path, "work/long.yml,1,sec_https,x\n")
    (scripts.folder / "long.yml").write_text(f"url: http://a.example/{'a ' * 9000}\n")
    (one,) = flat(list(Filter(generative, 0.5, scripts, None).judge(read_rows(report))))
    assert one.decision is None and one.sample is not None
    assert one.reason and "even without context; the model takes" in one.reason.text


def test_no_number_is_no_reason_to_remove(tmp_path: Path, scorer: Scorer) -> None:
    broken = replace(
        scorer, logits=lambda rows, _: ((ids, torch.full((2,), torch.nan)) for ids in rows)
    )
    (chunk,) = judged(tmp_path, broken)
    assert {why(each) for each in chunk[:7]} == {"the model's p(TP) is not a number"}
    assert {each.decision for each in chunk} == {None}


class Counting:
    """The model's own logits, and how many rows they were asked for."""

    def __init__(self, scorer: Scorer) -> None:
        self.rows = 0
        self._logits = scorer.logits

    def __call__(self, rows: Sequence[Ids], budget: int) -> Logits:
        self.rows += len(rows)
        return self._logits(rows, budget)


def test_the_same_input_is_scored_once_across_chunks(tmp_path: Path, scorer: Scorer) -> None:
    counting = Counting(scorer)
    rows = "\n".join(ROWS.splitlines()[:7] * 200) + "\n"
    chunks = judged(tmp_path, replace(scorer, logits=counting), rows)
    assert [len(chunk) for chunk in chunks] == [ROWS_IN_A_CHUNK, ROWS_IN_A_CHUNK, 376]
    # seven rows: a double report, and the same line twice
    assert counting.rows == 5
    p_tp = [each.p_tp for each in flat(chunks)]
    assert p_tp == p_tp[:7] * 200


def test_what_is_remembered_is_bounded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scorer: Scorer
) -> None:
    """Each row of another line: more inputs than are remembered, even than one chunk has."""
    remembered, count = 300, 1300
    monkeypatch.setattr(filter, "REMEMBERED", remembered)
    constant = replace(scorer, logits=lambda rows, _: ((ids, torch.zeros(2)) for ids in rows))
    report, scripts = write_all(
        tmp_path, "".join(f"work/big.yml,{i},sec_https,x\n" for i in range(1, count + 1))
    )
    lines = "".join(f"url: http://{i}.example\n" for i in range(count))
    (scripts.folder / "big.yml").write_text(lines)
    chosen = Filter(constant, 0.5, scripts, None)
    sizes = [(len(chunk), len(chosen._remembered)) for chunk in chosen.judge(read_rows(report))]
    assert sum(rows for rows, _ in sizes) == count
    assert {left for _, left in sizes} == {remembered}


def test_long_lines_make_short_chunks(tmp_path: Path, scorer: Scorer) -> None:
    """A megabyte of text in each prompt: few of them are in memory at once."""
    names = [f"{number}.yml" for number in range(5)]
    rows = "".join(f"work/{name},1,sec_https,http\n" for name in names)
    report, scripts = write_all(tmp_path, rows)
    for name in names:
        (scripts.folder / name).write_text(f"{name}: {'http://a b ' * 100_000}\n")
    chosen = Filter(scorer, 0.5, scripts, None)
    found = list(chosen.judge(read_rows(report)))
    assert [len(chunk) for chunk in found] == [4, 1]
    assert all(each.p_tp is not None for each in flat(found))


def test_a_technology_for_all_is_what_the_model_reads(tmp_path: Path, scorer: Scorer) -> None:
    report, scripts = write_all(tmp_path, "work/tool.conf,1,sec_https,url\n")
    (scripts.folder / "tool.conf").write_text("url = http://a.example\n")
    (without,) = flat(list(Filter(scorer, 0.5, scripts, None).judge(read_rows(report))))
    assert why(without) == "technology unknown: pass --technology"
    (told,) = flat(list(Filter(scorer, 0.5, scripts, "puppet").judge(read_rows(report))))
    assert told.sample and told.sample.technology == "puppet" and told.p_tp is not None


def first_reading(chosen: Filter, report: GlitchReport) -> tuple[FirstReading, list[DecidedRow]]:
    first, rows = FirstReading(), []
    for chunk in chosen.judge(read_rows(report)):
        first.add(chunk)
        rows += chunk
    return first, rows


def test_a_second_reading_decides_as_the_first_and_scores_nothing(
    tmp_path: Path, scorer: Scorer
) -> None:
    counting = Counting(scorer)
    report, scripts = write_all(tmp_path, ROWS * 100)
    chosen = Filter(replace(scorer, logits=counting), 0.5, scripts, None)
    first, rows = first_reading(chosen, report)
    assert counting.rows == 5
    again = list(chosen.judge_again(read_rows(report), first))
    assert flat(again) == rows and len(again) > 1
    assert counting.rows == 5


def test_what_changes_between_the_readings_stays(tmp_path: Path, scorer: Scorer) -> None:
    """A file that was missing is there, one that was there is gone."""
    report, scripts = write_all(tmp_path)
    first, _ = first_reading(Filter(scorer, 0.999999, scripts, None), report)
    (scripts.folder / "roles/x/tasks/gone.yml").write_text("a\nb\nurl: http://a.example\n")
    (scripts.folder / "roles/x/tasks/main.yml").unlink()
    later = Filter(scorer, 0.999999, Scripts(scripts.folder, "work"), None)
    again = flat(list(later.judge_again(read_rows(report), first)))
    assert why(again[0]) == "file is missing"
    assert why(again[7]) == "its script changed while the report was filtered"
    assert again[5].decision == "FP", "what did not change"


def test_a_script_that_changes_before_its_line_is_looked_at_stays(
    tmp_path: Path, scorer: Scorer
) -> None:
    report, scripts = write_all(tmp_path)
    coverage = Coverage(frozenset(), None, None, {}, Minimum(train_tp=0, validation_tp=0))
    guard = Guard(coverage, Rules(), None, scripts)
    judged = flat(list(Filter(scorer, 0.999999, scripts, None).judge(read_rows(report))))
    sample = next(each.sample for each in judged if each.sample)
    assert guard.objection(sample, "") is None
    for content in (b"one line\n", None):
        path = scripts.folder / sample.file
        path.unlink() if content is None else path.write_bytes(content)
        changed = replace(guard, scripts=Scripts(scripts.folder, "work"))
        found = changed.objection(sample, "")
        assert found and found.cause is Cause.CHANGED


def test_no_row_takes_the_score_of_another(tmp_path: Path, scorer: Scorer) -> None:
    """As where an earlier report serves as a baseline, whose rows depend on the disk."""
    report, scripts = write_all(tmp_path)
    chosen = Filter(scorer, 0.999999, scripts, None)
    first, rows = first_reading(chosen, report)
    fewer = [row for number, row in enumerate(read_rows(report)) if number != 2]
    again = flat(list(chosen.judge_again(fewer, first)))
    assert again[:2] == rows[:2]
    changed = "its script changed while the report was filtered"
    assert {why(each) for each in again[2:] if each.sample} == {changed}
    # the second reading has a row more
    longer = [*read_rows(report), next(iter(read_rows(report)))]
    again = flat(list(chosen.judge_again(longer, first)))
    assert again[:-1] == rows and why(again[-1]) == changed


def test_suggestions_for_one_line_are_judged_one_by_one(tmp_path: Path, generative: Scorer) -> None:
    """GLITCH says several things of one line of Terraform; the newest prompts carry them."""
    told = replace(generative.decision, prompt_form=NEWEST)
    counting = Counting(generative)
    scorer = replace(generative, decision=told, logits=counting)
    row = "work/roles/x/tasks/main.yml,4,sec_https,Suggestion: {}.,url\n"
    rows = "".join(row.format(word) for word in ("one", "two", "one"))
    report, scripts = write_all(tmp_path, f"PATH,LINE,ERROR,DESCRIPTION,CODE\n{rows}")
    found = flat(list(Filter(scorer, 0.5, scripts, None).judge(read_rows(report))))
    assert len({each.sample.with_prompt for each in found if each.sample}) == 2
    assert counting.rows == 2
    assert found[0].p_tp == found[2].p_tp
