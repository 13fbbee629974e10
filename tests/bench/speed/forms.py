"""The forms of training and scoring, the slow and obvious ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.dataset import IGNORE_INDEX
from iacfilter_hpc.packing.attention_choice import choose_for_prompts
from iacfilter_hpc.packing.batch_sampler import Grouping, RowLayout, draw, group, key_of
from iacfilter_hpc.packing.collators import Batch, FlatCollator, PadCollator, Row, TreeCollator
from iacfilter_hpc.packing.prefix_cache import PromptScorer
from iacfilter_hpc.packing.prefixes import Ids
from iacfilter_hpc.training.approaches.encoder import class_logits
from iacfilter_hpc.training.approaches.generative import (
    answer_logits,
    answer_losses,
    tree_logits,
    tree_losses,
)
from iacfilter_hpc.training.approaches.scorer import batches_within
from tests.bench.speed.measure import Piece
from tests.bench.speed.workloads import FP, TP, Prompts, smallest

AT_ONCE = 8
"""Samples of a padded batch."""
NOTHING = 10**9
"""Tokens that a shared prefix must save, if none is to be shared."""


def batches(rows: Sequence[Row], size: int, by_length: bool) -> list[list[Row]]:
    """Rows in padded batches: as they come, or sorted by length."""
    ordered = sorted(rows, key=lambda row: len(row["input_ids"])) if by_length else list(rows)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def padded_to(rows: Sequence[Row], length: int, pad: int) -> Batch:
    """A padded batch of exactly `length` tokens a row."""
    filler = Row(input_ids=[pad] * length, label=0)
    if "labels" in rows[0]:
        filler["labels"] = [IGNORE_INDEX] * (length - 1) + [0]
    return {name: tensor[:-1] for name, tensor in PadCollator(pad)([*rows, filler]).items()}


def full_losses(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Cross entropy from logits of all positions and tokens, as a common trainer computes it."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    targets = batch["labels"][:, 1:]
    losses = nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), targets.flatten(), reduction="none"
    )
    return losses.view(targets.shape).sum(dim=1)


def snippet_losses(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Cross entropy of the two classes."""
    return nn.functional.cross_entropy(class_logits(model, batch), batch["label"], reduction="none")


def step(
    model: nn.Module,
    collate: Callable[[], Batch],
    losses: Callable[[nn.Module, Batch], torch.Tensor],
    rows: Sequence[Row],
    total: int,
) -> Piece:
    """Gradients of a micro-batch; its loss is its part of the mean over `total` samples."""
    tokens = collate()["input_ids"].numel()

    def work() -> float:
        loss = losses(model, collate()).sum() / total
        loss.backward()
        return loss.item()

    return Piece(work, len(rows), tokens, sum(len(row["input_ids"]) for row in rows))


def packed(rows: Sequence[Row], budget: int, layout: RowLayout, seed: int = 0) -> list[list[Row]]:
    """The micro-batches of a step of all rows, as our sampler makes them."""
    keys = [key_of(row["input_ids"]) for row in rows]
    (drawn,) = draw(len(rows), len(rows), seed, 0)
    micros = group(drawn, keys, Grouping(len(rows), 1, budget, layout))
    return [[rows[i] for i in micro] for micro in micros]


def prompt_training(
    model: nn.Module, prompts: Prompts, rows: Sequence[Row], budget: int
) -> dict[str, list[Piece]]:
    """Forms a to e, and u: packed like e, but nothing shared."""
    plain = PadCollator(0)
    total = len(rows)
    made: dict[str, list[Piece]] = {}
    made["a pad to limit, all logits"] = [
        step(model, lambda b=b: padded_to(b, prompts.limit, 0), full_losses, b, total)
        for b in batches(rows, AT_ONCE, False)
    ]
    made["b pad to longest, all logits"] = [
        step(model, lambda b=b: plain(b), full_losses, b, total)
        for b in batches(rows, AT_ONCE, False)
    ]
    made["c bucketed, all logits"] = [
        step(model, lambda b=b: plain(b), full_losses, b, total)
        for b in batches(rows, AT_ONCE, True)
    ]
    made["d bucketed, answer logits"] = [
        step(model, lambda b=b: plain(b), answer_losses, b, total)
        for b in batches(rows, AT_ONCE, True)
    ]
    alone, tree = TreeCollator(NOTHING), TreeCollator()
    made["u packed, nothing shared"] = [
        step(model, lambda b=b: alone(b), tree_losses, b, total)
        for b in packed(rows, budget, "flat")
    ]
    made["e packed, prefixes shared"] = [
        step(model, lambda b=b: tree(b), tree_losses, b, total)
        for b in packed(rows, budget, "tree")
    ]
    return made


def snippet_training(
    model: Any, rows: Sequence[Row], budget: int, first: int
) -> dict[str, list[Piece]]:
    """The encoder's forms."""
    plain, flat = PadCollator(1), FlatCollator(first)
    total = len(rows)
    return {
        "a pad to limit": [
            step(model, lambda b=b: padded_to(b, 256, 1), snippet_losses, b, total)
            for b in batches(rows, AT_ONCE, False)
        ],
        "b pad to longest": [
            step(model, lambda b=b: plain(b), snippet_losses, b, total)
            for b in batches(rows, AT_ONCE, False)
        ],
        "c bucketed": [
            step(model, lambda b=b: plain(b), snippet_losses, b, total)
            for b in batches(rows, AT_ONCE, True)
        ],
        "e packed": [
            step(model, lambda b=b: flat(b), snippet_losses, b, total)
            for b in packed(rows, budget, "flat")
        ],
    }


