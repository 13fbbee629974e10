"""Baselines: keep every detection, and TF-IDF with logistic regression on the runs' own data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from iacfilter_hpc.comparison.cost import Cost
from iacfilter_hpc.comparison.systems import Member, Protocol, System, SystemKind
from iacfilter_hpc.config.evaluate_options import Threshold
from iacfilter_hpc.config.schema import RunConfig
from iacfilter_hpc.errors import DataError
from iacfilter_hpc.evaluation.admission import ARGMAX, Overlap, find_overlap
from iacfilter_hpc.evaluation.crossfit import cross_fit
from iacfilter_hpc.evaluation.data import Labelled
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.runs.records import RunRecord
from iacfilter_hpc.samples.sample import Sample, read_sample_file
from iacfilter_hpc.trained_model.evidence import seen_of
from iacfilter_hpc.training.calibrate import choose_threshold

KEEP_ALL = "keep all"
TFIDF = "TF-IDF + LR"
TFIDF_FOLDS = "TF-IDF + LR, folds"


@dataclass(frozen=True, slots=True)
class Splits:
    """Train and validation split of `run`: what trained it, and what chose its threshold.

    `validation_sha256` is that of the validation file.
    """

    run: str
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    validation_sha256: str

    def overlap(self, data: Labelled) -> Overlap:
        """Overlap of `data` with these samples, as for a model that was fitted on them."""
        seen = seen_of(self.train, self.validation)
        return find_overlap(data, seen, self.validation_sha256)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline as a system, and what it has cost."""

    system: System
    cost: Cost


def keep_all(samples: Sequence[Sample]) -> Baseline:
    """Keep-all baseline: GLITCH without a filter, every detection counts as TP."""
    member = Member(
        name=KEEP_ALL,
        decided=(True,) * len(samples),
        p_tp=None,
        threshold=None,
        threshold_origin="none: everything is kept",
        source="GLITCH's report as it is",
    )
    # zero parameters, not None: nothing is trained, and reports show dashes instead of "unknown"
    cost = Cost(KEEP_ALL, 0, 0.0, 0, None, None, None)
    # nothing was fitted on anything, so any samples are held out for it
    return Baseline(System(KEEP_ALL, SystemKind.BASELINE, Protocol.HELD_OUT, (member,)), cost)


def read_splits(run: str, record: RunRecord, config: RunConfig) -> Splits | str:
    """Splits of the run of this name, or in words why they cannot be had any more."""
    # a reason comes back instead of an error: the runs can be compared without this baseline
    found = []
    for name in ("train_file", "validation_file"):
        path = getattr(config.data, name)
        if not path.is_file():
            return f"{path}, which {run} was trained with, is gone"
        expected = record.data_sha256.get(name)
        changed = f"{path} is not what it was when {run} was trained"
        try:
            file = read_sample_file(path)
        except DataError as error:
            # what could be read then and cannot now has changed, and that says more
            return error.message.splitlines()[0] if sha256_of(path) == expected else changed
        # the hash is of the bytes that were parsed, so a file replaced in between is noticed too
        if file.sha256 != expected:
            return changed
        found.append(file)
    train, validation = found
    return Splits(run, train.samples, validation.samples, validation.sha256)


