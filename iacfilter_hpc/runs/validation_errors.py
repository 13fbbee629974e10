"""Validation errors of pydantic in words, and records whose fields pydantic checks.

Apart from record_schema, since commands that watch runs read records and import no pydantic.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from iacfilter_hpc.runs.record_schema import Damaged, Fields, shown

Made = TypeVar("Made")

MISSING = ("missing", "missing_argument")
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def made_by(adapter: TypeAdapter[Made]) -> Callable[[Fields], Made]:
    """Function that makes a record of its fields, checked by pydantic, as RecordKind.make is.

    It raises Damaged.
    """

    def make(fields: Fields) -> Made:
        try:
            # strict JSON takes a list for a tuple or a set, strict Python does not
            return adapter.validate_json(json.dumps(fields))
        except ValidationError as error:
            raise Damaged(*problems_in(error)) from error

    return make


def problems_in(error: ValidationError, top: str = "it") -> list[str]:
    """A sentence for each wrong field, with its key; `top` names the whole document."""
    return [
        _problem(".".join(map(str, detail["loc"])) or top, detail)
        # neither links to pydantic's manual, nor the exception objects of validators
        for detail in error.errors(include_url=False, include_context=False)
    ]


def _problem(key: str, detail: ErrorDetails) -> str:
    kind, said = detail["type"], detail["msg"]
    if kind in MISSING:
        return f"{key} is missing"
    if kind in UNKNOWN:
        return f"{key} is not known to this version"
    return f"{key} is {shown(detail['input'])}: {said[:1].lower()}{said[1:]}"
