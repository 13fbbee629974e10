"""Hashes by which a sample's code and origin are known again, without keeping either."""

from __future__ import annotations

import hashlib
import json

from iacfilter_hpc.samples.duplicates import file_key, normalised, repo_key, smell_key
from iacfilter_hpc.samples.sample import Sample


def trace_of_content(sample: Sample) -> str | None:
    """16 hex digits for smell and reported line, wherever it stands; None for an empty line."""
    text = normalised(sample.content)
    return _trace("content", smell_key(sample), text) if text else None


def traces_of_origin(sample: Sample) -> frozenset[str]:
    """16 hex digits each for the sample's file, repository and family, as far as it names them."""
    repo = repo_key(sample) or ""
    names = [_trace("file", repo, file_key(sample))]
    names += [_trace("repo", repo)] if repo else []
    names += [_trace("family", sample.family)] if sample.family else []
    return frozenset(names)


def _trace(*what: str) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]
