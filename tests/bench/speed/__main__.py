"""Measure, print and write speed.json: python -m tests.bench.speed [DATA] [--quick]."""

from __future__ import annotations

import argparse
import json
import platform
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from iacfilter_hpc.packing.attention import Segments
from iacfilter_hpc.packing.attention_choice import choose_for_prompts, choose_for_snippets
from iacfilter_hpc.packing.collators import TreeCollator
from iacfilter_hpc.packing.prefixes import Tree
from iacfilter_hpc.training.approaches.encoder import Encoder, first_position
from iacfilter_hpc.training.approaches.generative import Generative
from tests.bench.speed import forms, workloads
from tests.bench.speed.measure import MIB, Measured, Piece, in_turns, matmul_peak, peak_bytes

BUDGET = 3584
"""Tokens of a micro-batch of prompts, so that it needs no more memory than a bucketed one of 8."""
SCORED = {
    "generative": Generative.tokens_per_batch["cpu"],
    "encoder": Encoder.tokens_per_batch["cpu"],
}
"""Tokens computed at once in scoring, as iacfilter-evaluate does."""
ROUNDS = 12
"""Turns of the forms: a slow moment of the machine then meets all of them."""
STEP = 128
"""Samples of an optimizer step."""
CPU = torch.device("cpu")


Part = tuple["list[Line]", dict[str, float]]
"""A line a form, and facts about the part."""


@dataclass(frozen=True, slots=True)
class Line:
    """A form, measured; ratios are of samples a second."""

    part: str
    form: str
    samples: int
    samples_per_second: float
    tokens_per_sample: float
    useful: float
    to_a: float
    to_c: float
    peak_mib: float

    def text(self) -> str:
        """The line, for a terminal."""
        return (
            f"{self.part:24} {self.form:34} {self.samples_per_second:9.2f}/s "
            f"{self.tokens_per_sample:7.1f} tokens {self.useful:6.1%} useful "
            f"{self.to_a:6.2f}x {self.to_c:6.2f}x {self.peak_mib:6.0f} MiB"
        )


def lines(
    part: str, found: dict[str, Measured], whole: Mapping[str, Sequence[Piece]], *against: str
) -> list[Line]:
    """A line a form, against two of them; of `whole`, all pieces, the largest tells memory."""
    first, second = (found[name].rate for name in against)
    return [
        Line(
            part,
            name,
            m.samples,
            round(m.rate, 3),
            round(m.tokens / m.samples, 1),
            round(m.useful / m.tokens, 3),
            round(m.rate / first, 2),
            round(m.rate / second, 2),
            round(peak_bytes(whole[name]) / MIB),
        )
        for name, m in found.items()
    ]


def train_prompts(prompts: workloads.Prompts, few: int) -> Part:
    """Every form of generative training on one step of a set."""
    rows = random.Random(1).sample(prompts.rows(), STEP)
    plain, packed = workloads.causal(adapter=True), workloads.causal(adapter=True)
    base: Any = packed.get_base_model()  # type: ignore[operator]
    choose_for_prompts(base, CPU, "segments", 2048)
    made = forms.prompt_training(plain, prompts, rows, BUDGET)
    ours = forms.prompt_training(packed, prompts, rows, BUDGET)
    chosen = {
        name: ours[name] if name[0] in "ue" else thinned(pieces, few)
        for name, pieces in made.items()
    }
    warm_up(chosen)
    found = in_turns(chosen, rounds=ROUNDS)
    last = found["e packed, prefixes shared"]
    u = found["u packed, nothing shared"]
    drawn = workloads.Prompts("", tuple(tuple(r["input_ids"][:-1]) for r in rows), 0)
    trees = [TreeCollator()(m)["tree"] for m in forms.packed(rows, BUDGET, "tree")]
    gflops = sum(training_flops(packed, tree) for tree in trees) / 1e9
    facts = {
        "L of the set": round(prompts.sharing, 3),
        "L of the step": round(drawn.sharing, 3),
        "e to u": round(last.rate / u.rate, 3),
        "share of L of the set": round(last.rate / u.rate / prompts.sharing, 3),
        "overhead": round(overhead(rows) / last.seconds, 4),
        "GFLOP a second": round(gflops / last.seconds, 1),
        "loss, e less u": float(sum(last.kept) - sum(u.kept)),  # type: ignore[arg-type]
    }
    a, c = "a pad to limit, all logits", "c bucketed, all logits"
    all_pieces = {**made, **{name: ours[name] for name in ours if name[0] in "ue"}}
    return lines(f"train {prompts.name}", found, all_pieces, a, c), facts


def training_flops(model: Any, tree: Tree) -> float:
    """Multiplications and additions of a step's forward and backward pass, none of them wasted.

    A frozen weight: 2 a token forward and 2 back; one of LoRA 2 more, for its own gradient. A pair
    of tokens that sees each other: 4 d forward, 8 d back, in each layer.
    """
    frozen = sum(
        p.numel()
        for n, p in model.named_parameters()
        if "layers" in n and not p.requires_grad and p.dim() == 2
    )
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    config = model.config
    pairs = sum(len(n.ids) * (n.depth + (len(n.ids) + 1) / 2) for n in tree.nodes)
    attention = 12 * config.hidden_size * config.num_hidden_layers * pairs
    return float((4 * frozen + 6 * trained) * tree.size + attention)


