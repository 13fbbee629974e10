"""Packages that single settings need are looked for before anything is loaded."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from iacfilter_hpc.config.extras import FLASH, NF4, check_extras, extras_of
from iacfilter_hpc.errors import IacfilterError
from tests.made_runs import demo_config

BOTH = ("model.quantization=nf4", "model.attn_implementation=flash_attention_2")


def test_settings_say_what_they_need() -> None:
    assert extras_of(demo_config("generative")) == []
    assert extras_of(demo_config("encoder", "model.attn_implementation=sdpa")) == []
    assert extras_of(demo_config("generative", *BOTH)) == [NF4, FLASH]


def test_what_is_missing_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(IacfilterError) as caught:
        check_extras([NF4, FLASH])
    assert caught.value.text().splitlines() == [
        "error: model.quantization nf4 needs the package bitsandbytes",
        "error: model.attn_implementation flash_attention_2 needs the package flash_attn",
        "hint: pip install 'iacfilter-hpc[nf4]'",
        "hint: pip install flash-attn --no-build-isolation, or model.attn_implementation=sdpa",
    ]


def test_what_is_there_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    check_extras([NF4, FLASH])
    assert not {"bitsandbytes", "flash_attn"} & sys.modules.keys()
