"""iacfilter-data split: one file of samples becomes a directory of files that share nothing."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data.tables import balance_document, balance_table
from iacfilter_hpc.cli.outputs import Output, input_problems, refuse
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.runs.files import current_umask, write_json
from iacfilter_hpc.samples.duplicates import Duplicate, without_duplicates
from iacfilter_hpc.samples.groups import read_groups, with_groups
from iacfilter_hpc.samples.label_counts import count_labels
from iacfilter_hpc.samples.leakage import DataFile
from iacfilter_hpc.samples.sample import Sample, read_samples, sha256_of, write_samples
from iacfilter_hpc.samples.split import NAMES, Sizes, Split, split


def summary_of(
    given: argparse.Namespace,
    samples: Sequence[Sample],
    found: Split,
    duplicates: Sequence[Duplicate],
) -> dict[str, object]:
    """Everything about a split but the files' digests."""
    reasons = Counter(out.reason for out in found.left_out)
    left_out = [
        {**_place(samples[out.index]), "reason": out.reason}
        for out in found.left_out
        # of a group that is not needed all samples are missing; the count says enough
        if not out.reason.startswith("its group")
    ]
    doubles = [
        {
            **_place(double.sample),
            "reason": f"duplicate of {double.first.file}:{double.first.line}",
            "same_label": double.sample.label == double.first.label,
        }
        for double in duplicates
    ]
    if doubles:
        reasons["duplicate"] = len(doubles)
    return {
        "command": shlex.join(["iacfilter-data", *sys.argv[1:]]),
        "input": {
            "file": str(given.samples.absolute()),
            "sha256": sha256_of(given.samples),
            "samples": len(samples) + len(duplicates),
        },
        "sizes": list(given.sizes),
        "by": given.by,
        "seed": given.seed,
        "groups": found.units,
        "groups_with_shared_code_joined": found.joined,
        "left_out": dict(sorted(reasons.items())),
        "left_out_samples": [*doubles, *left_out],
    }


def written(directory: Path, file: DataFile) -> dict[str, object]:
    """What summary.json says of a file, once that is written."""
    write_samples(directory / file.name, file.samples)
    labels = count_labels(file.samples)
    return {
        "file": file.name,
        "sha256": sha256_of(directory / file.name),
        "samples": labels.samples,
        "TP": labels.tp,
        "FP": labels.fp,
        "counts": balance_document(file.samples),
    }


def _place(sample: Sample) -> dict[str, object]:
    return {
        "key": sample.key,
        "smell": sample.smell,
        "file": sample.file,
        "line": sample.line,
        "label": sample.label,
    }


SUMMARY = "summary.json"


def parse_sizes(text: str) -> tuple[float, ...]:
    """The numbers of 600/75 or 0.8/0.1/0.1: all whole, or all shares.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    parts = text.split("/")
    if len(parts) in (2, 3):
        if all(part.isascii() and part.isdigit() and int(part) for part in parts):
            return tuple(int(part) for part in parts)
        try:
            shares = tuple(float(part) for part in parts)
        except ValueError:
            shares = ()
        if shares and all(0 < share < 1 for share in shares) and sum(shares) < 1 + 1e-9:
            return shares
    raise argparse.ArgumentTypeError(
        f"{text!a} is neither numbers of samples (600/75) nor shares up to 1 (0.8/0.1/0.1)"
    )


def run(given: argparse.Namespace) -> int:
    """The subcommand."""
    refuse(list(_problems(given)))
    samples = read_samples(given.samples)
    if given.groups:
        samples = with_groups(samples, read_groups(given.groups))
    kept, duplicates = without_duplicates(samples) if given.dedupe else (samples, [])
    found = split(kept, _sizes(given.sizes, len(kept)), given.by, given.seed)
    files = [
        DataFile(f"{name}.jsonl", tuple(kept[index] for index in part))
        for name, part in zip(NAMES, found.parts, strict=False)
    ]
    document = _write(given, files, summary_of(given, kept, found, duplicates))
    _warn(files)
    if given.json:
        terminal.print_json(document)
    else:
        print(_render(given, files, found, len(duplicates)))
    return 0


def _problems(given: argparse.Namespace) -> Iterator[UsageError]:
    """What is wrong with the flags, before anything is read."""
    yield from input_problems(given.samples)
    path, target = given.output, Output("--output", given.output).real
    if path.exists() and not path.is_dir():
        yield UsageError(f"--output {path} is not a directory", hint="name a new or empty one")
    elif path.is_dir() and any(path.iterdir()):
        yield UsageError(
            f"--output {path} is not empty", hint="files of two splits in one place would mix"
        )
    elif not target.parent.is_dir():
        folder = target.parent if path.is_symlink() else path.parent
        yield UsageError(
            f"--output {path}: there is no directory {folder}", hint=f"mkdir -p {folder}"
        )


def _sizes(given: Sequence[float], count: int) -> Sizes:
    if all(isinstance(size, int) for size in given):
        return Sizes(tuple(int(size) for size in given), exact=True)
    # all of the data is used if the shares say so: what rounding leaves goes to train
    counts = [max(1, round(share * count)) for share in given]
    if sum(given) > 1 - 1e-9:
        counts[0] = max(1, count - sum(counts[1:]))
    return Sizes(tuple(counts), exact=False)


def _write(
    given: argparse.Namespace, files: Sequence[DataFile], summary: dict[str, object]
) -> dict[str, object]:
    """Write the directory in one step; answers the summary with the files' digests."""
    target = Output("--output", given.output).real
    try:
        with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
            made = Path(temporary) / "split"
            made.mkdir(mode=0o777 & ~current_umask())
            document = {**summary, "files": [written(made, file) for file in files]}
            write_json(made / SUMMARY, {"schema": terminal.SCHEMA, **document})
            # replaces an empty directory, and fails if it has been filled since
            made.replace(target)
    except OSError as error:
        # a person knows the directory's name, not the temporary one
        error.filename, error.filename2 = str(given.output), None
        raise
    return document


def _warn(files: Sequence[DataFile]) -> None:
    for file in files:
        counts = count_labels(file.samples)
        for label, number in (("TP", counts.tp), ("FP", counts.fp)):
            if not number:
                terminal.say(f"warning: {file.name} has no sample labelled {label}")


def _render(
    given: argparse.Namespace, files: Sequence[DataFile], found: Split, duplicates: int
) -> str:
    sizes = ", ".join(f"{len(file.samples)} {Path(file.name).stem}" for file in files)
    reasons = Counter(out.reason for out in found.left_out)
    if duplicates:
        reasons["it is a duplicate"] = duplicates
    kept = (
        "together with groups that share code with them"
        if found.joined
        else "samples that share code with another split are left out"
    )
    lines = [
        f"Wrote {sizes} to {given.output} (seed {given.seed})",
        f"  kept whole  {found.units} groups, {kept}",
        *(f"  left out    {count}: {reason}" for reason, count in sorted(reasons.items())),
        "",
        balance_table(files),
        "",
        "Next: iacfilter-data check " + " ".join(str(given.output / file.name) for file in files),
    ]
    return "\n".join(lines)