def tfidf(splits: Splits, data: Labelled, threshold: Threshold) -> Baseline:
    """TF-IDF baseline: smell, technology and content, weighed by logistic regression.

    The threshold is chosen as that of the runs is: on the validation samples, unless a number or
    argmax is asked for. There is no random choice in it. Its Cost is measured here.
    Source: Salton and Buckley, Information Processing and Management 24, 1988.
    """
    pipeline, samples, overlap = build_pipeline(), data.samples, splits.overlap(data)
    started = time.perf_counter()
    pipeline.fit(_texts(splits.train), [sample.label == "TP" for sample in splits.train])
    fitted = time.perf_counter()
    p_tp = _p_tp(pipeline, samples)
    scored = time.perf_counter()
    # after the clock has stopped: choosing a threshold is part of neither speed
    value, origin = _threshold(pipeline, splits, threshold)
    member = Member(
        name=TFIDF,
        decided=tuple(p >= value for p in p_tp),
        p_tp=p_tp,
        threshold=value,
        threshold_origin=origin,
        source=f"the training data of {splits.run}",
        warnings=tuple(overlap.warnings()),
    )
    cost = Cost(
        name=TFIDF,
        # only the regression counts: document frequencies are counted, not trained
        trained_parameters=pipeline[-1].coef_.size + pipeline[-1].intercept_.size,
        hours=(fitted - started) / 3600,
        gpus=0,
        clock="measured here",
        train_samples_per_s=len(splits.train) / (fitted - started),
        scored_samples_per_s=len(samples) / (scored - fitted),
    )
    # overlap is that with the first run's data, whichever runs stand beside it
    protocol = Protocol.SEEN if overlap.is_seen else Protocol.HELD_OUT
    return Baseline(System(TFIDF, SystemKind.BASELINE, protocol, (member,)), cost)


def cross_fit_tfidf(samples: Sequence[Sample], folds: int, seed: int) -> Baseline:
    """Cross-fit TF-IDF baseline: fitted on all folds of the samples but the one it reports on.

    Raises:
        UsageError: the samples cannot be split into so many folds.
    """

    def fit(
        train: Sequence[Sample], held_out: Sequence[Sample], _: Sequence[int]
    ) -> list[Sequence[float]]:
        pipeline = build_pipeline().fit(_texts(train), [each.label == "TP" for each in train])
        # decision_function, not predict_proba: cross_fit fits scale and offset to log-odds
        log_odds: list[float] = pipeline.decision_function(_texts(held_out)).tolist()
        # one list for the one candidate
        return [log_odds]

    # a single candidate, since a regression has no epochs to choose: the inner folds are left
    # with scale, offset and threshold, which makes it the protocol that cross-fit runs have
    fitted = cross_fit(samples, fit, folds, seed, lambda _: None, candidates=(0,)).scores
    pairs = zip(fitted.p_tp, fitted.thresholds, strict=True)
    member = Member(
        name=TFIDF_FOLDS,
        decided=tuple(p >= threshold for p, threshold in pairs),
        p_tp=fitted.p_tp,
        threshold=None,
        threshold_origin=f"inner folds of {folds} folds, seed {seed}",
        source="the other folds of these samples",
        fold_seed=seed,
    )
    system = System(TFIDF_FOLDS, SystemKind.BASELINE, Protocol.CROSS_FIT, (member,))
    # as many fits as outer and inner folds, so no one figure is comparable with that of a run
    return Baseline(system, Cost.unknown(TFIDF_FOLDS))


def build_pipeline() -> Pipeline:
    """TF-IDF pipeline: 2 to 5 characters inside words on a log scale; classes weigh the same.

    Character n-grams see parts of names such as `passw` in `db_password`, which words hide.
    """
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    # "balanced": else the intercept follows the share of TPs, and training data of mostly false
    # alarms lower every p(TP), which --threshold argmax does not make up for
    return make_pipeline(vectors, LogisticRegression(class_weight="balanced", max_iter=1000))


def _threshold(pipeline: Pipeline, splits: Splits, asked: Threshold) -> tuple[float, str]:
    if asked == "argmax":
        return ARGMAX, "argmax, as asked for"
    if asked != "validation":
        return asked, "a number, as asked for"
    is_tp = [sample.label == "TP" for sample in splits.validation]
    chosen = choose_threshold(_p_tp(pipeline, splits.validation), is_tp)
    return chosen.value, f"best F1 ({chosen.f1:.3f}) on the validation data of {splits.run}"


def _p_tp(pipeline: Pipeline, samples: Sequence[Sample]) -> tuple[float, ...]:
    # classes_ are sorted, so that column 1 is True: TP
    return tuple(pipeline.predict_proba(_texts(samples))[:, 1].tolist())


def _texts(samples: Sequence[Sample]) -> list[str]:
    # smell and technology are what content lacks: F1 in folds by family was .70 with them and .44
    # without, on 230 detections of GLITCH's oracle
    return [f"{sample.smell} {sample.technology} {sample.content}" for sample in samples]
