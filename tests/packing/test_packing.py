"""Packed rows give the losses, gradients and logits of padded batches."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from iacfilter_hpc.config.schema import Lora
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.dataset import IGNORE_INDEX
from iacfilter_hpc.packing.attention import Segments, segment_attention, segments_of
from iacfilter_hpc.packing.attention_choice import choose_for_prompts, choose_for_snippets
from iacfilter_hpc.packing.collators import Batch, FlatCollator, PadCollator, Row, TreeCollator
from iacfilter_hpc.packing.prefix_cache import PromptScorer, _Begun, _Sorted
from iacfilter_hpc.packing.prefixes import Ids, grow
from iacfilter_hpc.training.approaches.encoder import class_logits, first_position, load_classifier
from iacfilter_hpc.training.approaches.generative import (
    answer_logits,
    answer_losses,
    tree_logits,
    tree_losses,
)
from iacfilter_hpc.training.approaches.lora import add_adapter
from tests.packing.mask_attention import attend_by_mask, pair_mask
from tests.training.settings import TRAINS, run_config

pytestmark = TRAINS

CPU = torch.device("cpu")
ANSWERS = Answers((), (7,), (9,))
LORA = Lora(r=4, lora_alpha=8, lora_dropout=0.0, target_modules="all-linear")
SMALL = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
}


def llama(kv_heads: int = 4, seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(**SMALL, num_key_value_heads=kv_heads, initializer_range=0.2)
    ).eval()


def prompts(count: int, seed: int = 0) -> list[Ids]:
    """Prompts that share a root, one of three prefixes below it, and some their code."""
    draw = random.Random(seed)
    tokens = lambda n: [draw.randrange(3, 300) for _ in range(n)]  # noqa: E731
    root = tokens(30)
    smells = [root + tokens(40) for _ in range(3)]
    made = [tuple(smells[i % 3] + tokens(draw.randint(1, 60))) for i in range(count - 4)]
    # the whole of another, a beginning of another, nothing in common, a single token
    return [*made, made[0], made[1][:-1], tuple(tokens(50)), (5,)]


def training_rows(count: int) -> list[Row]:
    """With answers of one to three tokens, and one sample twice with either answer."""
    draw = random.Random(1)
    made = []
    for i, ids in enumerate(prompts(count)):
        answer = [draw.randrange(3, 300) for _ in range(1 + i % 3)] + [2]
        labels = [IGNORE_INDEX] * len(ids) + answer
        made.append(Row(input_ids=[*ids, *answer], labels=labels, label=i % 2))
    other = [*made[0]["input_ids"][:-2], 8, 2]
    return [*made, Row(input_ids=other, labels=[*made[0]["labels"][:-2], 8, 2], label=1)]


def gradients(
    model: nn.Module, batch: Batch, losses_of: Callable[[nn.Module, Batch], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The losses [rows], and the gradient of their mean, flat."""
    model.zero_grad()
    losses = losses_of(model, batch)
    losses.mean().backward()
    found = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return losses.detach(), torch.cat(found)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm())


def by_segments(model: PreTrainedModel) -> None:
    assert choose_for_prompts(model, CPU, "segments", 128).packed == "segments"


def test_each_token_of_a_tree_sees_its_path() -> None:
    """What the reference is, in full: a root of two tokens, a branch of two, a branch of one."""
    segments = segments_of(grow([(1, 2, 3, 4), (1, 2, 5)], 1))
    assert (segments.lengths, segments.paths) == ([2, 2, 1], [(), (0,), (0,)])
    assert pair_mask(segments, 1).int().tolist() == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 0],
        [1, 1, 1, 0, 0, 1],
    ]


