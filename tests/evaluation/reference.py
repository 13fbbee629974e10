"""The metrics once more, slowly: scikit-learn's where it has them, else as they are defined."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn import metrics

from iacfilter_hpc.evaluation.metrics import expected_calibration_error


def reference_scores(
    truth: Sequence[bool], decided: Sequence[bool], p_tp: Sequence[float]
) -> dict[str, float | None]:
    """Each metric of one set of decisions; None where it is not defined."""
    real, kept, both = any(truth), any(decided), len(set(truth)) == 2
    false_alarms = [d for t, d in zip(truth, decided, strict=True) if not t]
    return {
        "precision": metrics.precision_score(truth, decided) if kept else None,
        "recall": metrics.recall_score(truth, decided) if real else None,
        "f1": metrics.f1_score(truth, decided) if real or kept else None,
        "accuracy": metrics.accuracy_score(truth, decided) if truth else None,
        "mcc": (
            metrics.matthews_corrcoef(truth, decided) if both and len(set(decided)) == 2 else None
        ),
        "fp_reduction": false_alarms.count(False) / len(false_alarms) if false_alarms else None,
        "average_precision": metrics.average_precision_score(truth, p_tp) if both else None,
        "roc_auc": metrics.roc_auc_score(truth, p_tp) if both else None,
        "fp_reduction_at_recall_95": _fp_reduction_at(95, truth, p_tp) if both else None,
        "fp_reduction_at_recall_99": _fp_reduction_at(99, truth, p_tp) if both else None,
        "precision_at_recall_95": _precision_at(95, truth, p_tp) if both else None,
        "expected_calibration_error": expected_calibration_error(truth, p_tp),
    }


def _threshold(percent: int, truth: Sequence[bool], p_tp: Sequence[float]) -> float:
    """The highest p(TP) from which on so many of the real TPs are kept."""
    kept = sorted((p for real, p in zip(truth, p_tp, strict=True) if real), reverse=True)
    return next(p for i, p in enumerate(kept, start=1) if 100 * i >= percent * len(kept))


def _fp_reduction_at(percent: int, truth: Sequence[bool], p_tp: Sequence[float]) -> float:
    threshold = _threshold(percent, truth, p_tp)
    below = [p < threshold for real, p in zip(truth, p_tp, strict=True) if not real]
    return below.count(True) / len(below)


def _precision_at(percent: int, truth: Sequence[bool], p_tp: Sequence[float]) -> float:
    threshold = _threshold(percent, truth, p_tp)
    above = [real for real, p in zip(truth, p_tp, strict=True) if p >= threshold]
    return above.count(True) / len(above)
