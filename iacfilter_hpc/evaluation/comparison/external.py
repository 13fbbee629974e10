"""Systems from files of predictions: our predictions.jsonl, or CSV; each row finds its sample."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.detections.samples import sha256_of
from iacfilter_hpc.errors import DataError, UsageError
from iacfilter_hpc.evaluation.comparison.decisions import ARGMAX, read_decisions
from iacfilter_hpc.evaluation.comparison.matching import matched
from iacfilter_hpc.evaluation.comparison.past import Past, read_past
from iacfilter_hpc.evaluation.comparison.systems import Member, Protocol, System
from iacfilter_hpc.evaluation.labelled import Labelled
from iacfilter_hpc.evaluation.predictions import read_predictions
from iacfilter_hpc.evaluation.results import METRICS, PREDICTIONS

JSON_STARTS_WITH = b"{"
HINT = "iacfilter-evaluate writes it and predictions.jsonl anew"


@dataclass(frozen=True, slots=True)
class Named:
    """A file of predictions, and what the system is to be called."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class _Read:
    member: Member
    protocol: Protocol


def read_systems(files: Sequence[Named], data: Labelled) -> list[System]:
    """A system a name, in the order given; files of one name are repeated runs of one system.

    Raises:
        DataError: a file cannot be read, has wrong rows, or is not of the samples in `data`.
        UsageError: files of one name came about in different ways.
    """
    by_name: dict[str, list[_Read]] = defaultdict(list)
    problems = []
    for file in files:
        try:
            by_name[file.name].append(_read(file, data))
        except DataError as error:
            problems.append(error)
    if problems:
        raise DataError("\n".join(e.message for e in problems), hint=problems[0].hint)
    return [_system(name, found) for name, found in by_name.items()]


def _system(name: str, found: Sequence[_Read]) -> System:
    protocols = sorted({each.protocol for each in found})
    if len(protocols) > 1:
        raise UsageError(
            f"--predictions {name}: its files are {' and '.join(protocols)}",
            hint="files of one name are repeated runs of one system; give others another name",
        )
    return System(name, "predictions", protocols[0], tuple(each.member for each in found))


def _read(file: Named, data: Labelled) -> _Read:
    try:
        with file.path.open("rb") as opened:
            start = opened.read(1)
    except OSError as error:
        raise DataError(f"{file.path} cannot be read: {error.strerror}") from error
    if not start:
        raise DataError(f"{file.path} is empty")
    return _ours(file, data) if start == JSON_STARTS_WITH else _csv(file, data)


def _ours(file: Named, data: Labelled) -> _Read:
    found = read_predictions(file.path)
    rows = matched(
        file.path,
        [(f"{file.path}:{row.index + 1}", row.key, row) for row in found],
        data,
        lambda sample: sample.key,
    )
    wrong = [
        f"{file.path}:{row.index + 1}: label is {row.label}, and {sample.label} in {data.path}"
        for row, sample in zip(rows, data.samples, strict=True)
        if row.label != sample.label
    ]
    if wrong:
        raise DataError("\n".join(wrong), hint="both must be of the same labelled samples")
    past, warnings = _past(file, data)
    thresholds = {row.threshold for row in rows}
    return _Read(
        Member(
            name=file.name,
            decided=tuple(row.decision == "TP" for row in rows),
            p_tp=_all_known([row.p_tp for row in rows]),
            threshold=thresholds.pop() if len(thresholds) == 1 else None,
            threshold_origin=_origin(past),
            source=str(file.path),
            temperature=past.temperature if past else None,
            fold_seed=past.cross_fit.seed if past and past.cross_fit else None,
            warnings=warnings,
        ),
        _protocol(past),
    )


def _past(file: Named, data: Labelled) -> tuple[Past | None, tuple[str, ...]]:
    """What metrics.json beside a predictions.jsonl says of it, and what is to be known of that.

    None where the two do not belong together: then nothing is known of how it came about.
    """
    folder = file.path.parent
    if file.path.name != PREDICTIONS or not (folder / METRICS).is_file():
        return None, ()
    past = read_past(folder, HINT)
    if past.sha256 != data.sha256:
        problem = f"is about data with the sha256 {past.sha256[:8]}, not about these"
    elif past.predictions_sha256 != sha256_of(file.path):
        problem = f"is not about {file.path} as it is now"
    else:
        return past, past.warnings
    return None, (f"{folder / METRICS} {problem}, so how these decisions came about is not known",)


def _csv(file: Named, data: Labelled) -> _Read:
    found = read_decisions(file.path)
    rows = matched(
        file.path,
        [(row.where, (row.file, row.line, row.smell), row) for row in found],
        data,
        lambda sample: (sample.file, sample.line, sample.smell),
    )
    follows = all(row.p_tp is not None and row.is_tp == (row.p_tp >= ARGMAX) for row in rows)
    return _Read(
        Member(
            name=file.name,
            decided=tuple(row.is_tp for row in rows),
            p_tp=_all_known([row.p_tp for row in rows]),
            threshold=ARGMAX if follows else None,
            threshold_origin="TP if p_tp >= 0.5" if follows else "decisions as the file has them",
            source=str(file.path),
        ),
        "external",
    )


def _all_known(p_tp: Sequence[float | None]) -> tuple[float, ...] | None:
    known = tuple(p for p in p_tp if p is not None)
    return known if len(known) == len(p_tp) else None


def _protocol(past: Past | None) -> Protocol:
    if past is None:
        return "external"
    if past.cross_fit:
        return "cross-fit"
    return "seen" if past.is_seen else "held-out"


def _origin(past: Past | None) -> str:
    if past is None:
        return "as the file has it"
    if past.cross_fit:
        return "chosen in each fold on the other folds"
    return f"{past.threshold_mode}, as its {METRICS} says"
