"""The fields of a sample, and what each must be."""

from __future__ import annotations

import json
from typing import Any, Literal

Label = Literal["TP", "FP"]
LABELS: tuple[Label, ...] = ("FP", "TP")
"""The two labels; the position of each is the encoder's class id."""

REQUIRED = "smell file content line detection_span with_context with_prompt label source".split()
OPTIONAL = "confidence technology repo family".split()


def problems_of(fields: dict[str, Any], *, unlabelled: bool = False) -> list[str]:
    """Everything that is wrong with a sample's fields, in words; `unlabelled` allows label null."""
    problems = [f"field {name} is missing" for name in REQUIRED if name not in fields]
    problems += [
        f"field {shown_name(name)} is unknown (allowed: {', '.join([*REQUIRED, *OPTIONAL])})"
        for name in fields
        if name not in REQUIRED and name not in OPTIONAL
    ]
    for name, value in fields.items():
        check = CHECKS.get(name)
        if unlabelled and name == "label" and value is None:
            continue
        if check and (wanted := check(value)):
            problems.append(f"field {name} is {_shown(value)}, not {wanted}")
    return problems


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_line(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return "a string"
    if "\0" in value:
        return "text without NUL characters"
    # JSON can write half of a surrogate pair, which no tokenizer and no file takes
    return None if value.isprintable() or _is_unicode(value) else "text of whole characters"


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _filled(value: object) -> str | None:
    return _text(value) or (None if str(value).strip() else "text")


def _optional_text(value: object) -> str | None:
    return None if value is None else _filled(value)


def _label(value: object) -> str | None:
    return None if isinstance(value, str) and value in LABELS else "TP or FP"


def _line(value: object) -> str | None:
    return None if _is_line(value) else "a line number from 1"


def _span(value: object) -> str | None:
    fits = isinstance(value, list) and len(value) == 2 and all(map(_is_line, value))
    return None if fits and value[0] <= value[1] else "[first line, last line]"  # type: ignore[index]


def _confidence(value: object) -> str | None:
    # NaN is in no range
    fits = value is None or (_is_number(value) and 0 <= value <= 1)  # type: ignore[operator]
    return None if fits else "null or a number from 0 to 1"


CHECKS = {
    "smell": _filled,
    "file": _filled,
    "content": _text,
    "line": _line,
    "detection_span": _span,
    "with_context": _text,
    "with_prompt": _filled,
    "label": _label,
    "confidence": _confidence,
    "source": _text,
    "technology": _optional_text,
    "repo": _optional_text,
    "family": _optional_text,
}
"""What each field must be: a check answers None, or what was expected."""


def kind_of(value: object) -> str:
    """JSON's name for a value's type."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def shown_name(name: str) -> str:
    """A field's name for a message; quoted where it could break the line it stands in."""
    return name if name.isascii() and name.isidentifier() else _shown(name)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
