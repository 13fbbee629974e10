"""iacfilter_hpc.samples.sample: every bad line is named, and nothing else is raised."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.runs.files import sha256_of
from iacfilter_hpc.samples.sample import MAX_LINE_BYTES, Sample, read_sample_file, read_samples
from iacfilter_hpc.samples.schema import OPTIONAL, REQUIRED

GOOD: dict[str, object] = {
    "smell": "hard_coded_secret",
    "file": "site/init.pp",
    "content": "$password = 'x'",
    "line": 3,
    "detection_span": [1, 5],
    "with_context": "one\ntwo",
    "with_prompt": "Is it?",
    "label": "TP",
    "source": "human",
    "confidence": 0.5,
}


def line(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "samples.jsonl"


def problems(path: Path, content: bytes) -> list[str]:
    """What is said about a file, less the file's name."""
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_samples(path)
    return [text.removeprefix(f"{path}:") for text in caught.value.message.split("\n")]


def test_reads_every_field(file: Path) -> None:
    file.write_bytes(line(technology="chef", repo="r", family="f") + b"\n")
    assert read_samples(file) == [
        Sample(
            smell="hard_coded_secret",
            file="site/init.pp",
            content="$password = 'x'",
            line=3,
            detection_span=(1, 5),
            with_context="one\ntwo",
            with_prompt="Is it?",
            label="TP",
            source="human",
            confidence=0.5,
            technology="chef",
            technology_is_given=True,
            repo="r",
            family="f",
        )
    ]


@pytest.mark.parametrize(
    ("ending", "last"), [(b"\n", b"\n"), (b"\r\n", b"\r\n"), (b"\n", b""), (b"\r\n", b"")]
)
def test_line_endings(file: Path, ending: bytes, last: bytes) -> None:
    file.write_bytes(line(line=1) + ending + line(line=2) + last)
    assert [sample.line for sample in read_samples(file)] == [1, 2]


@pytest.mark.parametrize(
    ("name", "technology"),
    [
        ("a/b.pp", "puppet"),
        ("a/b.rb", "chef"),
        ("a/b.yml", "ansible"),
        ("a/b.YAML", "ansible"),
        ("a.rb/b", "unknown"),
        ("a/b.txt", "unknown"),
        (".yml", "unknown"),
    ],
)
@pytest.mark.parametrize("given_as", [{}, {"technology": None}])
def test_the_extension_names_the_technology(
    file: Path, name: str, technology: str, given_as: dict[str, object]
) -> None:
    file.write_bytes(line(file=name, **given_as))
    (sample,) = read_samples(file)
    assert (sample.technology, sample.technology_is_given) == (technology, False)


def test_the_given_technology_wins(file: Path) -> None:
    file.write_bytes(line(file="a.pp", technology="ansible"))
    (sample,) = read_samples(file)
    assert (sample.technology, sample.technology_is_given) == ("ansible", True)


@pytest.mark.parametrize("content", [line(confidence=None), without("confidence")])
def test_confidence_may_be_missing_or_null(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert read_samples(file)[0].confidence is None


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 1.0, 0.25])
def test_confidence_goes_from_0_to_1(file: Path, confidence: float) -> None:
    file.write_bytes(line(confidence=confidence))
    assert read_samples(file)[0].confidence == confidence


def test_all_bad_lines_are_named_at_once(file: Path) -> None:
    content = [
        b"{",
        line(),
        b"",
        line(label="MAYBE", line=0),
        without("smell"),
        line(),
        b'"text"',
    ]
    assert problems(file, b"\n".join(content)) == [
        "1: not JSON: Expecting property name enclosed in double quotes at column 2",
        "3: empty line",
        "4: field line is 0, not a line number from 1",
        '4: field label is "MAYBE", not TP or FP',
        "5: field smell is missing",
        "7: not an object but a string",
    ]


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"PATH,LINE,SMELL\na.yml,3,x\n", "this is CSV"),
        (b"[" + line() + b"]", "this is JSON, not JSON Lines"),
        (b"{\n" + line() + b"}", "this is JSON, not JSON Lines"),
        (line(label="fp"), "write FP, not fp"),
        (line(label=None), "these samples have no labels"),
        (line(label="yes"), "a sample has the fields"),
        (line(line=0), "a sample has the fields"),
        (b"\n", "a sample has the fields"),
        (b"just words\n", "a sample has the fields"),
        (b'{"a": ' + b"[" * 100_000, "a sample has the fields"),
    ],
)
def test_what_is_probably_wrong_is_said(file: Path, content: bytes, hint: str) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_samples(file)
    assert (caught.value.hint or "").startswith(hint)


