"""iacfilter_hpc.samples.groups: which repository and family a file is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.samples.groups import Groups, Origin, read_groups, with_groups
from tests.samples.made import REAL_DATA, sample, without_origin


def groups_of(path: Path, content: bytes) -> Groups:
    path.write_bytes(content)
    return read_groups(path)


def test_reads_the_columns_it_needs(tmp_path: Path) -> None:
    content = b'id,file,repo,family\n1,a.yml,r,f\n2,"b, c.yml","r ""2""",\n3,a.yml,r,f\n'
    found = groups_of(tmp_path / "g.csv", content)
    assert found.of("a.yml") == Origin("r", "f")
    assert found.of("b, c.yml") == Origin('r "2"', None)
    assert found.of("other") == Origin()


@pytest.mark.parametrize("column", ["repo", "family"])
def test_one_column_is_enough(tmp_path: Path, column: str) -> None:
    content = f"\ufefffile,{column}\r\na.yml, x \r\n".encode()
    found = groups_of(tmp_path / "g.csv", content)
    assert found.of("a.yml") == Origin(**{column: "x"})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "1: the columns are none"),
        (b"file,other\na,b\n", "1: the columns are file, other"),
        (b"path,repo\na,b\n", "1: the columns are path, repo"),
        (b"file,repo\na,r\n\n,r\n", "4: it does not have 2 columns, or names no file"),
        (b"file,repo\na\n", "2: it does not have 2 columns, or names no file"),
        (b"file,repo\na,r,x\n", "2: it does not have 2 columns, or names no file"),
        (b"file,repo\na,r\na,s\n", "3: a has another repo or family than above"),
        (b'file,repo\n"a"b,r\n', "is not CSV"),
        (b"file,repo\n\xe9,r\n", "is not UTF-8"),
    ],
)
def test_what_is_no_groups_file(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "g.csv"
    with pytest.raises(DataError) as caught:
        groups_of(path, content)
    assert problem in caught.value.message
    assert caught.value.message.startswith(str(path))


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        groups_of(tmp_path / "g.csv", b"file,repo\n,r\na,r\na,s\n,t\n")
    assert len(caught.value.message.splitlines()) == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(DataError, match=why):
            read_groups(path)


def test_samples_keep_what_the_groups_do_not_know() -> None:
    named, unknown, bare = sample(1), sample(2), without_origin(sample(3))
    groups = Groups({named.file: Origin("r", None), bare.file: Origin(None, "f")})
    found = [(s.repo, s.family) for s in with_groups([named, unknown, bare], groups)]
    assert found == [("r", named.family), (unknown.repo, unknown.family), (None, "f")]


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data are not here")
def test_the_real_groups() -> None:
    found = read_groups(REAL_DATA / "oracle" / "meta.csv")
    assert len({origin.family for origin in found.by_file.values()}) > 10
    assert all(origin.repo and origin.family for origin in found.by_file.values())
