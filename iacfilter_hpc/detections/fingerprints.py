"""Fingerprints by which a detection is known again after its line has moved."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, field

from iacfilter_hpc.detections.duplicates import normalised

REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Place:
    """What is reported in which line; `content` is that line."""

    file: str
    what: str
    line: int
    content: str


@dataclass(slots=True)
class _OfFile:
    """The places seen in one file, and how often each content of a smell was among them."""

    seen: set[tuple[str, int]] = field(default_factory=set)
    times: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Occurrences:
    """Numbers equal lines of a file in the order of the report.

    GLITCH reports file after file; of the last 1024 files each is remembered.
    """

    _files: OrderedDict[str, _OfFile] = field(default_factory=OrderedDict)

    def fingerprint(self, place: Place) -> str | None:
        """16 hex digits of smell, file and content, and which of its kind in the file this is.

        None for a place that has been here before.
        """
        file = self._files.setdefault(place.file, _OfFile())
        self._files.move_to_end(place.file)
        if len(self._files) > REMEMBERED:
            self._files.popitem(last=False)
        if (place.what, place.line) in file.seen:
            return None
        file.seen.add((place.what, place.line))
        # half surrogates (a path that is no UTF-8) stand in JSON as escapes
        text = json.dumps([place.what, place.file, normalised(place.content)])
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        file.times[digest] = file.times.get(digest, 0) + 1
        return f"{digest}:{file.times[digest]}"
