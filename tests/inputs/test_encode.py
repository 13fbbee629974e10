"""Rows, labels and batches are what the loss and the model expect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from iacfilter_hpc.errors import DataError, TrainingError
from iacfilter_hpc.inputs.dataset import read_both_classes, scoring_rows, training_rows
from iacfilter_hpc.inputs.encode import encode_fields
from iacfilter_hpc.inputs.encoded import Audit, audit
from iacfilter_hpc.inputs.tokenizer import PromptTokenizer, field_tokenizer, settle_special_tokens
from iacfilter_hpc.packing.collators import PadCollator, Row
from iacfilter_hpc.samples.sample import read_samples
from tests.inputs.encoding import encode_prompts
from tests.training.settings import DEMO, sample

pytestmark = pytest.mark.train


def test_only_answer_and_eos_are_labels(prompt_tokenizer: PromptTokenizer) -> None:
    samples = read_samples(DEMO / "train.jsonl")
    encoded = encode_prompts(samples, prompt_tokenizer, 1024, 4096)
    rows = training_rows(samples, encoded, prompt_tokenizer)
    for made, prompt, row in zip(samples, encoded, rows, strict=True):
        answer = prompt_tokenizer.answers.tp if made.label == "TP" else prompt_tokenizer.answers.fp
        assert row["input_ids"] == [*prompt.ids, *answer, prompt_tokenizer.eos]
        assert row["labels"] == [-100] * len(prompt.ids) + [*answer, prompt_tokenizer.eos]
        assert row["label"] == (made.label == "TP")


def test_scoring_rows_hold_no_answer(prompt_tokenizer: PromptTokenizer) -> None:
    samples = read_samples(DEMO / "train.jsonl")
    rows = scoring_rows(samples, encode_prompts(samples, prompt_tokenizer, 1024, 4096))
    assert rows.column_names == ["input_ids", "label"]
    for made, row in zip(samples, rows, strict=True):
        assert prompt_tokenizer.tokenizer.decode(row["input_ids"]).endswith(
            made.with_prompt.rstrip()[-20:]
        )


def test_batches_are_padded_right_to_their_longest() -> None:
    rows = [
        Row(input_ids=[5, 6, 7], labels=[-100, -100, 7], label=1, length=3),
        Row(input_ids=[5, 0], labels=[-100, 0], label=0, length=2),
    ]
    batch = PadCollator(pad=0)(rows)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [5, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [[-100, -100, 7], [-100, 0, -100]]
    assert batch["label"].tolist() == [1, 0]


@pytest.mark.parametrize("labels", [[-100, -100, -100], [9, -100, -100]])
def test_a_row_without_answer_in_the_loss_is_refused(labels: list[int]) -> None:
    good = Row(input_ids=[5, 6, 7], labels=[-100, -100, 7], label=1)
    with pytest.raises(TrainingError, match="its answer was lost"):
        PadCollator(pad=0)([good, Row(input_ids=[9, 6, 7], labels=labels, label=0)])


def test_one_field_is_what_the_tokenizer_makes_of_it(
    encoder_tokenizer: PreTrainedTokenizerBase,
) -> None:
    made = sample(["  password: caf\u00e9"], 0)
    (encoded,) = encode_fields([made], field_tokenizer(encoder_tokenizer), ["content"], 256)
    assert list(encoded.ids) == encoder_tokenizer(made.content)["input_ids"]


def test_fields_are_joined_by_the_separator_and_cut_at_the_end(
    encoder_tokenizer: PreTrainedTokenizerBase,
) -> None:
    made = sample(["password: hunter2 " * 10], 0)
    fields = ["smell", "technology", "content"]
    (whole,) = encode_fields([made], field_tokenizer(encoder_tokenizer), fields, 256)
    text = f"<s>hard coded secret</s>ansible</s>{made.content}</s>"
    assert encoder_tokenizer.decode(whole.ids) == text
    (cut,) = encode_fields([made], field_tokenizer(encoder_tokenizer), fields, 20)
    assert cut.ids == (*whole.ids[:19], encoder_tokenizer.sep_token_id)
    assert cut.tokens_dropped == len(whole.ids) - 20
    assert audit([made, made], [whole, cut]).samples_cut == 1


def test_the_encoder_refuses_what_the_model_cannot_take(
    encoder_tokenizer: PreTrainedTokenizerBase, tiny_generative: Path
) -> None:
    with pytest.raises(TrainingError, match="more than the 512 tokens"):
        encode_fields([], field_tokenizer(encoder_tokenizer), ["content"], 513)


def test_a_pad_token_never_resizes_the_embeddings(
    encoder_tokenizer: PreTrainedTokenizerBase,
) -> None:
    from copy import deepcopy

    # GPT-2's and Qwen's way: one special token for all
    tokenizer = deepcopy(encoder_tokenizer)
    tokenizer.bos_token = tokenizer.unk_token = tokenizer.pad_token = tokenizer.eos_token
    with pytest.raises(TrainingError, match="no spare embedding row"):
        settle_special_tokens(deepcopy(tokenizer), len(tokenizer))
    rows = len(tokenizer) + 1
    settled = settle_special_tokens(tokenizer, rows)
    assert settled.eos != settled.pad < rows and settled.bos == ()


def test_technology_counts() -> None:
    samples = read_samples(DEMO / "train.jsonl")
    made = [sample(["a: b"], 0)]
    counts = audit([*samples, *made], [])
    guessed = sum(not each.technology_is_given for each in samples)
    assert (counts.samples, counts.technology_from_extension) == (len(samples) + 1, guessed)


def test_counts_of_one_are_told_in_the_singular() -> None:
    counts = Audit(
        samples=1,
        samples_cut=1,
        tokens_dropped=1,
        context_lines_dropped=1,
        kept_over_max_length=0,
        yes_no_mapped=1,
        technology_from_extension=1,
        technology_unknown=0,
    )
    assert counts.describe("test") == [
        "test: 1 sample",
        "test: 1 sample cut to fit max_length (1 context line, 1 token)",
        "test: 1 prompt asks for YES or NO; the instructions now ask for TP or FP, code is "
        "untouched",
        "test: technology taken from the file's extension in 1 sample, still unknown in 0",
    ]


def test_one_class_is_refused(tmp_path: Path) -> None:
    lines = (DEMO / "train.jsonl").read_text(encoding="utf-8").splitlines()
    one = [line for line in lines if json.loads(line)["label"] == "FP"]
    path = tmp_path / "one.jsonl"
    path.write_text("\n".join(one) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="no sample labelled TP"):
        read_both_classes(path)
