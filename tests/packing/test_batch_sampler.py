"""Steps and micro-batches follow from seed, epoch, processes and tokens, and from nothing else."""

from __future__ import annotations

from itertools import chain

import pytest
import torch
from accelerate import skip_first_batches
from hypothesis import given, settings
from hypothesis import strategies as st

from iacfilter_hpc.config.batch_sizes import MOST_REPEATED, batch_sizes
from iacfilter_hpc.packing.batch_sampler import (
    Grouping,
    Micro,
    RowLayout,
    StepSampler,
    draw,
    group,
    key_of,
    sharing,
)
from iacfilter_hpc.packing.prefixes import grow
from iacfilter_hpc.training.trainer.decision_trainer import Micros, StepLoader
from tests.made_runs import demo_config

pytestmark = pytest.mark.train

IDS = [tuple([i % 3] * 20 + [i] * (1 + i * 37 % 60)) for i in range(50)]
KEYS = [key_of(ids) for ids in IDS]

ROWS = st.lists(
    st.lists(st.integers(0, 300), min_size=1, max_size=40).map(tuple), min_size=1, max_size=40
)
GROUPINGS = st.builds(
    Grouping,
    step=st.integers(1, 20),
    processes=st.integers(1, 5),
    budget=st.integers(1, 300),
    layout=st.sampled_from(["tree", "flat", "padded"]),
)


def epoch_of(rank: int, seed: int = 42, epoch: int = 1, processes: int = 2) -> list[list[Micro]]:
    sampler = StepSampler(KEYS, Grouping(8, processes, 200, "tree"), seed, rank)
    sampler.set_epoch(epoch)
    assert len(list(sampler)) == len(sampler) == 7
    return list(sampler)


def counted(micros: list[Micro]) -> list[int]:
    return [i for micro in micros for i in micro if i >= 0]


def test_pure() -> None:
    first = epoch_of(0)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert epoch_of(0) == first
    assert torch.equal(before, torch.get_rng_state())
    orders = {str(epoch_of(0, seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}
    assert len(orders) == 6


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
def test_processes_share_each_step(processes: int) -> None:
    """Whatever their number, a step sees the same samples, each once."""
    ranks = [epoch_of(rank, processes=processes) for rank in range(processes)]
    for drawn, *parts in zip(draw(50, 8, 42, 1), *ranks, strict=True):
        assert len({len(part) for part in parts}) == 1, "each makes as many forward passes"
        assert sorted(chain.from_iterable(counted(part) for part in parts)) == sorted(drawn)


@settings(deadline=None)
@given(ROWS, GROUPINGS)
def test_groups(rows: list[tuple[int, ...]], grouping: Grouping) -> None:
    keys = [key_of(ids) for ids in rows]
    micros = group(range(len(rows)), keys, grouping)
    assert sorted(counted(micros)) == list(range(len(rows)))
    assert len(micros) % grouping.processes == 0
    assert all(micros), "an empty micro-batch cannot be computed"
    for micro in micros:
        tokens = [rows[max(i, ~i)] for i in micro]
        size = {
            "tree": grow(tokens, 1).size,
            "flat": sum(map(len, tokens)),
            "padded": len(tokens) * max(map(len, tokens)),
        }[grouping.layout]
        assert size <= max(grouping.budget, *map(len, rows), 0)
        written_out = sum(map(len, tokens))
        assert written_out <= MOST_REPEATED * max(grouping.budget, *map(len, rows), 0)


@settings(deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=16), min_size=96, max_size=96),
    at_once=st.integers(1, 5),
    accumulation=st.integers(1, 4),
    processes=st.integers(1, 4),
    budget=st.none() | st.integers(1, 100),
    layout=st.sampled_from(["tree", "flat", "padded"]),
)
def test_a_step_takes_no_more_accumulation_than_is_told(
    rows: list[list[int]],
    at_once: int,
    accumulation: int,
    processes: int,
    budget: int | None,
    layout: RowLayout,
) -> None:
    told = batch_sizes(
        demo_config(
            "generative",
            "data.max_length=16",
            f"training.per_device_train_batch_size={at_once}",
            f"training.gradient_accumulation_steps={accumulation}",
            f"resources.gpus={processes}",
            f"packing.tokens_per_batch={'null' if budget is None else budget}",
        )
    )
    keys = [key_of(ids) for ids in rows[: told.samples_per_step]]
    tokens = budget or at_once * 16
    micros = group(range(len(keys)), keys, Grouping(len(keys), processes, tokens, layout))
    assert len(micros) <= told.accumulation_steps * processes


def test_samples_that_share_come_together() -> None:
    micros = group(range(12), KEYS, Grouping(12, 1, 200, "tree"))
    assert sorted([{IDS[i][0] for i in micro} for micro in micros], key=min) == [{0}, {1}, {2}]


def test_the_largest_comes_first() -> None:
    micros = group(range(50), KEYS, Grouping(50, 1, 200, "flat"))
    sizes = [sum(len(IDS[i]) for i in micro) for micro in micros]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) > 5


def test_a_process_without_a_sample_computes_one_that_does_not_count() -> None:
    micros = group([4, 7], KEYS, Grouping(8, 3, 2000, "tree"))
    assert sorted(map(str, micros)) == sorted(["(4,)", "(7,)", str((~7,))])


@given(st.lists(st.integers(0, 2**31), max_size=6), st.lists(st.integers(0, 2**31), max_size=6))
def test_keys_compare_as_tokens_do(one: list[int], other: list[int]) -> None:
    assert (key_of(one) < key_of(other)) == (one < other)


def test_the_trainer_passes_the_epoch_on_also_when_it_skips() -> None:
    sampler = StepSampler(KEYS, Grouping(8, 1, 200, "tree"), 42, 0)
    loader = StepLoader(Micros([{}] * 50), batch_sampler=sampler, collate_fn=list)  # type: ignore[arg-type]
    loader.set_epoch(1)
    assert list(sampler) == epoch_of(0, processes=1)
    rest = skip_first_batches(loader, 5)
    assert len(list(rest)) == 2
    # how the Trainer reaches the sampler then
    rest.batch_sampler.batch_sampler.set_epoch(2)
    assert list(rest.batch_sampler) == epoch_of(0, epoch=2, processes=1)[5:]


def test_what_is_shared_is_told() -> None:
    found = sharing(KEYS, Grouping(50, 1, 10_000, "tree"), seed=1)
    assert found.tokens == sum(map(len, IDS))
    assert found.tree == grow(IDS, 1).size == found.computed
    alone = sharing(KEYS, Grouping(1, 1, 10_000, "tree"), seed=1)
    assert alone.computed == alone.tokens
