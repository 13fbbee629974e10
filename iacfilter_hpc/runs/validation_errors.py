"""Validation errors: what is wrong with the fields of a file that a program wrote, in words."""

from __future__ import annotations

import json

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MOST = 40
"""Characters of a value that a message shows."""

MISSING = ("missing", "missing_argument")
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def problems_in(error: ValidationError, top: str = "it") -> list[str]:
    """A sentence for each wrong field, with its key; `top` names the whole document."""
    return [
        _problem(".".join(map(str, detail["loc"])) or top, detail)
        for detail in error.errors(include_url=False, include_context=False)
    ]


def shown(value: object, most: int = MOST) -> str:
    """A value as the file has it: in the words of JSON, short, printable, on one line."""
    text = json.dumps(value, default=ascii)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _problem(key: str, detail: ErrorDetails) -> str:
    kind, said = detail["type"], detail["msg"]
    if kind in MISSING:
        return f"{key} is missing"
    if kind in UNKNOWN:
        return f"{key} is not known to this version"
    return f"{key} is {shown(detail['input'])}: {said[:1].lower()}{said[1:]}"
