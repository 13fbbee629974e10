"""A real server of the protocol, `transformers serve`, with a tiny model that answers TP or FP.

The model is a llama of one layer that adds nothing, so that its next token follows from its last
one: of a prompt that ends with `a` it makes TP and an end, with `b` FP, with anything else rubbish.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.samples.sample import Sample, read_samples
from iacfilter_hpc.teaching.verdicts import NoLabel
from iacfilter_hpc.training.approaches.tiny import llama_tokenizer
from tests.teaching.conftest import Teach

LACKING = [
    name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None
]
pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(bool(LACKING), reason=f"transformers serve needs {', '.join(LACKING)}"),
]
CHAT = "{% for message in messages %}{{ message.content }}{% endfor %}"


def made_model(folder: Path) -> None:
    """Write the model: a token's embedding is a direction, which the head turns into the next."""
    tokenizer = llama_tokenizer(["a b x y"])
    tokenizer.chat_template = CHAT
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    layer, embedding = model.model.layers[0], model.model.embed_tokens.weight
    with torch.no_grad():
        for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight, embedding):
            weight.zero_()
        embedding[:, 63] = 1.0
        model.lm_head.weight.zero_()
        for direction, (last, following) in enumerate(steps(tokenizer)):
            embedding[last] = 0.0
            embedding[last, direction] = 1.0
            model.lm_head.weight[following, direction] = 100.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def steps(tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """Which token follows which, each last one once."""
    found: dict[int, int] = {}
    for end, answer in (("a", "TP"), ("b", "FP")):
        last: int = tokenizer.encode(f"x\n{end}", add_special_tokens=False)[-1]
        chain: Sequence[int] = [
            last,
            *tokenizer.encode(answer, add_special_tokens=False),
            tokenizer.eos_token_id,
        ]
        found |= dict(pairwise(chain))
    return list(found.items())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL and model of a server that runs on its own, as on a node of a cluster."""
    folder = tmp_path_factory.mktemp("teacher")
    made_model(folder / "tiny-teacher")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    program = [str(Path(sys.executable).with_name("transformers")), "serve", "tiny-teacher"]
    flags = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        [*program, *flags],
        cwd=folder,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 90
    while True:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert server.poll() is None and time.monotonic() < until, (folder / "log").read_text()
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/v1", "tiny-teacher"
    server.terminate()
    server.wait(timeout=30)
    log.close()


def test_a_real_server(
    served: tuple[str, str], taught: Teach, samples: list[Sample], tmp_path: Path
) -> None:
    url, model = served
    prompt = tmp_path / "prompt.j2"
    prompt.write_text("{{ sample.file }}\n{{ 'ab'[(sample.file | length) % 2] }}")
    done = taught(url, model=model, prompt=prompt, votes=2, timeout=60)
    wanted = ["FP" if len(sample.file) % 2 else "TP" for sample in samples]
    assert [each.label for each in read_samples(tmp_path / "taught.jsonl")] == wanted
    assert set(wanted) == {"TP", "FP"}
    lines = (tmp_path / "taught.answers.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert len(kept) == 24 and {each["model"] for each in kept} == {model}
    said = json.loads(kept[0]["raw"])
    assert said["object"] == "chat.completion" and said["choices"][0]["finish_reason"] == "stop"
    counted = [json.loads(each["raw"])["usage"] for each in kept]
    assert done.usage.prompt_tokens == sum(each["prompt_tokens"] for each in counted) > 24
    assert done.usage.completion_tokens == sum(each["completion_tokens"] for each in counted) > 24


def test_an_answer_that_says_nothing(served: tuple[str, str], taught: Teach) -> None:
    url, model = served
    done = taught(url, model=model, max_tokens=4, timeout=60)
    assert done.labels == {NoLabel.UNREADABLE: 12}


def test_what_a_real_server_refuses(served: tuple[str, str], taught: Teach) -> None:
    url, model = served
    with pytest.raises(IacfilterError, match=r"400 Bad Request: .*pinned to"):
        taught(url, model="other", timeout=60)
    with pytest.raises(IacfilterError, match="404 Not Found"):
        taught(url.removesuffix("/v1"), model=model, timeout=60)
    with pytest.raises(IacfilterError, match=r"422 .*Unexpected fields"):
        taught(url, model=model, body={"colour": "red"}, timeout=60)