@pytest.mark.parametrize("attend", [attend_by_mask, by_segments])
@pytest.mark.parametrize("kv_heads", [1, 4])
def test_gradients_of_all_weights(attend: Callable[[PreTrainedModel], None], kv_heads: int) -> None:
    model, rows = llama(kv_heads), training_rows(16)
    losses, expected = gradients(model, PadCollator(0)(rows), answer_losses)
    attend(model)
    found_losses, found = gradients(model, TreeCollator()(rows), tree_losses)
    assert torch.allclose(found_losses, losses, atol=1e-4, rtol=1e-5)
    assert difference(found, expected) <= 1e-5


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_of_an_adapter(checkpointing: bool) -> None:
    config = run_config("generative", training__activation_checkpointing=checkpointing)
    base, rows = llama(), training_rows(16)
    torch.manual_seed(1)
    model = add_adapter(base, LORA, config.training)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at first, which would make the gradients of A zero
            nn.init.normal_(parameter, std=0.1)
    _, expected = gradients(model, PadCollator(0)(rows), answer_losses)
    passes: list[object] = []
    base.model.layers[0].mlp.register_forward_pre_hook(lambda *given: passes.append(given[0]))
    if checkpointing:
        base.activation_checkpointing_enable()
        model.train()
    choose_for_prompts(base, CPU, "segments", 128)
    _, found = gradients(model, TreeCollator()(rows), tree_losses)
    assert len(passes) == (2 if checkpointing else 1), "recomputed, or not"
    assert len(found) == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert difference(found, expected) <= 1e-5


@pytest.mark.parametrize("attend", [attend_by_mask, by_segments])
def test_logits_of_decisions(attend: Callable[[PreTrainedModel], None]) -> None:
    model = llama(2)
    rows = [Row(input_ids=list(ids), label=0) for ids in prompts(12)]
    with torch.no_grad():
        expected = answer_logits(model, PadCollator(0)(rows), ANSWERS)
        attend(model)
        found = tree_logits(model, TreeCollator()(rows), ANSWERS)
    assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["mistral", "qwen2"])
def test_other_families(kind: str) -> None:
    torch.manual_seed(0)
    model: PreTrainedModel
    if kind == "mistral":
        model = MistralForCausalLM(
            MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=None)
        )
    else:
        model = Qwen2ForCausalLM(Qwen2Config(**SMALL, num_key_value_heads=2))
    rows = training_rows(10)
    _, expected = gradients(model, PadCollator(0)(rows), answer_losses)
    choice = choose_for_prompts(model, CPU, "auto", 128)
    assert choice.packed == "segments"
    _, found = gradients(model, TreeCollator()(rows), tree_losses)
    assert difference(found, expected) <= 1e-5


def test_a_model_that_sees_only_so_far_is_not_packed() -> None:
    model = MistralForCausalLM(MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=16))
    choice = choose_for_prompts(model, CPU, "auto", 128)
    assert choice.describe() == "padded batches: MistralForCausalLM sees only 16 tokens back"
    assert model.config._attn_implementation == "sdpa"
    choice = choose_for_prompts(model, CPU, "auto", 16)
    assert choice.packed == "segments", "no prompt is longer than what it sees"


def test_attention_of_a_kind_that_packed_rows_have_not() -> None:
    query = torch.zeros(1, 1, 1, 4)
    with pytest.raises(TrainingError, match="Linear attends with softcap"):
        segment_attention(
            nn.Linear(1, 1), query, query, query, None, segments=Segments([1], [()]), softcap=2.0
        )


def test_what_is_cached_is_no_more_than_it_has_to_be() -> None:
    """A beginning's keys are neither views of larger ones nor grown by what goes on from it."""
    scorer = PromptScorer(llama(), (7, 9), 100)
    choose_for_prompts(scorer.model, CPU, "segments", 128)  # type: ignore[arg-type]
    with torch.no_grad():
        begun = scorer._further(_Begun(0, ()), tuple(range(40)))
        list(scorer._at_once(begun, [(*range(40), i) for i in range(50)]))
        further = scorer._further(begun, tuple(range(60)))
    for made, length in ((begun, 40), (further, 60)):
        keys = made.layers[0][0]
        assert keys.shape[2] == length
        assert keys.untyped_storage().nbytes() == keys.numel() * keys.element_size()


