"""Hashes of a sample's detection, code and origin, to know them again without keeping them.

Names and texts that mean the same become the same here. Each hash is 16 hexadecimal digits. A
trained model keeps those of its samples in final/seen.json: hashes made otherwise would not be
found there.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath

from iacfilter_hpc.samples.smells import smell_of_words

QUOTES = str.maketrans("", "", "\"'`")


def normalised(text: str) -> str:
    """A text without case, white space and quotes."""
    # casefold, not lower: STRASSE is stra\u00dfe; split() knows Unicode's spaces, \u00a0 among them
    return "".join(text.casefold().translate(QUOTES).split())


def same_smell(smell: str) -> str:
    """The smell by our name, if it is one of GLITCH's: two names of one smell are the same."""
    return smell_of_words(smell) or smell


def same_file(file: str) -> str:
    """The path without `./`, `//` and a slash at its end."""
    # never looked up: the script need not be here. `..` stays, as where it leads depends on links
    return str(PurePosixPath(file))


def same_repo(repo: str | None) -> str | None:
    """The repository without case, which no forge heeds in names."""
    return None if repo is None else repo.casefold()


def hash_of_detection(smell: str, file: str, line: int, content: str) -> str:
    """Hash of what was reported where, as it is written."""
    # not normalised, unlike the others: it names a detection, and not what that is like
    return _hash(smell, file, line, content)


def hash_of_content(smell: str, content: str) -> str | None:
    """Hash of smell and reported line, wherever that stands; None for an empty line."""
    text = normalised(content)
    return _hash("content", same_smell(smell), text) if text else None


def hashes_of_origin(file: str, repo: str | None, family: str | None) -> frozenset[str]:
    """Hashes of file, repository and family, one each as far as they are known."""
    # each begins with its kind, so that a family never equals a repository of the same name
    known_repo = same_repo(repo) or ""
    names = [_hash("file", known_repo, same_file(file))]
    names += [_hash("repo", known_repo)] if known_repo else []
    names += [_hash("family", family)] if family else []
    return frozenset(names)


def _hash(*what: str | int) -> str:
    # JSON keeps the parts apart: ("ab", "c") is not ("a", "bc"). 64 bits are enough: that any two
    # of a million samples have the same ones by chance is 1 in 37 million
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]