def odds_of(logits: torch.Tensor) -> torch.Tensor:
    """Log-odds of TP, from logits of all tokens."""
    return logits[..., TP] - logits[..., FP]


def prompt_scoring(
    model: Any, plain: Any, prompts: Prompts, budget: int, few: int
) -> dict[str, list[Piece]]:
    """Generation and one forward pass one by one (`few` of them), batched, packed, shared."""
    ids = prompts.ids
    # of every length alike, or few of them would not stand for all
    every_length = sorted(ids, key=len)
    apart = max(1, len(ids) // few)
    some = [list(row) for row in every_length[apart // 2 :: apart]]
    rows = [Row(input_ids=list(row), label=0) for row in ids]
    collate, alone = PadCollator(0), TreeCollator(NOTHING)

    def generate(row: list[int]) -> object:
        return plain.generate(
            torch.tensor([row]),
            max_new_tokens=10,
            min_new_tokens=10,
            do_sample=False,
            pad_token_id=0,
        )

    def forward(row: list[int]) -> list[float]:
        return odds_of(plain(torch.tensor([row]), logits_to_keep=1).logits[0]).tolist()

    answers = Answers((), (TP,), (FP,))
    longest = batches(rows, AT_ONCE, True)
    every = max(1, len(longest) // (few // 2))
    return {
        "generate 10 tokens, one by one": [
            Piece(partial(generate, r), 1, len(r) + 9, len(r)) for r in some
        ],
        "one forward, one by one": [Piece(partial(forward, r), 1, len(r), len(r)) for r in some],
        "c one forward, bucketed by 8": [
            _scored(lambda b=b: answer_logits(plain, collate(b), answers), b, _padded_size(b))
            for b in longest[every // 2 :: every]
        ],
        "u packed, nothing shared": [
            _scored(lambda b=b: tree_logits(model, alone(b), answers), b, _size(b))
            for b in packed(rows, budget, "flat")[every // 2 :: every]
        ],
        "e prefixes cached": cached(model, prompts, budget),
    }


def cached(model: Any, prompts: Prompts, budget: int) -> list[Piece]:
    """All prompts of a set, as iacfilter-evaluate scores them, in eight stretches of their order.

    Each stretch computes its beginnings anew; in turns with the other forms it is worth that.
    """
    scorer, ids = PromptScorer(model, (FP, TP), budget), sorted(prompts.ids)
    cuts = [len(ids) * i // 8 for i in range(9)]
    return [
        Piece(
            lambda part=part: dict(scorer.score(part)),
            len(part),
            computed(part, budget),
            sum(map(len, part)),
        )
        for part in (ids[one:other] for one, other in pairwise(cuts))
    ]


def computed(ids: Sequence[Ids], budget: int) -> int:
    """Tokens that pass the model when prompts are scored with cached prefixes."""
    model, counted = smallest(), list[int]()
    choose_for_prompts(model, torch.device("cpu"), "segments", 2048)
    model.register_forward_pre_hook(
        lambda _, __, kwargs: counted.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    with torch.inference_mode():
        for _ in PromptScorer(model, (FP, TP), budget).score(ids):
            pass
    return sum(counted)


def snippet_scoring(
    model: Any, plain: Any, rows: Sequence[Row], budget: int, first: int, few: int
) -> dict[str, list[Piece]]:
    """The encoder's forms."""
    collate, flat = PadCollator(1), FlatCollator(first)
    by_ids = {tuple(row["input_ids"]): row for row in rows}
    every = max(1, len(rows) // 16 // (few // 8))
    within = [[by_ids[ids] for ids in b] for b in batches_within(by_ids, budget)]
    return {
        "a pad to limit, by 16": [
            _scored(lambda b=b: class_logits(plain, padded_to(b, 256, 1)), b, 256 * len(b))
            for b in batches(rows, 16, False)[::every]
        ],
        "b pad to longest, by 16": [
            _scored(lambda b=b: class_logits(plain, collate(b)), b, _padded_size(b))
            for b in batches(rows, 16, False)
        ],
        "c bucketed by 16": [
            _scored(lambda b=b: class_logits(plain, collate(b)), b, _padded_size(b))
            for b in batches(rows, 16, True)
        ],
        "e packed, equal ones once": [
            Piece(
                lambda: [class_logits(model, flat(b)).tolist() for b in within],
                len(rows),
                sum(map(_size, within)),
                _size(rows),
            )
        ],
    }


def _scored(work: Callable[[], torch.Tensor], rows: Sequence[Row], tokens: int) -> Piece:
    return Piece(lambda: work().tolist(), len(rows), tokens, _size(rows))


def _size(rows: Sequence[Row]) -> int:
    return sum(len(row["input_ids"]) for row in rows)


def _padded_size(rows: Sequence[Row]) -> int:
    return len(rows) * max(len(row["input_ids"]) for row in rows)
