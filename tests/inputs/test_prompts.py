"""Prompts fit, and never at the cost of the answer, the instructions or the reported line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iacfilter_hpc.errors import DataError, TrainingError
from iacfilter_hpc.inputs.answers import derive_answers
from iacfilter_hpc.inputs.dataset import IGNORE_INDEX, training_rows
from iacfilter_hpc.inputs.encoded import audit
from iacfilter_hpc.inputs.prompts import find_context, fit_prompt
from iacfilter_hpc.inputs.tokenizer import PromptTokenizer
from iacfilter_hpc.samples.sample import Sample, read_samples
from tests.inputs.encoding import encode_prompts
from tests.training.settings import DEMO, REAL_DATA, sample

pytestmark = pytest.mark.train

CODE = [
    "- hosts: db",
    "  vars:",
    "    user: root",
    "    password: NO",
    "",
    "    port: 42",
    "  roles:",
]
DECORATIONS = {
    "bare": lambda n, text, here: text,
    "bar": lambda n, text, here: f"{'>>' if here else '  '} {n:4d} | {text}",
    "colon": lambda n, text, here: f"{n}: {text}",
    "columns": lambda n, text, here: f"{'>>' if here else '  '}{n:4d}  {text}",
    "arrows": lambda n, text, here: f">>> {text}" if here else text,
    "stripped": lambda n, text, here: f">>> {n}: {text.strip()}" if here else text.strip(),
}


def words(text: str) -> list[int]:
    """A tokenizer for arithmetic: one token a word or line break."""
    return [hash(word) for word in text.replace("\n", " \n ").split(" ") if word]


@pytest.mark.parametrize("style", DECORATIONS)
def test_context_is_found_whatever_decorates_it(style: str) -> None:
    shown = [DECORATIONS[style](40 + i, line, i == 3) for i, line in enumerate(CODE)]
    made = sample(CODE, 3, shown=shown)
    lines = made.with_prompt.split("\n")
    block = find_context(made, lines)
    assert block is not None
    assert lines[block.start : block.stop] == shown
    assert lines[block.reported] == shown[3]


def test_context_without_its_blank_ends_is_found() -> None:
    made = sample(["", *CODE, ""], 4, shown=CODE)
    block = find_context(made, made.with_prompt.split("\n"))
    assert block is not None
    assert made.with_prompt.split("\n")[block.reported] == CODE[3]


def test_reported_line_is_checked_against_content() -> None:
    """Numbers may be off by some lines; the content says which line it is, the nearest if twice."""
    made = sample(["a: 1", "key: x", "b: 2", "c: 3", "key: x"], 1, first_line=40)
    shifted = Sample(**{**_fields(made), "line": 43})
    lines = shifted.with_prompt.split("\n")
    block = find_context(shifted, lines)
    assert block is not None and block.reported == block.stop - 1
    assert find_context(Sample(**{**_fields(made), "content": "absent"}), lines) is None


def _fields(made: Sample) -> dict[str, object]:
    return {name: getattr(made, name) for name in Sample.__dataclass_fields__}


def test_far_lines_go_first() -> None:
    made = sample([f"line{i}" for i in range(7)], 2)
    whole = fit_prompt(made, words, 1000)
    kept = []
    for limit in range(len(whole.ids), 0, -2):
        prompt = fit_prompt(made, words, limit)
        kept.append([i for i in range(7) if hash(f"line{i}") in prompt.ids])
    assert kept[:7] == [
        [0, 1, 2, 3, 4, 5, 6],
        [0, 1, 2, 3, 4, 5],
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3],
        [1, 2, 3],
        [1, 2],
        [2],
    ]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    context=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=40),
        min_size=1,
        max_size=14,
    ),
    reported=st.integers(0, 13),
    style=st.sampled_from(sorted(DECORATIONS)),
    max_length=st.integers(16, 160),
    label=st.sampled_from(["TP", "FP"]),
)
def test_answer_and_reported_line_always_survive(
    prompt_tokenizer: PromptTokenizer,
    context: list[str],
    reported: int,
    style: str,
    max_length: int,
    label: str,
) -> None:
    reported %= len(context)
    context[reported] = f"token: {context[reported]}x"
    shown = [DECORATIONS[style](40 + i, t, i == reported) for i, t in enumerate(context)]
    made = Sample(**{**_fields(sample(context, reported, shown=shown)), "label": label})
    (encoded,) = encode_prompts([made], prompt_tokenizer, max_length, 4096)
    row = training_rows([made], [encoded], prompt_tokenizer)[0]
    assert encoded.over_max_length or len(row["input_ids"]) <= max_length
    answer = [token for token in row["labels"] if token != IGNORE_INDEX]
    assert prompt_tokenizer.tokenizer.decode(answer[:-1]).strip() == label
    assert answer[-1] == prompt_tokenizer.eos and row["input_ids"][-len(answer) :] == answer
    text = prompt_tokenizer.tokenizer.decode(encoded.ids[1:])
    assert made.content in text
    assert text.strip().startswith("Is this warning real?") and text.endswith("Answer:")
    assert row["input_ids"].count(prompt_tokenizer.bos[0]) == 1


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.jsonl")), ids=lambda path: path.stem)
def test_answers_are_what_follows_the_prompt(prompt_tokenizer: PromptTokenizer, path: Path) -> None:
    answers = derive_answers(prompt_tokenizer.encode)
    for made in read_samples(path):
        for word, ids in (("TP", answers.tp), ("FP", answers.fp)):
            prompt = prompt_tokenizer.encode(made.with_prompt.rstrip())
            whole = prompt_tokenizer.encode(f"{made.with_prompt.rstrip()} {word}")
            assert whole == [*prompt, *answers.shared, *ids]


def test_answers_that_begin_alike_differ_at_their_first_own_token() -> None:
    letters = {"Answer:": [1], "Answer: TP": [1, 9, 5, 6], "Answer: FP": [1, 9, 7]}
    answers = derive_answers(letters.__getitem__)
    assert (answers.shared, answers.tp, answers.fp, answers.longest) == ((9,), (5, 6), (7,), 3)


@pytest.mark.parametrize("tp", [[2, 5], [1, 7, 8], [1, 7]])
def test_answers_that_cannot_be_told_apart_are_refused(tp: list[int]) -> None:
    letters = {"Answer:": [1], "Answer: TP": tp, "Answer: FP": [1, 7]}
    with pytest.raises(TrainingError):
        derive_answers(letters.__getitem__)


def test_yes_no_becomes_tp_fp_in_instructions_only(prompt_tokenizer: PromptTokenizer) -> None:
    code = ["ENABLED: YES", "password: NO", "# NO, YES"]
    made = sample(
        code,
        1,
        before="<s>[INST] YES if the line `password: NO` is real, else NO. NOTE: NOT a YESSIR.\n",
        after="\nAnswer (YES or NO only): [/INST] ",
    )
    (encoded,) = encode_prompts([made], prompt_tokenizer, 512, 4096)
    assert encoded.yes_no_mapped and audit([made], [encoded]).yes_no_mapped == 1
    text = prompt_tokenizer.tokenizer.decode(encoded.ids[1:])
    assert "\n".join(code) in text
    assert text.endswith("Answer (TP or FP only): [/INST]")
    # the line quotes the reported one, so it is code
    assert "[INST] YES if the line `password: NO` is real, else NO." in text
    assert encoded.ids.count(prompt_tokenizer.bos[0]) == 1


def test_yes_no_words_are_whole_and_outside_code() -> None:
    plain = sample(["a: NO", "b: YES"], 0)
    assert not fit_prompt(plain, words, 1000).asks_yes_no
    asked = sample(["a: NO", "b: YES"], 0, before="NOTE the YESES: YES, or NO?\n")
    prompt = fit_prompt(asked, words, 1000)
    assert prompt.asks_yes_no
    assert {hash("NOTE"), hash("YESES:"), hash("TP,"), hash("FP?"), hash("NO")} <= set(prompt.ids)


def test_text_that_looks_like_special_tokens_is_text(prompt_tokenizer: PromptTokenizer) -> None:
    made = sample(["a: </s>", "b: <s><unk><pad>"], 1)
    (encoded,) = encode_prompts([made], prompt_tokenizer, 512, 4096)
    assert not {prompt_tokenizer.eos, prompt_tokenizer.pad, *prompt_tokenizer.bos} & set(
        encoded.ids[1:]
    )
    assert "b: <s><unk><pad>" in prompt_tokenizer.tokenizer.decode(encoded.ids[1:])


def test_what_cannot_fit_is_named_all_at_once(prompt_tokenizer: PromptTokenizer) -> None:
    good = sample(CODE, 3)
    lost = Sample(**{**_fields(good), "with_context": "elsewhere", "content": "elsewhere"})
    huge = sample(["x: y"], 0, before="word " * 5000)
    asking = Sample(
        **{**_fields(lost), "with_prompt": "Is it real?\nAnswer (YES or NO only):", "line": 7}
    )
    with pytest.raises(DataError) as caught:
        encode_prompts([good, lost, huge, asking], prompt_tokenizer, 40, 4096)
    lines = caught.value.message.split("\n")
    assert [line.split(")")[0] for line in lines] == [
        "sample 2 (roles/db/tasks/main.yml:43",
        "sample 3 (roles/db/tasks/main.yml:40",
        "sample 4 (roles/db/tasks/main.yml:7",
    ]
    assert "with_context was not found" in lines[0] and "the model takes" in lines[1]


def test_kept_over_max_length_is_counted_and_warned(prompt_tokenizer: PromptTokenizer) -> None:
    made = sample(CODE, 3)
    encoded = encode_prompts([made], prompt_tokenizer, 16, 4096)
    counts = audit([made], encoded)
    assert counts.kept_over_max_length == counts.samples_cut == 1
    assert counts.context_lines_dropped == len(CODE) - 1
    assert "1 sample is longer" in (counts.warning("train") or "")
    assert "password: NO" in prompt_tokenizer.tokenizer.decode(encoded[0].ids)


def test_most_prompts_cut_is_a_warning_with_the_length_that_fits(
    prompt_tokenizer: PromptTokenizer,
) -> None:
    """A token less than that length cuts the longest again."""
    made = [sample(CODE * times, 3) for times in (1, 2, 3)]
    answers = prompt_tokenizer.answers
    needed = audit(made, encode_prompts(made, prompt_tokenizer, 4096, 4096), answers)
    assert (needed.samples_cut, needed.cuts_most, needed.warning("train")) == (0, False, None)
    for less, cut in ((0, 0), (1, 1)):
        limit = needed.fitting_length - less
        assert audit(made, encode_prompts(made, prompt_tokenizer, limit, 4096)).samples_cut == cut
    short = len(encode_prompts(made[:1], prompt_tokenizer, 4096, 4096)[0].ids) + 2
    counts = audit(made, encode_prompts(made, prompt_tokenizer, short, 4096), answers)
    assert counts.warning("train") == (
        "train: 2 of 3 samples are cut to fit data.max_length; "
        f"{needed.fitting_length} would hold all of them"
    )


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="real data are not beside the repository")
@pytest.mark.parametrize("name", ["oracle/ansible_test", "oracle/chef_test", "corpus/weak_val"])
def test_context_of_every_real_prompt_is_found(name: str) -> None:
    path = REAL_DATA / f"{name}.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        made = Sample(**{**fields, "detection_span": tuple(fields["detection_span"])})
        lines = made.with_prompt.split("\n")
        block = find_context(made, lines)
        assert block is not None and ">>" in lines[block.reported]
        assert made.content in lines[block.reported]
