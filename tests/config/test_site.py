"""iacfilter_hpc.config.site: the file that IACFILTER_SITE names, and every fault in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.config.resolve import site_settings
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "site.yaml"
    monkeypatch.setenv("IACFILTER_SITE", str(path))
    return path


def test_variables_are_the_named_ones_then_the_free_ones(file: Path) -> None:
    file.write_text("scratch: /s\nhf_home: /h\nenvironment: {A: '1', HF_HOME: /mine}\n")
    assert site_settings().variables() == {"TMPDIR": "/s", "HF_HOME": "/mine", "A": "1"}
    assert Site().variables() == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pyhton: /p", ":1: pyhton is not a setting"),
        ("python: bin/python", ":1: python is 'bin/python': string should match pattern '^/'"),
        ("activate: ''", ":1: activate is '': string should match pattern"),
        ("scratch: 3", ":1: scratch is 3: input should be a valid string"),
        ("modules: cuda", ":1: modules is 'cuda': input should be a valid tuple"),
        ("modules: [cuda, '']", ":1: modules is '': string should have at least 1 character"),
        ("modules: [1.5]", ":1: modules is 1.5: input should be a valid string"),
        ("environment: {A: 1}", ":1: environment.A is 1: input should be a valid string"),
        ("environment: {'A;id': x}", "string should match pattern"),
        ("environment: {'': x}", "string should match pattern"),
        ('environment: {A: "x\\0y"}', ":1: A holds a NUL character"),
        ("environment: [A]", ":1: environment is ['A']: input should be a valid dictionary"),
        ("resources: {gpus: [1]}", ":1: resources.gpus is [1]"),
        ("- a", "holds no settings"),
    ],
)
def test_a_fault_is_named_with_its_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        site_settings()
    assert str(file) in caught.value.message
    assert message in caught.value.message


def test_a_number_for_a_variable_is_explained(file: Path) -> None:
    file.write_text("environment: {A: 1}")
    with pytest.raises(ConfigError) as caught:
        site_settings()
    assert caught.value.hint == 'put the value of environment.A in quotes: "..."'


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.yaml cannot be read: No such file"):
        site_settings()
