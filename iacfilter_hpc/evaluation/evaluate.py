"""Evaluation of a trained model on a file of samples, from reading them to writing the scores.

All that can refuse comes before the look is logged: who was refused has seen no score.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from iacfilter_hpc.config.evaluate_options import EvaluateOptions
from iacfilter_hpc.config.schema import load_config
from iacfilter_hpc.evaluation.admission import admit, check_folds
from iacfilter_hpc.evaluation.breakdown import break_down, count_groups
from iacfilter_hpc.evaluation.crossfit import CrossFitted, cross_fit
from iacfilter_hpc.evaluation.data import Labelled, read_labelled
from iacfilter_hpc.evaluation.predict import load_scorer, score
from iacfilter_hpc.evaluation.predictions import Prediction
from iacfilter_hpc.evaluation.results import (
    METRICS_FILE,
    PREDICTIONS_FILE,
    Evaluation,
    folder_name,
    make_writable,
    results_directory,
    test_set_log_directory,
    write,
)
from iacfilter_hpc.evaluation.test_set_log import FILE, LookPurpose, look_at, record_look
from iacfilter_hpc.inputs.encode import all_fitting
from iacfilter_hpc.inputs.encoded import Encoded, audit
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.provenance import provenance
from iacfilter_hpc.samples.prompt import form_of
from iacfilter_hpc.samples.sample import LABELS, Sample
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.find import Trained
from iacfilter_hpc.training.finetune import LogOdds, fine_tune

logger = logging.getLogger(__name__)


def evaluate(
    model: Trained, data_path: Path, options: EvaluateOptions, purpose: LookPurpose = "evaluate"
) -> Evaluation:
    """Score `data_path` with a model, and write metrics.json and predictions.jsonl.

    `purpose` is what the look at the data is logged as.

    Raises:
        DataError: wrong lines in a file, a sample without a label, or prompts that cannot be made
            to fit.
        TrainingError: there is no finished model, or its threshold was fitted on these samples.
        UsageError: nothing says where to write, or it cannot be written there, or the data cannot
            be split into the folds that are asked for.
    """
    data = read_labelled(data_path, options.groups)
    directory = results_directory(model, options) / folder_name(data, options)
    admitted = admit(model, data, options)
    check_folds(data, options)
    # before the model is loaded, and before hours of cross-fitting
    make_writable(directory, (PREDICTIONS_FILE, METRICS_FILE))
    scorer = load_scorer(model.final)
    _check_form(scorer.decision, data.samples)
    # also before the look, as a prompt that cannot fit ends the evaluation
    encoded = all_fitting(data.samples, scorer.encode(data.samples))
    # before any score is known: whoever breaks off because of a score has looked
    log = test_set_log_directory(model, options)
    look = look_at(
        data,
        options,
        run=model.name,
        model=admitted.sha256,
        purpose=purpose,
        fold_seed=options.used_seed if options.cross_fit else None,
    )
    number = record_look(log, look)
    # also where folds decide: samples_per_s is the speed of the run's own model
    started = time.perf_counter()
    p_tp = score(scorer, data.samples, encoded)
    seconds = time.perf_counter() - started
    # one a sample, since each fold of a cross-fit chooses its own
    thresholds = [admitted.threshold] * len(p_tp)
    fitted = None
    if options.cross_fit is not None:
        assert model.run is not None, "admit takes no other"
        fitted = _cross_fit(model.run, data, options.cross_fit, options.used_seed)
        p_tp, thresholds = list(fitted.scores.p_tp), list(fitted.scores.thresholds)
    predictions = make_predictions(data.samples, encoded, p_tp, thresholds)
    untouched = None if fitted is None else fitted.untouched
    done = Evaluation(
        run=model.name,
        model_sha256=admitted.sha256,
        data=data,
        directory=directory,
        options=options,
        decision=admitted.decision,
        threshold=admitted.threshold,
        overlap=admitted.overlap,
        look=number,
        looks_log=log / FILE,
        audit=audit(data.samples, encoded, scorer.decision.answers),
        group_counts=count_groups(data.samples),
        breakdown=break_down(predictions, options.draws, options.used_seed),
        predictions=tuple(predictions),
        samples_per_s=len(predictions) / seconds,
        cross_fit=None if fitted is None else fitted.record,
        provenance=provenance(),
        calibration=admitted.calibration,
        untouched=None
        if untouched is None
        else break_down(
            make_predictions(data.samples, encoded, untouched.p_tp, untouched.thresholds),
            options.draws,
            options.used_seed,
        ).overall,
    )
    write(done)
    return done


def _check_form(decision: Decision, samples: Sequence[Sample]) -> None:
    """Warn of a model that reads prompts and is asked in other words than it was trained in."""
    form = form_of(sample.with_prompt for sample in samples)
    # given prompts are used as they are: they may be of another making, which no form can replace
    if decision.input_fields is None and form != decision.prompt_form:
        logger.warning(
            "the prompts of the data are of form %d, and the model was trained on those of form %d",
            form,
            decision.prompt_form,
        )


def _cross_fit(run: RunLayout, data: Labelled, folds: int, seed: int) -> CrossFitted:
    """Fine-tune the run on folds of the data; each fold's progress goes to the log."""
    config = load_config(run)

    def fit(
        train: Sequence[Sample], held_out: Sequence[Sample], epochs: Sequence[int]
    ) -> list[LogOdds]:
        return fine_tune(run, config, train, held_out, epochs, seed)

    return cross_fit(data.samples, fit, folds, seed, logger.info)


def make_predictions(
    samples: Sequence[Sample],
    encoded: Sequence[Encoded],
    p_tp: Sequence[float],
    thresholds: Sequence[float],
) -> list[Prediction]:
    """One prediction a sample, in their order: TP where p(TP) reaches the sample's threshold."""
    return [
        _prediction(index, *row)
        for index, row in enumerate(zip(samples, encoded, p_tp, thresholds, strict=True))
    ]


def _prediction(
    index: int, sample: Sample, encoded: Encoded, p_tp: float, threshold: float
) -> Prediction:
    assert sample.label is not None, "read_labelled takes no other"
    return Prediction(
        index=index,
        key=sample.key,
        file=sample.file,
        line=sample.line,
        smell=sample.smell,
        technology=sample.technology,
        group=sample.group,
        label=sample.label,
        p_tp=p_tp,
        # >= as in choose_threshold, and as read_predictions checks; LABELS has TP at 1
        decision=LABELS[p_tp >= threshold],
        threshold=threshold,
        tokens_dropped=encoded.tokens_dropped,
        lines_dropped=encoded.lines_dropped,
        over_max_length=encoded.over_max_length,
    )
