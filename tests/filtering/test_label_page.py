"""iacfilter_hpc.filtering.label_page: what labels say of a threshold, and with how much doubt."""

from __future__ import annotations

import pytest

from iacfilter_hpc.evaluation.bootstrap import wilson
from iacfilter_hpc.filtering.label_page import figures
from tests.training.settings import TRAINS

pytestmark = TRAINS
LABELS = [(True, 0.9), (True, 0.8), (True, 0.3), (False, 0.7), *[(False, 0.1)] * 6]


def test_a_threshold_is_judged_by_the_labels() -> None:
    found = figures(LABELS, 0.5)
    assert found.labels == 10 and found.bound == 0.3
    assert found.recall and (found.recall.hits, found.recall.count) == (2, 3)
    assert found.precision and (found.precision.hits, found.precision.count) == (2, 3)
    assert found.removed and (found.removed.hits, found.removed.count) == (6, 7)
    assert (found.recall.low, found.recall.high) == wilson(2, 3)


def test_twenty_more_labels_would_narrow_the_interval() -> None:
    recall = figures(LABELS, 0.5).recall
    # ten labels become thirty, in the same proportions
    assert recall and recall.later == wilson(6, 9)
    assert recall.later[1] - recall.later[0] < recall.high - recall.low


@pytest.mark.parametrize("labels", [[], [(False, 0.1)]])
def test_a_share_of_nothing_is_none(labels: list[tuple[bool, float]]) -> None:
    found = figures(labels, 0.5)
    assert (found.recall, found.precision, found.bound) == (None, None, None)