def test_of_many_bad_lines_ten_are_named(file: Path) -> None:
    content = b"\n".join([line(label=None)] * 10 + [line()] * 5)
    assert len(problems(file, content)) == 10
    found = problems(file, content + b"\n" + b"\n".join([line(label=None)] * 39))
    assert found[9:] == ["10: field label is null, not TP or FP", " and 39 more"]


@pytest.mark.parametrize("name", REQUIRED)
def test_each_required_field_is_missed(file: Path, name: str) -> None:
    assert problems(file, without(name)) == [f"1: field {name} is missing"]


NOT_TEXT = (None, True, 3, 0.5, [], ["TP"], {}, {"a": 1})
TEXT = ("smell", "file", "content", "with_context", "with_prompt", "label", "source")
FILLED = ("smell", "file", "with_prompt", "technology", "repo", "family")
NOT_LINES = (None, True, False, 0, -1, 1.0, "1", [], {})
WRONG = [
    *((name, value) for name in TEXT for value in NOT_TEXT),
    *((name, value) for name in FILLED for value in ("", " \t")),
    *((name, value) for name in ("technology", "repo", "family") for value in NOT_TEXT[1:]),
    *((name, "a\0b") for name in REQUIRED if name not in ("line", "detection_span", "label")),
    *((name, "half \ud83d") for name in TEXT),
    *(("label", value) for value in ("tp", "TP ", "", "yes", 1)),
    *(("line", value) for value in NOT_LINES),
    *(("detection_span", [value, 2]) for value in NOT_LINES),
    *(("detection_span", value) for value in ([], [1], [1, 2, 3], [2, 1], "12", None, 1, {})),
    *(("confidence", value) for value in (-0.1, 1.1, True, "0.5", [], {}, 10**400, -(10**400))),
    *(("confidence", float(value)) for value in ("nan", "inf", "-inf")),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=repr)
def test_a_value_of_the_wrong_kind_is_named(file: Path, name: str, value: object) -> None:
    (problem,) = problems(file, line(**{name: value}))
    assert problem.startswith(f"1: field {name} is ")
    assert ", not " in problem
    assert len(problem) < 150
    assert problem.isascii()


