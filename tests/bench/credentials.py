"""What the look of a credential finds: python -m tests.bench.credentials [DATA].

In the planted lines of tests/filtering/planted.py, beside detect-secrets where that is installed,
and in samples below DATA: corpus/weak_train.jsonl and oracle/{ansible,chef}_test.jsonl.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from iacfilter_hpc.filtering.credentials import Excerpt, find_credential

from iacfilter_hpc.filtering.safety import NAMES_ARE_BARE
from iacfilter_hpc.samples.sample import Sample, read_samples
from tests.filtering import planted

FILES = ("corpus/weak_train.jsonl", "oracle/ansible_test.jsonl", "oracle/chef_test.jsonl")
Look = Callable[[str, str], bool]
"""(technology, line) -> whether it holds a credential."""


def main(data: Path | None) -> None:
    """A line for each way to look, then one for each file, smell and label."""
    print_planted("this filter", looks_alive)
    if find_spec("detect_secrets"):
        print_planted("detect-secrets", detect_secrets())
    for name in FILES if data else ():
        samples = read_samples(data / name) if data else []
        cells = Counter((sample.smell, sample.label) for sample in samples)
        found = Counter((s.smell, s.label) for s in samples if find_credential(excerpt_of(s)))
        for (smell, label), count in sorted(cells.items(), key=str):
            print(f"{name:28}{smell:32}{label}{found[smell, label]:6} of {count}")


def print_planted(name: str, look: Look) -> None:
    """How many of the planted credentials, and of the planted references, it takes for one."""
    pairs = [(t, line) for t in planted.CREDENTIALS for line in planted.credentials(t)]
    none = [(t, line) for t, lines in planted.SECRETS_THAT_ARE_NONE.items() for line in lines]
    print(
        f"{name:16}{count(look, pairs):4} of {len(pairs)}, and {count(look, none)} of {len(none)}"
    )


def count(look: Look, lines: Iterable[tuple[str, str]]) -> int:
    """Lines that hold one."""
    return sum(look(*each) for each in lines)


def looks_alive(technology: str, line: str) -> bool:
    """As iacfilter-filter looks at a line that is reported as a secret."""
    return bool(
        find_credential(Excerpt(line=line, names_bare=technology in NAMES_ARE_BARE, is_secret=True))
    )


def detect_secrets() -> Look:
    """All plugins of detect-secrets, on one line."""
    from detect_secrets.core.plugins.util import (  # type: ignore[import-not-found]
        get_mapping_from_secret_type_to_class,
    )

    plugins = [each() for each in get_mapping_from_secret_type_to_class().values()]

    def look(technology: str, line: str) -> bool:
        file = Path(planted.FILES[technology]).name
        return any(each.analyze_line(filename=file, line=line, line_number=1) for each in plugins)

    return look


def excerpt_of(sample: Sample) -> Excerpt:
    """What a sample has of its script."""
    lines, place = sample.with_context.split("\n"), sample.line - sample.detection_span[0]
    return Excerpt(
        line=lines[place],
        above=lines[:place],
        below=lines[place + 1 :],
        names_bare=sample.technology in NAMES_ARE_BARE,
        is_secret=sample.smell == "hard_coded_secret",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
