"""A sample's own properties: no label yet, the group it belongs to, the key that stands for it."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.samples import sample as module
from iacfilter_hpc.samples.sample import Sample, read_samples
from tests.samples.test_sample_files import line

SAMPLE = Sample(
    smell="use_of_http",
    file="site/init.pp",
    content="source => 'http://example.org'",
    line=3,
    detection_span=(1, 5),
    with_context="",
    with_prompt="Is it?",
    label="TP",
    source="human",
)


def test_a_label_may_be_missing_only_where_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(line(label=None) + b"\n" + line())
    assert [sample.label for sample in read_samples(path, unlabelled=True)] == [None, "TP"]
    with pytest.raises(DataError, match=r"samples\.jsonl:1: field label is null, not TP or FP"):
        read_samples(path)


@pytest.mark.parametrize("label", ["YES", "", 1, [], False])
def test_a_wrong_label_is_wrong_everywhere(tmp_path: Path, label: object) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(line(label=label))
    with pytest.raises(DataError, match="field label is "):
        read_samples(path, unlabelled=True)


def test_a_missing_label_field_is_not_a_null_one(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    fields = json.loads(line())
    del fields["label"]
    path.write_text(json.dumps(fields))
    with pytest.raises(DataError, match="field label is missing"):
        read_samples(path, unlabelled=True)


def test_the_group_is_the_widest_that_is_known() -> None:
    assert SAMPLE.group == "site/init.pp"
    assert replace(SAMPLE, repo="openstack/bifrost").group == "openstack/bifrost"
    assert replace(SAMPLE, repo="openstack/bifrost", family="bifrost").group == "bifrost"


def test_the_key_stands_for_the_detection_alone() -> None:
    key = SAMPLE.key
    assert len(key) == 16 and int(key, 16) >= 0
    same = replace(SAMPLE, label="FP", with_context="x", with_prompt="y", source="z", family="f")
    assert same.key == key
    others: list[Sample] = [
        replace(SAMPLE, smell="hard_coded_secret"),
        replace(SAMPLE, file="site/other.pp"),
        replace(SAMPLE, line=4),
        replace(SAMPLE, content="source => 'http://example.com'"),
    ]
    assert len({key, *(other.key for other in others)}) == 5


@pytest.mark.parametrize(
    ("asked", "computed"),
    [
        ("key", "hash_of_detection"),
        ("content_hash", "hash_of_content"),
        ("origin_hashes", "hashes_of_origin"),
    ],
)
def test_a_hash_is_computed_once(
    asked: str, computed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, real = [], getattr(module, computed)
    monkeypatch.setattr(module, computed, lambda *of: calls.append(of) or real(*of))
    one = replace(SAMPLE)
    assert getattr(one, asked) == getattr(one, asked) == getattr(SAMPLE, asked)
    assert len(calls) <= 2, "one for each of the two samples"
    # what has been computed is no part of a sample, and is not taken over into another
    again = pickle.loads(pickle.dumps(one))
    assert again == one == SAMPLE and hash(again) == hash(one) == hash(SAMPLE)
    other = replace(one, smell="other", content="other", file="other")
    assert getattr(other, asked) != getattr(one, asked)
