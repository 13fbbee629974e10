"""A teacher's students and GLITCH's misses: against numbers worked out otherwise, and refused."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from sklearn.metrics import f1_score, precision_score, recall_score

from iacfilter_hpc.comparison.compare import Comparison, Request, compare
from iacfilter_hpc.comparison.document import document
from iacfilter_hpc.comparison.external import PredictionsFile
from iacfilter_hpc.comparison.html import render_html
from iacfilter_hpc.comparison.markdown import render_markdown
from iacfilter_hpc.comparison.pipeline.misses import read_misses
from iacfilter_hpc.comparison.pipeline.retention import retained
from iacfilter_hpc.comparison.systems import Member, System
from iacfilter_hpc.comparison.text import render
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.errors import DataError
from iacfilter_hpc.evaluation.bootstrap import draw_weights
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.samples.sample import Sample, write_samples
from tests.comparison.made_data import made_system, truth_of, write_csv
from tests.comparison.made_data import write_samples as write_labelled

DRAWS = 80
MISSES = """\
file,line,smell,label,who
site/part0.pp,900,use_of_http,FN,me
site/part0.pp,901,sec_hard_secr,FN,me
elsewhere.pp,3,use_of_http,FN,me
elsewhere.pp,4,empty_password,TP,me
elsewhere.pp,5,empty_password,FP,me
"""


def taught(samples: tuple[Sample, ...], seed: int, skill: float) -> list[Sample]:
    """Labels as a teacher with five votes would give them."""
    noise = random.Random(seed)
    made = []
    for sample in samples:
        right = noise.random() < skill
        label = sample.label if right else ("FP" if sample.label == "TP" else "TP")
        sure = noise.choice((0.6, 0.8, 1.0))
        made.append(replace(sample, label=label, confidence=sure, source="teacher"))
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    return write_labelled(tmp_path_factory.mktemp("pipeline") / "labelled.jsonl")


@pytest.fixture(scope="module")
def done(data: Labelled) -> Comparison:
    """A teacher, a student, and what GLITCH missed."""
    folder = data.path.parent
    write_samples(folder / "taught.jsonl", taught(data.samples, 1, 0.9))
    (folder / "missed.csv").write_text(MISSES)
    student = write_csv(
        folder / "student.csv",
        data,
        "decision",
        lambda i, real: "TP" if real or i % 4 == 0 else "FP",
    )
    request = Request(
        runs=(),
        files=(
            PredictionsFile("student", student),
            PredictionsFile("llm", folder / "taught.jsonl"),
        ),
        data=data.path,
        options=EvaluateOptions(draws=DRAWS),
        teacher="llm",
        misses=folder / "missed.csv",
    )
    return compare(request, {}, lambda _: None)


def test_what_a_student_keeps(data: Labelled) -> None:
    """Against scikit-learn on each draw's samples, repeated as often as they were drawn."""
    truth = truth_of(data.samples)
    teacher = made_system("teacher", data.samples, 7, skill=0.9)
    student = made_system("student", data.samples, 1, 2, skill=0.75)
    (found,) = retained(teacher, [student], data.samples, DRAWS, 3)

    def f1(member: Member, times: np.ndarray) -> float:
        return float(f1_score(truth, member.decided, sample_weight=times))

    def share(times: np.ndarray) -> float:
        kept = np.mean([f1(member, times) for member in student.members])
        return float(kept / f1(teacher.first, times))

    def alike(times: np.ndarray) -> float:
        same = [np.equal(m.decided, teacher.first.decided) for m in student.members]
        return float(np.mean([np.average(each, weights=times) for each in same]))

    draws = draw_weights([sample.group for sample in data.samples], DRAWS, 3)
    ones = np.ones(len(truth))
    assert found.student == "student (2 seeds)"
    assert found.share == pytest.approx(share(ones))
    assert found.agreement == pytest.approx(alike(ones))
    for interval, of_one in (
        (found.share_interval, share),
        (found.agreement_interval, alike),
    ):
        assert interval is not None
        low, high = np.quantile([of_one(times) for times in draws], (0.025, 0.975))
        assert (interval.low, interval.high) == pytest.approx((low, high))


def test_a_teacher_without_a_hit_and_too_few_groups(data: Labelled) -> None:
    truth = truth_of(data.samples)
    student = made_system("student", data.samples, 1)
    nothing = replace(student.first, decided=tuple(False for _ in truth))
    teacher = replace(student, members=(nothing,))
    (found,) = retained(teacher, [student], data.samples, DRAWS, 0)
    assert found.share is None and 0 < found.agreement < 1
    (same,) = retained(student, [student], data.samples, DRAWS, 0)
    assert (same.share, same.agreement) == (1.0, 1.0)
    assert same.agreement_interval is not None and same.agreement_interval.is_wilson
    few = [replace(sample, family="one") for sample in data.samples]
    (found,) = retained(student, [student], few, DRAWS, 0)
    assert found.share_interval is None and found.agreement_interval is None


