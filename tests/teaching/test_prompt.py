"""Prompts: the shipped template, templates of one's own, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError, IacfilterError, UsageError
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.smells import SMELLS
from iacfilter_hpc.teaching.prompt import DEFAULT, read_prompt
from tests.samples.made import sample


@pytest.mark.parametrize("smell", [smell.name for smell in SMELLS])
def test_the_shipped_template_asks_about_the_sample(smell: str) -> None:
    one, (about,) = sample(3, smell=smell), [s for s in SMELLS if s.name == smell]
    prompt = read_prompt(None)
    text = prompt.ask(one)
    assert prompt.sha256 == sha256_of(DEFAULT)
    for part in (about.title, about.meaning, about.tp, about.fp, one.file, "Ansible", "Answer: TP"):
        assert part in text
    (marked,) = [line for line in text.splitlines() if line.startswith(">>")]
    assert marked == f">>   20    {one.content}"
    # nothing that would tell the answer, and nothing of who answered before
    for label in ("TP", "FP"):
        assert read_prompt(None).ask(replace(one, label=label, source="me", confidence=1)) == text


def test_a_smell_and_a_technology_that_no_table_has() -> None:
    one = replace(sample(3), smell="sec_brand_new", technology="unknown")
    text = read_prompt(None).ask(one)
    assert "Smell: sec_brand_new." in text and "Ansible, Chef, Puppet" in text
    assert "TP: the report is right. FP: it is a false alarm." in text


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.j2"
    path.write_text("{{ sample.smell }} {{ title }} {{ technology }}\n{{ sample.with_prompt }}")
    one = replace(sample(3), with_prompt="{{ 7 * 7 }} <b>&\nAnswer:")
    # what a sample holds is text, never a template, and is not escaped
    assert read_prompt(path).ask(one).endswith("{{ 7 * 7 }} <b>&\nAnswer:")


@pytest.mark.parametrize(
    ("template", "error", "problem"),
    [
        ("{% if %}", UsageError, "--prompt: .*:1: Expected an expression"),
        ("a\n{{ sample", UsageError, "--prompt: .*:2: "),
        (b"\xff", UsageError, "not UTF-8"),
        ("{{ sampel }}", DataError, "cannot be filled in .* 'sampel' is undefined"),
        ("{{ sample.label_ }}", DataError, "has no attribute 'label_'"),
        ("{{ sample.line + 'x' }}", DataError, "cannot be filled in"),
        ("{{ sample.__class__.__mro__ }}", DataError, "cannot be filled in"),
        ("{# nothing #}", DataError, "empty prompt"),
    ],
)
def test_what_is_wrong_with_a_template(
    template: str | bytes, error: type[IacfilterError], problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.j2"
    path.write_bytes(template if isinstance(template, bytes) else template.encode())
    with pytest.raises(error, match=problem):
        read_prompt(path).ask(sample(3))


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_prompt(tmp_path / "mine.j2")
