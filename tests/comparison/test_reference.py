"""Published baselines come out as published, through --predictions."""

from __future__ import annotations

import csv
import math
from itertools import combinations
from pathlib import Path

import pytest

from iacfilter_hpc.comparison.compare import Comparison, Request, compare
from iacfilter_hpc.comparison.external import PredictionsFile
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from tests.training.settings import REAL_DATA

ORACLE = REAL_DATA / "oracle"
SYSTEMS = {
    "regexes": ("weak_rules_v1", "decision"),
    "TF-IDF": ("tfidf_lr_family_folds_score", "p_tp"),
    "LLM": ("secllm_I", "decision"),
}
F1 = {"keep all": 0.656, "regexes": 0.720, "TF-IDF": 0.750, "LLM": 0.909}

pytestmark = pytest.mark.skipif(
    not (ORACLE / "reference_predictions.csv").is_file(), reason="no reference predictions here"
)


def rows_of(name: str) -> list[dict[str, str]]:
    with (ORACLE / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("reference")
    data = folder / "oracle.jsonl"
    parts = [(ORACLE / f"{name}_test.jsonl").read_text() for name in ("ansible", "chef")]
    data.write_text("".join(parts))
    places, reference = rows_of("meta.csv"), rows_of("reference_predictions.csv")
    files = []
    for name, (column, kind) in SYSTEMS.items():
        path = folder / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "line", "smell", kind])
            for place, row in zip(places, reference, strict=True):
                assert place["id"] == row["id"]
                writer.writerow([place["file"], place["line"], place["smell"], row[column]])
        files.append(PredictionsFile(name, path))
    options = EvaluateOptions(groups=ORACLE / "meta.csv", draws=500)
    return compare(Request((), tuple(files), data, options), {}, lambda _: None)


def kept(row: dict[str, str], name: str) -> bool:
    """The decision of a system, read anew."""
    if name == "keep all":
        return row["keep_all"] == "TP"
    column, kind = SYSTEMS[name]
    return float(row[column]) >= 0.5 if kind == "p_tp" else row[column] == "TP"


def test_f1_is_as_published(done: Comparison) -> None:
    found = {e.system.name: e.breakdown.overall.measured["f1"].mean for e in done.entries}
    assert found == {name: pytest.approx(f1, abs=5e-4) for name, f1 in F1.items()}
    assert (len(done.data.samples), done.group_counts.groups) == (121, 20)


def test_mcnemar_is_that_of_the_file(done: Comparison) -> None:
    reference = rows_of("reference_predictions.csv")
    p_values = {}
    for one, two in combinations([e.system.name for e in done.entries], 2):
        right = [
            [kept(row, name) == (row["label"] == "TP") for row in reference] for name in (one, two)
        ]
        b = sum(x and not y for x, y in zip(*right, strict=True))
        c = sum(y and not x for x, y in zip(*right, strict=True))
        tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
        p_values[one, two] = (b, c, min(1.0, 2 * tail))
    order = sorted(p_values, key=lambda pair: p_values[pair][2])
    largest = 0.0
    adjusted = {}
    for rank, names in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[names][2]))
        adjusted[names] = largest
    assert len(done.pairs) == 6
    for pair in done.pairs:
        b, c, p = p_values[pair.first, pair.second]
        assert (pair.mcnemar.first_only, pair.mcnemar.second_only) == (b, c)
        assert pair.mcnemar.p == pytest.approx(p)
        assert pair.p_adjusted == pytest.approx(adjusted[pair.first, pair.second])


def test_no_more_is_claimed_than_121_samples_can_tell(done: Comparison) -> None:
    verdicts = {(pair.first, pair.second): pair.separation for pair in done.pairs}
    assert verdicts["regexes", "TF-IDF"] == "not separated"
    assert verdicts["regexes", "LLM"] == verdicts["LLM", "keep all"] == "different"
    assert verdicts["regexes", "keep all"] == "unclear", "fewer errors, perhaps no better F1"


def test_by_technology(done: Comparison, tmp_path: Path) -> None:
    by_name = {e.system.name: e.breakdown.by_technology for e in done.entries}
    found = {cell.name: cell.first["f1"] for cell in by_name["LLM"]}
    assert found == {
        "ansible": pytest.approx(0.970, abs=5e-4),
        "chef": pytest.approx(0.818, abs=5e-4),
    }
