"""JSON document of a comparison: comparison.json, as plain types."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from iacfilter_hpc.comparison.compare import Comparison, Entry
from iacfilter_hpc.comparison.cost import Cost
from iacfilter_hpc.comparison.pipeline.misses import EndToEnd
from iacfilter_hpc.comparison.sentences import conclusions, varied
from iacfilter_hpc.comparison.statistics import Pair, SystemScores
from iacfilter_hpc.comparison.systems import Member
from iacfilter_hpc.evaluation.metrics import Scores

SCHEMA = 1


def document(done: Comparison) -> dict[str, Any]:
    """JSON document of a comparison: what comparison.json holds; enums appear as their words."""
    options = done.options
    bootstrap = {"draws": options.draws, "seed": options.used_seed, "level": 0.95}
    return {
        "schema": SCHEMA,
        "data": str(done.data.path),
        "sha256": done.data.sha256,
        "samples": len(done.data.samples),
        "labels": Counter(sample.label for sample in done.data.samples),
        "positive": "TP",
        # any number is one mode: which one stands with each member
        "threshold_mode": options.threshold if isinstance(options.threshold, str) else "fixed",
        "cross_fit": options.cross_fit,
        "bootstrap": {**bootstrap, **asdict(done.group_counts)},
        # the very sentences of the reports: a script need not draw conclusions of its own
        "conclusions": conclusions(done),
        "warnings": list(done.warnings),
        "left_out": list(done.left_out),
        "systems": [_system(entry) for entry in done.entries],
        "pairs": [_pair(pair) for pair in done.pairs],
        "teacher": done.teacher,
        "retention": [asdict(each) for each in done.retentions],
        "end_to_end": None if done.end_to_end is None else _end_to_end(done.end_to_end),
        "costs": [_cost(cost) for cost in done.costs],
        "provenance": asdict(done.provenance),
    }


def _system(entry: Entry) -> dict[str, Any]:
    system, breakdown = entry.system, entry.breakdown
    members = zip(system.members, breakdown.overall.members, strict=True)
    return {
        "name": system.name,
        "kind": system.kind,
        "protocol": system.protocol,
        "varied": varied(system),
        "overall": _subset(breakdown.overall),
        "macro_f1_by_smell": asdict(breakdown.macro_f1),
        # keyed by name for whoever looks one up; the order is that of names
        "by_smell": {each.name: _subset(each) for each in breakdown.by_smell},
        "by_technology": {each.name: _subset(each) for each in breakdown.by_technology},
        "members": [_member(member, scores) for member, scores in members],
    }


def _subset(subset: SystemScores) -> dict[str, Any]:
    return {
        "samples": subset.first.samples,
        "support": subset.first.support,
        "few_positives": subset.first.few_positives,
        "groups": subset.groups,
        "few_groups": subset.few_groups,
        **{key: asdict(measured) for key, measured in subset.measured.items()},
    }


def _member(member: Member, scores: Scores) -> dict[str, Any]:
    return {
        "name": member.name,
        "seed": member.seed,
        "fold_seed": member.fold_seed,
        "threshold": member.threshold,
        "threshold_origin": member.threshold_origin,
        "temperature": member.temperature,
        "look": member.look,
        "source": member.source,
        **scores.as_dict(),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "first_only": pair.mcnemar.first_only,
        "second_only": pair.mcnemar.second_only,
        "p": pair.mcnemar.p,
        "p_adjusted": pair.p_adjusted,
        "f1_difference": pair.difference,
        # of the difference within each draw, not of either score
        "interval": asdict(pair.interval) if pair.interval else None,
        "verdict": pair.separation,
    }


def _end_to_end(found: EndToEnd) -> dict[str, Any]:
    return {
        "misses": str(found.path),
        "missed": found.missed,
        "reported": found.reported,
        "kept_unjudged": found.kept,
        "systems": [
            {
                "name": title,
                "overall": _subset(breakdown.overall),
                "macro_f1_by_smell": asdict(breakdown.macro_f1),
                "by_smell": {each.name: _subset(each) for each in breakdown.by_smell},
            }
            for title, breakdown in found.breakdowns
        ],
    }


def _cost(cost: Cost) -> dict[str, Any]:
    # asdict leaves properties out
    return {**asdict(cost), "gpu_hours": cost.gpu_hours}
