"""iacfilter_hpc.verdicts.questions: an order that is fair to every smell and score."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.verdicts.finding import Place
from iacfilter_hpc.verdicts.questions import (
    Question,
    in_order,
    questions_of_rows,
    questions_of_samples,
    scored,
)
from iacfilter_hpc.verdicts.repository import find_verdicts
from tests.glitch.made_decisions import write_all
from tests.verdicts.made_verdicts import AGAIN, COMMENT, FILE, HTTP, SECRET, make_repository

SIZES = {"a": 80, "b": 15, "c": 5}


def question(smell: str, number: int, p_tp: float | None = None) -> Question:
    return Question(Place(smell, f"{smell}{number}.yml", 1), smell, "", None, p_tp)


def test_every_first_part_is_like_the_whole() -> None:
    every = [question(s, n, n / size) for s, size in SIZES.items() for n in range(size)]
    for seed in range(20):
        order = in_order(every, seed)
        assert sorted(order, key=lambda q: q.place) == sorted(every, key=lambda q: q.place)
        for asked in (20, 40, 60):
            counts = Counter(each.place.smell for each in order[:asked])
            for smell, size in SIZES.items():
                # four strata of a smell, each within one of its share
                assert abs(counts[smell] - asked * size / 100) <= 4
            low = sum((each.p_tp or 0) < 0.5 for each in order[:asked])
            assert abs(low - asked / 2) <= 6


def test_the_order_is_the_seeds() -> None:
    every = [question("a", n) for n in range(50)]
    assert in_order(every, 1) == in_order(reversed(every), 1)
    assert in_order(every, 1) != in_order(every, 2)


def test_rows_become_questions_once_a_place(tmp_path: Path) -> None:
    scripts_folder = make_repository(tmp_path)
    report, scripts = write_all(tmp_path)
    places = find_verdicts(scripts_folder).repository.places(scripts)
    found = questions_of_rows(report.rows(), places, None)
    asked = {each.place.whole_line: each for each in found.asked}
    assert {HTTP, SECRET, COMMENT, AGAIN} < set(asked)
    assert asked[SECRET].said == "password:'hunter,2'" and asked[SECRET].code == "sec_hard_secr"
    # a person can judge it, though no model can
    odd = asked[Place("design_long_statement", FILE, 4)]
    assert odd.sample is None and odd.said == "too long"
    assert sum(found.left_out.values()) == 5
    assert found.left_out["file is missing"] == 1


def test_samples_become_questions_where_their_line_is(tmp_path: Path) -> None:
    scripts_folder = make_repository(tmp_path)
    report, scripts = write_all(tmp_path)
    places = find_verdicts(scripts_folder).repository.places(scripts)
    rows = questions_of_rows(report.rows(), places, None)
    samples = [
        replace(each.sample, file=f"work/{each.sample.file}") for each in rows.asked if each.sample
    ]
    samples[0] = replace(samples[0], content="another line")
    samples[1] = replace(samples[1], file="work/gone.yml")
    found = questions_of_samples(samples, places)
    gone = {each.place.whole_line for each in rows.asked[:2]}
    assert {each.place for each in found.asked} == {
        each.place.whole_line for each in rows.asked if each.sample
    } - gone
    assert found.left_out == {"the line is not the sample's": 1, "file is missing": 1}


def test_scores_go_to_what_a_model_can_read(tmp_path: Path) -> None:
    scripts_folder = make_repository(tmp_path)
    report, scripts = write_all(tmp_path)
    places = find_verdicts(scripts_folder).repository.places(scripts)
    asked = questions_of_rows(report.rows(), places, None).asked

    def score(samples: object) -> list[float | None]:
        assert isinstance(samples, list) and all(isinstance(each, Sample) for each in samples)
        return [None if each.smell == "use_of_http" else 0.25 for each in samples]

    found = {each.place.whole_line: each.p_tp for each in scored(asked, score)}
    assert (found[HTTP], found[SECRET]) == (None, 0.25)
    assert found[Place("design_long_statement", FILE, 4)] is None
