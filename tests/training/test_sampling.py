"""The order of samples depends on seed, epoch and lengths, and on nothing else."""

from __future__ import annotations

import pytest
import torch
from accelerate.data_loader import prepare_data_loader
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from iacfilter_hpc.training.sampling import LengthBucketSampler

pytestmark = pytest.mark.train

LENGTHS = [(i * 37) % 100 + 1 for i in range(50)]


def order(seed: int, epoch: int) -> list[int]:
    sampler = LengthBucketSampler(LENGTHS, 8, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_pure() -> None:
    first = order(42, 1)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert order(42, 1) == first
    assert torch.equal(before, torch.get_rng_state())
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}) == 6


@settings(deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=80), st.integers(0, 2**32 - 1))
def test_every_sample_once_and_sorted_inside_a_step(lengths: list[int], seed: int) -> None:
    found = list(LengthBucketSampler(lengths, 8, seed))
    assert sorted(found) == list(range(len(lengths)))
    # the longest sample of all may have changed places to come first
    for start in range(8, len(found), 8):
        step = [lengths[i] for i in found[start : start + 8]]
        assert step[1:] == sorted(step[1:], reverse=True)
    assert lengths[found[0]] == max(lengths)


def test_accelerate_passes_the_epoch_through_its_shards() -> None:
    """Two processes see disjoint halves of the epoch's order."""
    for epoch in (0, 1):
        halves = []
        for rank in (0, 1):
            loader = DataLoader(
                range(48), batch_size=2, sampler=LengthBucketSampler(LENGTHS[:48], 8, 7)
            )
            shard = prepare_data_loader(
                loader, num_processes=2, process_index=rank, put_on_device=False
            )
            shard.set_epoch(epoch)
            halves.append(torch.cat(list(shard)).tolist())
        sampler = LengthBucketSampler(LENGTHS[:48], 8, 7)
        sampler.set_epoch(epoch)
        whole = list(sampler)
        assert halves[0] == [i for j, i in enumerate(whole) if j % 4 < 2]
        assert halves[1] == [i for j, i in enumerate(whole) if j % 4 >= 2]
