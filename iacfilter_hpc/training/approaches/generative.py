"""The generative approach: a causal model with LoRA that answers TP or FP after the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    TrainingArguments,
)
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from iacfilter_hpc.config.extras import NF4, check_extras
from iacfilter_hpc.config.schema import TINY, RunConfig
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.answers import Answers
from iacfilter_hpc.inputs.dataset import IGNORE_INDEX
from iacfilter_hpc.inputs.model_inputs import ModelInputs, PromptInputs
from iacfilter_hpc.inputs.tokenizer import load_tokenizer
from iacfilter_hpc.packing.attention import segments_of
from iacfilter_hpc.packing.attention_choice import choose_for_prompts
from iacfilter_hpc.packing.collators import Batch, PadCollator, TreeCollator
from iacfilter_hpc.packing.prefix_cache import PromptScorer
from iacfilter_hpc.packing.prefixes import Ids
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.trained_model.card import ADAPTER_ALONE, CardFacts
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.save import ADAPTER
from iacfilter_hpc.training.approaches.base import Approach, TrainableModel
from iacfilter_hpc.training.approaches.loading import PLAIN, Loading, attention_of, loading_for
from iacfilter_hpc.training.approaches.lora import add_adapter
from iacfilter_hpc.training.approaches.scorer import Logits, Scorer, logits_by_batch
from iacfilter_hpc.training.approaches.tiny import write_llama
from iacfilter_hpc.training.trainer.decision_trainer import DecisionTrainer


class GenerativeTrainer(DecisionTrainer):
    """Trainer of causal models: loss on answer and EOS only, decisions at the answer's position."""

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save adapter and tokenizer; every process must call this.

        Below ZeRO-3 each process holds whole weights, and the Trainer's own way through DeepSpeed
        would copy the frozen model to host memory once a process (13 GB each for 7B).
        """
        # Upstream, in its branch of is_deepspeed_enabled: accelerator.get_state_dict(deepspeed),
        # then _save with that. Only ZeRO-3 needs it, to gather the adapter; _save without a state
        # lets PEFT take the adapter's weights alone, on the process that should save.
        if is_deepspeed_zero3_enabled():
            super().save_model(output_dir, _internal_call)
        else:
            self._save(output_dir)

    def sample_losses(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Summed cross entropy of answer and EOS of each sample, shape [batch]."""
        return (tree_losses if "tree" in batch else answer_losses)(model, batch)

    def decision_logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Logits of FP and TP, shape [batch, 2]."""
        assert self.inputs.answers is not None, "PromptInputs has them"
        logits = tree_logits if "tree" in batch else answer_logits
        return logits(model, batch, self.inputs.answers)


def answer_losses(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Summed cross entropy of each row's labels, shape [batch]; logits only where labels are.

    All logits of a prompt of 672 tokens would take 205 MiB with CodeLlama's vocabulary of 32,016,
    an answer's less than 1 (computed: 2 + 4 + 4 bytes each, bfloat16, float32 and its gradient).
    """
    labels = batch["labels"]
    # the logits of a position predict the token after it
    predicting = torch.zeros_like(labels, dtype=torch.bool)
    predicting[:, :-1] = labels[:, 1:] != IGNORE_INDEX
    logits = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        logits_to_keep=predicting,
    ).logits
    targets = labels[:, 1:][predicting[:, :-1]]
    losses = nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    rows = predicting.nonzero()[:, 0]
    # a sum, not a mean over tokens: it is -log p(answer), of however many tokens that is
    return torch.zeros(len(labels), device=losses.device).index_add(0, rows, losses)


def answer_logits(model: nn.Module, batch: Batch, answers: Answers) -> torch.Tensor:
    """Logits of FP and TP at the end of each right-padded input, shape [batch, 2].

    Their softmax is p(FP), p(TP) given that the model answers one of the two.
    """
    last = batch["attention_mask"].sum(dim=1, keepdim=True) - 1
    logits: torch.Tensor = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], logits_to_keep=last
    ).logits
    # an input ends with what both answers begin with, so that the next token tells them apart
    return logits[:, 0, [answers.fp[0], answers.tp[0]]]


def tree_losses(model: nn.Module, batch: Batch) -> torch.Tensor:
    """As `answer_losses`, of a batch of TreeCollator, to which it is equal but for rounding."""
    logits = _kept_logits(model, batch).float()[batch["picked"]]
    losses = nn.functional.cross_entropy(logits, batch["target"], reduction="none")
    return torch.zeros(len(batch["label"]), device=losses.device).index_add(
        0, batch["owner"], losses
    )


def tree_logits(model: nn.Module, batch: Batch, answers: Answers) -> torch.Tensor:
    """As `answer_logits`, of a batch of TreeCollator without labels."""
    return _kept_logits(model, batch)[batch["picked"]][:, [answers.fp[0], answers.tp[0]]]