def test_prompts_that_branch_at_every_token() -> None:
    """Far deeper than Python would recurse; a model that computes nothing."""
    prompts = [(*[1] * i, 2, *range(3, 40)) for i in range(3000)]
    config = LlamaConfig(**{**SMALL, "num_hidden_layers": 1, "max_position_embeddings": 4096})
    model = LlamaForCausalLM(config).eval()
    choose_for_prompts(model, CPU, "segments", 4096)
    with torch.no_grad():
        found = dict(PromptScorer(model, (7, 9), 100_000).score(prompts[::60]))
    assert found.keys() == set(prompts[::60])
    rows = _Sorted(prompts)
    assert rows.size(0, len(rows.ids), 0) == grow(prompts, 1).size


def test_an_answer_that_was_lost() -> None:
    row = Row(input_ids=[5, 6, 7], labels=[IGNORE_INDEX] * 3, label=0)
    with pytest.raises(TrainingError, match="its answer was lost"):
        TreeCollator()([row])


@dataclass(slots=True)
class Counted:
    """Tokens of each forward pass."""

    tokens: list[int]

    def __call__(self, module: nn.Module, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        self.tokens.append(kwargs["input_ids"].shape[1])


@pytest.mark.parametrize("attend", [attend_by_mask, by_segments])
@pytest.mark.parametrize("budget", [1, 60, 150, 10_000])
def test_cached_prefixes_change_no_logit(
    budget: int, attend: Callable[[PreTrainedModel], None]
) -> None:
    model, asked = llama(2), prompts(40)
    with torch.no_grad():
        plain = {ids: model(torch.tensor([ids])).logits[0, -1, [7, 9]] for ids in asked}
        attend(model)
        counted = Counted([])
        model.register_forward_pre_hook(counted, with_kwargs=True)
        found = dict(PromptScorer(model, (7, 9), budget).score(asked))
    assert found.keys() == plain.keys()
    for ids, (one, other) in found.items():
        assert abs(float((one - other) - (plain[ids][0] - plain[ids][1]))) <= 1e-4
    longest = max(map(len, asked))
    assert max(counted.tokens) <= max(budget, longest)
    tree = len({ids[:n] for ids in asked for n in range(1, len(ids) + 1)})
    # shared prefixes of less than 32 tokens are computed again
    assert tree <= sum(counted.tokens) <= 1.1 * tree
    assert sum(counted.tokens) < 0.6 * sum(map(len, set(asked)))


def test_no_prompts() -> None:
    assert list(PromptScorer(llama(), (7, 9), 100).score([])) == []


def snippets(count: int) -> list[Row]:
    draw = random.Random(2)
    return [
        Row(
            input_ids=[0, *(draw.randrange(5, 300) for _ in range(draw.randint(1, 60))), 2],
            label=i % 2,
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_encoder(kind: str, tiny_encoder: Path) -> None:
    model: PreTrainedModel
    if kind == "roberta":
        model = load_classifier(tiny_encoder, None, "float32").eval()
    else:
        torch.manual_seed(0)
        model = BertForSequenceClassification(BertConfig(**SMALL)).eval()

    def losses(model: nn.Module, batch: Batch) -> torch.Tensor:
        logits = class_logits(model, batch)
        return nn.functional.cross_entropy(logits, batch["label"], reduction="none")

    # more tokens in the row than the model has positions
    rows = snippets(40)
    assert sum(len(row["input_ids"]) for row in rows) > 600
    pad = 1 if kind == "roberta" else 0
    expected_losses, expected = gradients(model, PadCollator(pad)(rows), losses)
    assert choose_for_snippets(model, "auto").packed == "blocks"
    found_losses, found = gradients(model, FlatCollator(first_position(model))(rows), losses)
    assert torch.allclose(found_losses, expected_losses, atol=1e-5)
    assert difference(found, expected) <= 1e-5


def test_an_encoder_that_is_not_known_is_padded() -> None:
    choice = choose_for_snippets(nn.Linear(1, 1), "auto")  # type: ignore[arg-type]
    assert choice.describe() == "padded batches: Linear is not known to take packed rows"