def test_scores_with_what_was_missed(done: Comparison, data: Labelled) -> None:
    """Three misses, a kept real smell and a kept false alarm, put in by hand."""
    found = done.end_to_end
    assert found is not None and (found.missed, found.kept) == (3, 2)
    truth = [*truth_of(data.samples), True, True, True, True, False]
    systems = {entry.system.title: entry.system for entry in done.entries}
    assert [title for title, _ in found.breakdowns] == list(systems)
    for title, breakdown in found.breakdowns:
        decided = [*systems[title].first.decided, False, False, False, True, True]
        scores = breakdown.overall.first
        for key, metric in (
            ("precision", precision_score),
            ("recall", recall_score),
            ("f1", f1_score),
        ):
            assert scores[key] == pytest.approx(metric(truth, decided)), (title, key)
        assert scores.samples == len(truth) and scores["average_precision"] is None
        by_smell = {each.name: each.first for each in breakdown.by_smell}
        assert by_smell["empty_password"].support == 1
        # GLITCH's own name of a smell is that smell
        assert by_smell["hard_coded_secret"].fn >= 1
        interval = breakdown.overall.measured["f1"].interval
        assert interval is not None and interval.low < scores["f1"] < interval.high
    # a miss in a script that has samples belongs to their group
    groups = {sample.group for sample in data.samples}
    assert found.breakdowns[0][1].overall.groups == len(groups) + 1


def test_every_form_says_it(done: Comparison) -> None:
    values = document(done)
    assert values["teacher"] == "llm"
    assert [each["student"] for each in values["retention"]] == ["student", "keep all"]
    share = values["retention"][0]["share"]
    f1 = values["end_to_end"]["systems"][0]["overall"]["f1"]["mean"]
    assert values["end_to_end"]["missed"] == 3 and values["end_to_end"]["kept_unjudged"] == 2
    title = "End to end, with 3 real smells that GLITCH did not report and 2 reports"
    for text in (render(done), render_markdown(done), render_html(done)):
        plain = " ".join(text.split())
        assert f"{share:.3f}" in plain and f"{f1:.3f}" in plain
        assert title in plain.replace("&#39;", "'")
        assert "What students keep of llm" in plain
        assert "a report that nothing judges is kept" in plain
    assert (
        MarkdownIt("commonmark").enable("table").render(render_markdown(done)).count("<table>") >= 8
    )


def test_a_comparison_without_them_says_nothing_of_them(data: Labelled) -> None:
    file = PredictionsFile(
        "a", write_csv(data.path.parent / "a.csv", data, "p_tp", lambda *_: "0.5")
    )
    plain = compare(
        Request((), (file,), data.path, EvaluateOptions(draws=DRAWS)), {}, lambda _: None
    )
    values = document(plain)
    assert (values["teacher"], values["retention"], values["end_to_end"]) == (None, [], None)
    for text in (render(plain), render_markdown(plain), render_html(plain)):
        assert "What students keep" not in text and "End to end" not in text


def test_labels_of_a_teacher_are_predictions(data: Labelled, tmp_path: Path) -> None:
    labels = taught(data.samples, 5, 0.8)
    labels[3] = replace(labels[3], label=None, confidence=None)
    write_samples(tmp_path / "taught.jsonl", reversed(labels))
    request = Request(
        (),
        (PredictionsFile("llm", tmp_path / "taught.jsonl"),),
        data.path,
        EvaluateOptions(draws=DRAWS),
    )
    system: System = compare(request, {}, lambda _: None).entries[0].system
    assert system.first.decided == tuple(each.label != "FP" for each in labels)
    assert system.first.p_tp is None, "of one nothing is known"
    (warning,) = system.first.warnings
    assert "1 sample has no label" in warning and "count as kept" in warning
    labels = taught(data.samples, 5, 0.8)
    write_samples(tmp_path / "taught.jsonl", labels)
    member = compare(request, {}, lambda _: None).entries[0].system.first
    assert member.p_tp == tuple(
        one.confidence if one.label == "TP" else 1 - (one.confidence or 0) for one in labels
    )
    write_samples(tmp_path / "taught.jsonl", labels[:-1])
    with pytest.raises(DataError, match="has no row in"):
        compare(request, {}, lambda _: None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("file,line\n", ":1: the columns are file, line$"),
        ("", ":1: the columns are none"),
        ("file,line,smell,label\na,1,use_of_http,MISS\n", ":2: label is 'MISS', not FN, TP or FP"),
        ("file,line,smell\na,0,use_of_http\n", ":2: line is '0', not a line number from 1"),
        ("file,line,smell\n,1,use_of_http\n", ":2: file is empty"),
        ("file,line,smell\na,1\n", ":2: it does not have 3 columns"),
        (
            "file,line,smell\na,1,use_of_http\n./a,1,sec_https\n",
            ":3: ./a 1 sec_https occurs before",
        ),
        ("file,line,smell\n\nsite/part2.yml,3,suspicious_comment\n", ":3: .* is labelled FP among"),
        (
            "file,line,smell,label\nsite/part0.pp,1,suspicious_comment,TP\n",
            ":2: .* is a sample, which systems judge",
        ),
        ('file,line,smell\n"a,1,b\n', "not CSV"),
    ],
)
def test_a_file_of_misses_that_is_wrong(
    text: str, problem: str, data: Labelled, tmp_path: Path
) -> None:
    path = tmp_path / "missed.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=problem) as error:
        read_misses(path, data)
    assert str(path) in str(error.value)


def test_nothing_missed(data: Labelled, tmp_path: Path) -> None:
    path = tmp_path / "missed.csv"
    path.write_text("file,line,smell\n")
    assert read_misses(path, data).outside == ()


def test_an_oracle_that_names_what_was_reported_too(data: Labelled, tmp_path: Path) -> None:
    real = [sample for sample in data.samples if sample.label == "TP"]
    rows = [f"./{sample.file},{sample.line},{sample.smell}" for sample in real]
    path = tmp_path / "oracle.csv"
    path.write_text("\n".join(["file,line,smell", *rows, "elsewhere.pp,1,use_of_http"]) + "\n")
    found = read_misses(path, data)
    assert found.reported == len(real) and len(found.outside) == 1