def _kept_logits(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Logits where the batch needs them, shape [kept, vocabulary]."""
    ids = batch["input_ids"]
    logits: torch.Tensor = model(
        input_ids=ids,
        position_ids=batch["position_ids"],
        logits_to_keep=batch["kept"],
        use_cache=False,  # nothing is generated after it
        segments=segments_of(batch["tree"]),
    ).logits
    return logits[0]


def load_base(
    source: str | Path, revision: str | None, dtype: str, loading: Loading = PLAIN
) -> PreTrainedModel:
    """The pretrained causal model, weights in `dtype`."""
    return AutoModelForCausalLM.from_pretrained(
        source,
        revision=revision,
        dtype=getattr(torch, dtype),
        device_map=loading.device_map,
        attn_implementation=loading.attention,
        quantization_config=loading.quantization_config,
        trust_remote_code=False,
    )


def model_sizes(config: PretrainedConfig) -> tuple[int, int]:
    """Embedding rows and positions (tokens) of a causal model.

    Raises:
        AttributeError: its configuration does not say; it is none of a causal model.
    """
    return config.vocab_size, config.max_position_embeddings


class Generative(Approach):
    """A frozen causal model with an adapter; prompts share what they begin with if it can do so."""

    trainer = GenerativeTrainer
    weights = ADAPTER
    card = CardFacts(
        what=ADAPTER_ALONE,
        library_name="peft",
        pipeline_tag="text-generation",
        tags=("lora",),
        needs_base=True,
    )
    # on two CPU cores prompts were scored at 8.0, 8.8 and 8.9 a second with 1,024, 2,048 and 4,096
    # tokens; that of a GPU is a guess
    tokens_per_batch = {"cpu": 4096, "cuda": 8192}  # noqa: RUF012 - a constant

    def load_inputs(
        self,
        source: str | Path,
        revision: str | None,
        max_length: int,
        input_fields: Sequence[str] | None,
    ) -> PromptInputs:
        """See Approach."""
        tokenizer = load_tokenizer(source, revision)
        try:
            # from the config alone: tokens are made before weights are loaded
            config = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
            sizes = model_sizes(config)
        except (OSError, ValueError, AttributeError) as error:
            raise TrainingError(
                f"model {source} has no config of a generative model: {str(error).splitlines()[0]}"
            ) from error
        return PromptInputs.of(tokenizer, sizes, max_length)

    def load_model(
        self,
        config: RunConfig,
        args: TrainingArguments,
        source: str | Path,
        inputs: ModelInputs,
        longest: int,
        trained: Path | None,
    ) -> TrainableModel:
        """See Approach."""
        assert config.lora is not None, "checked by RunConfig"
        assert isinstance(inputs, PromptInputs), "made by load_inputs"
        loading = loading_for(config.model, args)
        base = load_base(source, config.model.revision, config.model.dtype, loading)
        # before PEFT wraps it: what it can do is read from its own class and forward
        choice = choose_for_prompts(base, args.device, config.packed_attention, longest)
        pad = inputs.prompt_tokenizer.pad
        return TrainableModel(
            model=add_adapter(base, config.lora, config.training, trained),
            choice=choice,
            attention=attention_of(base),
            layout="tree" if choice.packed else "padded",
            collator=TreeCollator() if choice.packed else PadCollator(pad),
        )

    def load_scorer(self, final: Path, decision: Decision, device: torch.device) -> Scorer:
        """See Approach."""
        answers = decision.answers
        assert answers is not None, "checked by read_decision"
        if (final / ADAPTER.file).is_file():
            source, loading = (
                self.base_model(final, decision.base_model),
                _loading(decision, device),
            )
            base = load_base(source, decision.revision, decision.dtype, loading)
            model: nn.Module = PeftModel.from_pretrained(base, final)
        else:  # merged: see exporting.merge
            model = base = load_base(final, None, decision.dtype)
        # by the most tokens that the model takes: what will be scored is not known yet
        choice = choose_for_prompts(base, device, "auto", base.config.max_position_embeddings)
        model.to(device).eval()
        tokenizer = load_tokenizer(final, None)
        inputs = PromptInputs.of(tokenizer, model_sizes(base.config), decision.max_length)
        # logits of the wrong tokens would look like any others
        if inputs.answers != answers:
            raise TrainingError(
                f"the tokenizer in {final} answers with other tokens than training did",
                hint="evaluate with the versions of transformers and tokenizers that trained "
                "the run",
            )

        def logits(prompts: Sequence[Ids], budget: int) -> Logits:
            if choice.packed is not None:
                tokens = (answers.fp[0], answers.tp[0])
                return PromptScorer(model, tokens, budget).score(prompts)
            collate = PadCollator(inputs.prompt_tokenizer.pad)
            return logits_by_batch(
                prompts, budget, collate, lambda batch: answer_logits(model, batch, answers), device
            )

        return Scorer(
            decision=decision,
            model=model,
            device=device,
            choice=choice,
            encode=inputs.encode,
            logits=logits,
            tokens_per_batch=self.tokens_per_batch[device.type],
        )

    def write_tiny_model(self, directory: Path, texts: Sequence[str]) -> None:
        """See Approach."""
        write_llama(directory, texts)

    def base_model(self, final: Path, name: str) -> str | Path:
        """The frozen model: a tiny one lies in the run's directory, others where they are named."""
        return RunLayout(final.parent).tiny_model if name == TINY else name


def _loading(decision: Decision, device: torch.device) -> Loading:
    """As training did it: an adapter belongs to the weights that it was trained beside."""
    if decision.quantization is None:
        return PLAIN
    check_extras([NF4])
    if device.type != "cuda":
        raise TrainingError(
            f"weights in {decision.quantization} need a GPU, and there is none here"
        )
    return Loading(device, quantization=decision.quantization)
