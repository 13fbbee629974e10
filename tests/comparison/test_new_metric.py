"""A metric is one entry of METRICS: added there alone, it is found wherever metrics are shown."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from iacfilter_hpc.comparison.document import document as comparison_document
from iacfilter_hpc.comparison.html import render_html
from iacfilter_hpc.comparison.markdown import render_markdown
from iacfilter_hpc.comparison.tables import all_tables
from iacfilter_hpc.comparison.text import render as render_comparison
from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.evaluation import metrics
from iacfilter_hpc.evaluation.admission import Overlap
from iacfilter_hpc.evaluation.bootstrap import bootstrap_scores
from iacfilter_hpc.evaluation.breakdown import break_down, count_groups
from iacfilter_hpc.evaluation.crossfit import CrossFit
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.evaluation.metrics import METRICS, Metric, score
from iacfilter_hpc.evaluation.predictions import Prediction
from iacfilter_hpc.evaluation.results import Evaluation, document
from iacfilter_hpc.evaluation.text import render
from iacfilter_hpc.evaluation.weighted_decisions import ratios
from iacfilter_hpc.inputs.encoded import audit
from iacfilter_hpc.runs.provenance import provenance
from tests.comparison.made_data import made_comparison, made_member, truth_of, write_samples
from tests.made_models import made_decision

pytestmark = pytest.mark.train

ALARM_RATE = Metric(
    key="alarm_rate",
    title="share decided TP",
    weighted=lambda made: ratios(made.confusion.tp + made.confusion.fp, made.weights.sum(axis=1)),
    share=lambda found: (found.tp + found.fp, found.tp + found.fp + found.fn + found.tn),
    column="alarms",
    heading="Decided TP",
    abbreviation="AR",
    is_of_members=True,
)
MEAN_P = Metric(
    key="mean_p_tp",
    title="mean p(TP)",
    weighted=lambda made: ratios(made.weights @ made.p_tp, made.weights.sum(axis=1)),
    exact=lambda made: math.fsum(made.p_tp) / len(made.p_tp),
    pooled_as="mean p(TP)",
    read_after="roc_auc",
    heading="Mean of p(TP)",
)


@pytest.fixture(autouse=True)
def one_entry_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "METRICS", (*METRICS, ALARM_RATE, MEAN_P))


def made_evaluation(folder: Path, cross_fit: CrossFit | None = None) -> Evaluation:
    """What an evaluation leaves, without a model."""
    data = write_samples(folder / "labelled.jsonl")
    rows = made_predictions(data)
    return Evaluation(
        run="a-run",
        model_sha256="5" * 64,
        data=data,
        directory=folder,
        options=EvaluateOptions(draws=100),
        decision=made_decision(data.path),
        threshold=0.5,
        overlap=Overlap(len(rows), 0, 0, is_validation_file=False),
        look=1,
        looks_log=folder / "looks.jsonl",
        audit=audit(data.samples, []),
        group_counts=count_groups(data.samples),
        breakdown=break_down(rows, 100, 0),
        predictions=tuple(rows),
        samples_per_s=1.0,
        cross_fit=cross_fit,
        provenance=provenance(),
    )


def made_predictions(data: Labelled) -> list[Prediction]:
    member = made_member(data.samples, 1)
    assert member.p_tp is not None
    return [
        Prediction(
            index=index,
            key=sample.key,
            file=sample.file,
            line=sample.line,
            smell=sample.smell,
            technology=sample.technology,
            group=sample.group,
            label="TP" if sample.label == "TP" else "FP",
            p_tp=p,
            decision="TP" if decided else "FP",
            threshold=0.5,
        )
        for index, (sample, p, decided) in enumerate(
            zip(data.samples, member.p_tp, member.decided, strict=True)
        )
    ]


def test_it_is_scored_and_has_an_interval() -> None:
    truth, decided, p_tp = [True, False] * 20, [True] * 30 + [False] * 10, [0.25, 0.5] * 20
    found = score(truth, decided, p_tp)
    assert (found["alarm_rate"], found["mean_p_tp"]) == (0.75, 0.375)
    assert score(truth, decided, None)["mean_p_tp"] is None
    assert score([], [], [])["alarm_rate"] is score([], [], [])["mean_p_tp"] is None
    groups = [str(i // 4) for i in range(40)]
    intervals = bootstrap_scores(truth, decided, p_tp, groups)
    rate, all_alike = intervals["alarm_rate"], intervals["mean_p_tp"]
    assert rate is not None and rate.low < 0.75 < rate.high
    assert all_alike is not None and np.isclose([all_alike.low, all_alike.high], 0.375).all()
    alarms = bootstrap_scores(truth, [True] * 40, None, groups)["alarm_rate"]
    assert alarms is not None and alarms.is_wilson, "a share that never varies"


def test_an_evaluation_shows_it(tmp_path: Path) -> None:
    done = made_evaluation(tmp_path)
    values = json.loads(json.dumps(document(done)))
    for subset in (values["overall"], *values["by_smell"].values()):
        assert 0 < subset["alarm_rate"] < 1 and 0 < subset["mean_p_tp"] < 1
        assert {"alarm_rate", "mean_p_tp"} <= set(subset["intervals"])
    text = render(done)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert any(
        line.startswith(f"share decided TP {values['overall']['alarm_rate']:.3f} ")
        for line in lines
    )
    starts = [line.split(" ")[0] for line in lines]
    assert starts.index("mean") == starts.index("area") + 1, "it follows the metric it names"
    (header,) = [line for line in lines if line.startswith("n TP precision")]
    assert header.endswith("AUC alarms")
    fitted = made_evaluation(tmp_path, CrossFit(2, 0, ()))
    assert "calibration error, mean p(TP), what could be at a recall, and curves pool" in " ".join(
        render(fitted).split()
    )


def test_a_comparison_shows_it(tmp_path: Path) -> None:
    done = made_comparison(tmp_path, draws=100)
    values = json.loads(json.dumps(comparison_document(done)))
    good = values["systems"][0]
    assert good["overall"]["alarm_rate"]["interval"]["low"] < good["members"][0]["alarm_rate"]
    assert good["by_smell"]["use_of_http"]["mean_p_tp"]["mean"] is not None
    tables = {table.name: table for table in all_tables(done)}
    assert tables["overall"].columns[-1] == "Decided TP"
    assert "Mean of p(TP)" in tables["ranking"].columns
    shown = f"{good['overall']['alarm_rate']['mean']:.3f}"
    assert tables["overall"].rows[0][-1].text == shown
    assert "Decided TP" in render_markdown(done) and "Mean of p(TP)" in render_html(done)
    assert "AUC  FP REMOVED     AR" in render_comparison(done)
    truth = truth_of(done.data.samples)
    assert (
        good["overall"]["alarm_rate"]["mean"]
        == score(truth, done.entries[0].system.first.decided, None)["alarm_rate"]
    )
