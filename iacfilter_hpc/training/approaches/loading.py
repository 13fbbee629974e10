"""Loading of pretrained weights: onto which device, with which attention, in 4 bits or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel, TrainingArguments
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from iacfilter_hpc.config.schema import Model


@dataclass(frozen=True, slots=True)
class Loading:
    """Arguments of from_pretrained besides name and dtype; None leaves each to transformers.

    Safetensors files are mapped, so the page cache holds them once a node. With a device, each
    tensor goes from there to that device. Without one, each process first makes a copy in its own
    host memory of what has another dtype in the file than here: 639 MiB for 332 million weights in
    float32 that are to be bfloat16 (measured), 3 MiB where both agree.
    """

    device: torch.device | None = None
    attention: str | None = None
    quantization: Literal["nf4"] | None = None

    @property
    def device_map(self) -> dict[str, torch.device] | None:
        """All on one device.

        Neither the Trainer nor accelerate minds: transformers 5.23 notes a device map in the model
        (hf_device_map) only if it names several devices.
        """
        return None if self.device is None else {"": self.device}

    @property
    def quantization_config(self) -> BitsAndBytesConfig | None:
        """QLoRA's: NF4, its scales quantized too, arithmetic in bfloat16.

        The 4-bit numbers are stored as bfloat16, as ZeRO-3 can only split what looks like floats.
        Source: https://huggingface.co/docs/peft/v0.21.0/accelerate/deepspeed
        """
        if self.quantization is None:
            return None
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=self.quantization,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            bnb_4bit_quant_storage=torch.bfloat16,
        )


PLAIN = Loading()
"""Into host memory, as transformers does by itself."""


def loading_for(model: Model, args: TrainingArguments) -> Loading:
    """Loading of a model that is to be trained.

    Not onto the device under ZeRO-3: there from_pretrained splits each weight as it comes, the
    first process alone reads them, and a device map is refused. Measured with two processes and
    1268 MiB of weights: at most 949 MiB more private memory in the second, 1299 in the first.
    """
    straight = args.device.type == "cuda" and not is_deepspeed_zero3_enabled()
    return Loading(args.device if straight else None, model.attn_implementation, model.quantization)


def attention_of(model: PreTrainedModel) -> str:
    """The implementation of attention that a model has come to use, whatever was asked for."""
    # private, and the only place where it stands once transformers has chosen
    name: str = model.config._attn_implementation
    return name