def test_an_unknown_field_is_named_with_the_allowed_ones(file: Path) -> None:
    (problem,) = problems(file, line(lable="TP"))
    assert problem == f"1: field lable is unknown (allowed: {', '.join([*REQUIRED, *OPTIONAL])})"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a": 1, "a": 2}', "field a occurs twice"),
        (b'{"\\n\\u001b": 1, "\\n\\u001b": 2}', r'field "\n\u001b" occurs twice'),
        (line()[:-1] + b', "label": "FP"}', "field label occurs twice"),
        (line().replace(b"one", b"{\xff}"), "not UTF-8: byte 0xff at column"),
        (line().decode().encode("utf-16"), "not UTF-8: byte 0xff at column 1"),
        (b"\xef\xbb\xbf" + line(), "not JSON: Unexpected UTF-8 BOM"),
        (line().replace(b"one", b"o\0e"), "not JSON: Invalid control character"),
        (b"\0", "not JSON: Expecting value"),
        (b"[" * 100_000, "not JSON: nested too deeply"),
        (b'{"a":' * 100_000, "not JSON: nested too deeply"),
        (b"9" * 5000, "not JSON: a number of thousands of digits"),
        (line(line=1).replace(b'"line": 1', b'"line": 1' + b"0" * 5000), "thousands of digits"),
        (b"null", "not an object but null"),
        (b"true", "not an object but true or false"),
        (b"[]", "not an object but a list"),
        (b"NaN", "not an object but a number"),
        (b" \t ", "empty line"),
        (line() + line(), "not JSON: Extra data"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_line_that_is_no_sample_is_named(file: Path, content: bytes, problem: str) -> None:
    (found,) = problems(file, content)
    assert found.startswith("1: ")
    assert problem in found


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n\n", b"\r\n"])
def test_a_file_without_a_sample(file: Path, content: bytes) -> None:
    lines = content.count(b"\n")
    expected = [f"{number}: empty line" for number in range(1, lines + 1)]
    assert problems(file, content) == (expected or [f"{file} holds no sample"])


def test_a_line_at_the_limit_is_read_and_one_beyond_it_is_named(file: Path) -> None:
    room = MAX_LINE_BYTES - len(line(content="")) - 1
    longest = line(content="x" * room)
    file.write_bytes(longest + b"\n" + line())
    assert [len(sample.content) for sample in read_samples(file)] == [room, len(GOOD["content"])]  # type: ignore[arg-type]
    longer = line(content="x" * (room + 1))
    assert problems(file, line() + b"\n" + longer + b"\n" + b"{}"[:1]) == [
        "2: longer than 8 MiB",
        "3: not JSON: Expecting property name enclosed in double quotes at column 2",
    ]


def test_a_huge_line_needs_no_more_memory_than_the_limit(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(2**28)
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from iacfilter_hpc.samples.sample import read_samples\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_samples(Path(sys.argv[1]))\n"
        "except Exception as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True
    )
    message, kibibytes = done.stdout.splitlines()
    assert message == f"{file}:1: longer than 8 MiB"
    assert int(kibibytes) * 1024 < 5 * MAX_LINE_BYTES


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    for path, why in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / "file" / "below", "Not a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(DataError) as caught:
            read_samples(path)
        assert caught.value.message == f"{path} cannot be read: {why}"


def test_the_digest_is_of_the_bytes(file: Path) -> None:
    file.write_bytes(b"abc")
    assert sha256_of(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    "content",
    [line(), line() + b"\n", line() + b"\r\n" + line() + b"\n", line(content="x" * 70_000) + b"\n"],
    ids=["no end", "one", "two", "long"],
)
def test_the_digest_of_a_sample_file_is_of_the_bytes_that_were_parsed(
    file: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(content)
    opened, real = [], Path.open
    monkeypatch.setattr(Path, "open", lambda path, *of: opened.append(path) or real(path, *of))
    found = read_sample_file(file)
    assert opened == [file], "read once, so that nobody can replace it between two readings"
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert (found.path, list(found.samples)) == (file, read_samples(file))


def test_importing_samples_is_cheap() -> None:
    """Commands that read none wait for no pydantic; nobody waits for torch."""
    program = (
        "import sys; import iacfilter_hpc.samples.sample\n"
        "print({'pydantic', 'torch', 'numpy', 'yaml'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_a_flood_of_fields_takes_no_time(file: Path) -> None:
    many = ", ".join(f'"f{number}": 1' for number in range(200_000))
    assert problems(file, f'{{{many}, "f199999": 2}}'.encode()) == ["1: field f199999 occurs twice"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys([*REQUIRED, *OPTIONAL, "x"], JSON))
anything = settings(
    deadline=None,
    max_examples=150,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def reads_or_names(path: Path, content: bytes) -> None:
    """Reads samples, or raises DataError with the file in each line; nothing else."""
    path.write_bytes(content)
    try:
        assert read_samples(path)
    except DataError as error:
        assert all(text.startswith(str(path)) for text in error.message.splitlines())


@anything
@given(changes=FIELDS)
@example(changes={"file": "\ud800"})
@example(changes={"confidence": 10**400})
def test_any_values_are_read_or_named(tmp_path: Path, changes: dict[str, object]) -> None:
    reads_or_names(tmp_path / "f", line(**changes))


@anything
@given(value=JSON)
def test_any_json_is_read_or_named(tmp_path: Path, value: object) -> None:
    reads_or_names(tmp_path / "f", json.dumps(value).encode())


@anything
@given(content=st.binary())
@example(content=b'{"\\ud800": 1}')
def test_any_bytes_are_read_or_named(tmp_path: Path, content: bytes) -> None:
    reads_or_names(tmp_path / "f", content)


@anything
@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_sample_with_any_byte_changed_is_read_or_named(
    tmp_path: Path, at: int, byte: int
) -> None:
    content = bytearray(line())
    content[at % len(content)] = byte
    reads_or_names(tmp_path / "f", bytes(content))
