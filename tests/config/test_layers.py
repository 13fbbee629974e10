"""iacfilter_hpc.config.layers: YAML and --set, each key with its place, each fault with a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from iacfilter_hpc.config.layers import from_assignment, from_file, from_value, merge
from iacfilter_hpc.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.yaml"


def test_each_key_has_its_line(file: Path) -> None:
    file.write_text("# mine\ntraining:\n  seed: 7\n\nresources: {mail-type: END}\n")
    layer = from_file(file)
    assert layer.values == {"training": {"seed": 7}, "resources": {"mail_type": "END"}}
    assert layer.places == {
        "training": f"{file}:2",
        "training.seed": f"{file}:3",
        "resources": f"{file}:5",
        "resources.mail_type": f"{file}:5",
    }


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "{}\n"])
def test_an_empty_file_sets_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert from_file(file).values == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30:00", "12:30:00"),
        ("1:30", "1:30"),
        ("012345", "012345"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2024-01-02", "2024-01-02"),
        ("2024-99-99", "2024-99-99"),
        ("2e-5", 2e-5),
        ("2.0e-5", 2e-5),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-0.5", -0.5),
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("a100:4", "a100:4"),
        ("1-12", "1-12"),
        ("1.2.3", "1.2.3"),
        ("'7'", "7"),
    ],
)
def test_plain_scalars_mean_what_they_look_like(file: Path, text: str, value: object) -> None:
    file.write_text(f"key: {text}\n")
    found = from_file(file).values["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", r":3: a occurs twice, first at .*:1$"),
        (b"t:\n  mail-type: 1\n  mail_type: 2\n", r":3: t\.mail_type occurs twice, first at .*:2$"),
        (b"- a\n- b\n", "holds no settings"),
        (b"text\n", "holds no settings"),
        (b"null\n", "holds no settings"),
        (b"---\n", "holds no settings"),
        (b"a: [1\n", "is not YAML: .*line 2"),
        (b"a: b: c\n", "is not YAML: .*line 1"),
        (b"a: 1\n\tb: 2\n", "is not YAML"),
        (b"a: \0\n", "is not YAML: .*special characters"),
        (b"a: \xff\n", "is not UTF-8 text"),
        ("a: 1".encode("utf-16"), "is not UTF-8 text"),
        (b"a: !!python/object/apply:os.system [id]\n", "is not YAML: .*could not determine"),
        (b"a: *b\n", "is not YAML: .*undefined alias"),
        (b"? [a, b]\n: 1\n", "is not YAML"),
        (b"a: 1\n---\nb: 2\n", "is not YAML: .*single document"),
        (b"a: " + b"9" * 5000, "is not YAML: .*digits"),
        (b"a: !!int x\n", "is not YAML"),
        (b"a: &x {b: *x}\n", "holds itself"),
        (b"a: " + b"[" * 1_000, "is nested too deeply"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_fault_of_a_file_is_named(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        from_file(file)
    assert str(file) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / "file" / "below", "Not a directory"),
    ):
        with pytest.raises(ConfigError) as caught:
            from_file(path)
        assert caught.value.message == f"{path} cannot be read: {why}"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("name=a", {"name": "a"}),
        ("training.seed=7", {"training": {"seed": "7"}}),
        ("training.learning_rate=2e-5", {"training": {"learning_rate": "2e-5"}}),
        ("resources.time=12:30:00", {"resources": {"time": "12:30:00"}}),
        ("resources.comment=a=b=c", {"resources": {"comment": "a=b=c"}}),
        ("resources.comment= a ", {"resources": {"comment": " a "}}),
        ("resources.comment=a\nb", {"resources": {"comment": "a\nb"}}),
        ("resources.mail-type=END-x", {"resources": {"mail_type": "END-x"}}),
        ("lora=null", {"lora": None}),
        ("lora=", {"lora": None}),
        ("training.bf16=true", {"training": {"bf16": True}}),
        ("training.bf16=false", {"training": {"bf16": False}}),
        ("resources.account=012345", {"resources": {"account": "012345"}}),
        ("data.input_fields=[smell, content]", {"data": {"input_fields": ["smell", "content"]}}),
        ("selection.class_weight=[1, 2.5]", {"selection": {"class_weight": [1, 2.5]}}),
        ("resources={mail-type: END}", {"resources": {"mail_type": "END"}}),
        ("a.b=[12:30:00, 2e-5]", {"a": {"b": ["12:30:00", 2e-5]}}),
        (" a.b =1", {"a": {"b": "1"}}),
    ],
)
def test_assignments(text: str, values: dict[str, object]) -> None:
    layer = from_assignment(text)
    assert layer.values == values
    assert set(layer.places.values()) == {f"--set {text.partition('=')[0].strip()}"}


@pytest.mark.parametrize("text", ["", "seed", "=7", " =7", ".=1", "a..b=1", ".a=1", "a.=1"])
def test_what_is_no_assignment_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="is not key=value") as caught:
        from_assignment(text)
    assert caught.value.hint == "such as --set training.seed=7"


@pytest.mark.parametrize("value", ["[1", "{a: ", "[*x]", "[\0]", "[" * 1_000])
def test_a_list_that_is_no_yaml_is_named(value: str) -> None:
    with pytest.raises(ConfigError, match="is not YAML"):
        from_assignment(f"a={value}")


def test_every_part_of_a_key_has_a_place() -> None:
    layer = from_value("a.b", {"c": {"d": 1}}, "here")
    assert layer.values == {"a": {"b": {"c": {"d": 1}}}}
    assert layer.places == dict.fromkeys(["a", "a.b", "a.b.c", "a.b.c.d"], "here")


def test_later_layers_win_key_by_key() -> None:
    below = from_value("a", {"x": 1, "y": 2}, "below")
    merged = merge([below, from_value("a.y", 3, "above"), from_value("b", None, "above")])
    assert merged.values == {"a": {"x": 1, "y": 3}, "b": None}
    assert (merged.places["a.x"], merged.places["a.y"]) == ("below", "above")
    assert below.values == {"a": {"x": 1, "y": 2}}
    replaced = merge([below, from_value("a", "word", "above")])
    assert replaced.values == {"a": "word"}
