"""Groups from a file must be those of the samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.evaluation.data import read_labelled
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.sample import read_samples
from tests.made_runs import DEMO

TRAIN = DEMO["train"]


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    return tmp_path / "groups.csv"


def write(groups: Path, *files: str) -> None:
    groups.write_text("file,family\n" + "".join(f"{file},one\n" for file in files))


def test_every_file_is_named(groups: Path) -> None:
    files = {sample.file for sample in read_samples(TRAIN)}
    write(groups, *files, "elsewhere.pp")
    data = read_labelled(TRAIN, groups)
    assert {sample.group for sample in data.samples} == {"one"}
    assert (data.groups_sha256, data.warnings) == (sha256_of(groups), ())
    assert read_labelled(TRAIN).groups_sha256 is None


def test_groups_of_other_files_are_no_groups(groups: Path) -> None:
    write(groups, "elsewhere.pp")
    with pytest.raises(DataError) as caught:
        read_labelled(TRAIN, groups)
    assert caught.value.message.startswith(f"{groups} names none of the 8 files of {TRAIN}, such ")
    assert "column file" in (caught.value.hint or "")


def test_files_that_are_not_named_are_told(groups: Path) -> None:
    files = sorted({sample.file for sample in read_samples(TRAIN)})
    write(groups, *files[:4])
    (warning,) = read_labelled(TRAIN, groups).warnings
    assert warning.startswith(f"{groups} does not name 4 of 8 files; each is ")
    assert warning.endswith(f"{', '.join(files[4:7])}, ...")
    write(groups, *files[:6])
    (warning,) = read_labelled(TRAIN, groups).warnings
    assert warning.endswith(f": {files[6]}, {files[7]}")