def overhead(rows: Sequence[Any]) -> float:
    """Seconds of what is not the model's work: grouping, tensors, trees and masks."""
    import time

    started = time.perf_counter()
    collate = TreeCollator()
    for micro in forms.packed(rows, BUDGET, "tree"):
        tree = collate(micro)["tree"]
        segments = Segments([len(n.ids) for n in tree.nodes], [n.path for n in tree.nodes])
        for node in tree.nodes:
            if node.path:
                segments.mask(len(node.ids), node.depth + len(node.ids), torch.zeros(1))
    return time.perf_counter() - started


def score_prompts(prompts: workloads.Prompts, few: int) -> Part:
    """Every form of generative scoring on a set."""
    plain, packed = workloads.causal(adapter=False), workloads.causal(adapter=False)
    choose_for_prompts(packed, CPU, "segments", 2048)  # type: ignore[arg-type]
    with torch.inference_mode():
        made = forms.prompt_scoring(packed, plain, prompts, SCORED["generative"], few)
        found = in_turns(made, rounds=ROUNDS)
        one, bucketed = "generate 10 tokens, one by one", "c one forward, bucketed by 8"
        done = lines(f"score {prompts.name}", found, made, one, bucketed)
    e, u = found["e prefixes cached"], found["u packed, nothing shared"]
    facts = {
        "L of the set": round(prompts.sharing, 3),
        "e to u": round(e.rate / u.rate, 3),
        "share of L of the set": round(e.rate / u.rate / prompts.sharing, 3),
    }
    return done, facts


def encode(detections: Sequence[Any], few: int) -> Part:
    """Every form of the encoder, in training (a step of 128) and scoring."""
    rows = workloads.snippets(detections)
    plain, packed = workloads.encoder(), workloads.encoder()
    choose_for_snippets(packed, "auto")
    first = first_position(packed)
    drawn = random.Random(1).sample(rows, STEP)
    made = forms.snippet_training(plain, drawn, BUDGET // 4, first)
    ours = forms.snippet_training(packed, drawn, BUDGET // 4, first)
    chosen = {**made, "e packed": ours["e packed"]}
    chosen["a pad to limit"] = thinned(chosen["a pad to limit"], few)
    warm_up(chosen)
    trained = in_turns(chosen, rounds=ROUNDS)
    plain.eval(), packed.eval()
    with torch.inference_mode():
        scoring = forms.snippet_scoring(packed, plain, rows, SCORED["encoder"], first, few)
        warm_up(scoring)
        scored = in_turns(scoring, rounds=ROUNDS)
        scored_lines = lines(
            "score encoder", scored, scoring, "a pad to limit, by 16", "c bucketed by 16"
        )
    limit = 256 * len(drawn) / sum(len(row["input_ids"]) for row in drawn)
    facts = {
        "limit of training": round(limit, 2),
        "limit of scoring": round(256 * len(rows) / sum(len(r["input_ids"]) for r in rows), 2),
    }
    return [
        *lines("train encoder", trained, chosen, "a pad to limit", "c bucketed"),
        *scored_lines,
    ], facts


def thinned(pieces: Sequence[Piece], few: int) -> list[Piece]:
    """About `few` samples of a slow form, evenly spaced."""
    every = max(1, len(pieces) * forms.AT_ONCE // few)
    return list(pieces[every // 2 :: every])


def warm_up(made: dict[str, Sequence[Piece]] | dict[str, list[Piece]]) -> None:
    """The smallest piece of each form once, unmeasured."""
    for pieces in made.values():
        min(pieces, key=lambda piece: piece.tokens).work()


def machine() -> str:
    """What this is, in words."""
    text = Path("/proc/cpuinfo").read_text()
    name = next(
        line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line
    )
    threads = torch.get_num_threads()
    return f"{name}, {threads} threads, {platform.machine()}, float32, PyTorch {torch.__version__}"


def main() -> None:
    """Print and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, help="folder with corpus/pilot_train.jsonl")
    parser.add_argument("--few", type=int, default=24, help="samples of the slowest forms")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="PART", help="the output keeps the other parts"
    )
    parser.add_argument("-o", dest="output", type=Path, default=Path("speed.json"))
    given = parser.parse_args()
    peak = matmul_peak()
    print(f"{machine()}: {peak / 1e9:.0f} GFLOP/s in matmul", flush=True)
    sets = workloads.prompt_sets(workloads.samples(given.data))
    parts: dict[str, Callable[[], Part]] = {
        "encoder": lambda: encode(workloads.samples(given.data), given.few)
    }
    for prompts in sets:
        parts[f"train {prompts.name}"] = lambda p=prompts: train_prompts(p, given.few)
        parts[f"score {prompts.name}"] = lambda p=prompts: score_prompts(p, given.few)
    before = json.loads(given.output.read_text()) if given.only else {"parts": {}}
    measured: dict[str, dict[str, Any]] = {}
    for name, measure in parts.items():
        if given.only and name not in given.only:
            measured[name] = before["parts"][name]
            continue
        found, facts = measure()
        if "GFLOP a second" in facts:
            now = (peak + matmul_peak()) / 2e9
            facts["share of matmul peak"] = round(facts["GFLOP a second"] / now, 3)
        for line in found:
            print(line.text())
        print(name, facts, flush=True)
        measured[name] = {"lines": [asdict(line) for line in found], "facts": facts}
    document = {
        "machine": machine(),
        "matmul_gflops": round(peak / 1e9, 1),
        "tokens_a_prompt": {p.name: round(p.tokens / len(p.ids), 1) for p in sets},
        "parts": measured,
    }
    given.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
