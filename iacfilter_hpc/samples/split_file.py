"""Split of one sample file into a directory: train, validation, perhaps test, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from iacfilter_hpc.runs.files import current_umask, sha256_of, write_json
from iacfilter_hpc.samples.duplicates import Duplicate, without_duplicates
from iacfilter_hpc.samples.groups import read_groups, with_groups
from iacfilter_hpc.samples.label_counts import balance_document, count_labels
from iacfilter_hpc.samples.leakage import DataFile
from iacfilter_hpc.samples.sample import Sample, SampleFile, read_sample_file, write_samples
from iacfilter_hpc.samples.split import NAMES, By, LeftOutCause, Sizes, Split, split

SUMMARY = "summary.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """What to split, and into what.

    `sizes` are whole numbers of samples, or shares of all; `groups` is a CSV that names
    repositories and families; `dedupe` first leaves out samples whose smell and reported line
    another one has; `command` is noted in the summary.
    """

    samples: Path
    output: Path
    sizes: tuple[float, ...]
    by: By
    seed: int
    groups: Path | None
    dedupe: bool
    command: str


@dataclass(frozen=True, slots=True)
class FileSplit:
    """Split of a file; `summary` is what summary.json holds, less its schema."""

    files: tuple[DataFile, ...]
    found: Split
    duplicates: int
    summary: dict[str, object]


def split_file(request: SplitRequest, target: Path) -> FileSplit:
    """Split the samples and write the directory `target`, whole or not at all.

    Raises:
        DataError: a file cannot be read, or the sizes cannot be reached.
        OSError: `target` cannot be written, or has been filled since it was found to be empty.
    """
    read = read_sample_file(request.samples)
    samples = list(read.samples)
    if request.groups:
        samples = with_groups(samples, read_groups(request.groups))
    # before the split, which would otherwise count a sample and its copies as several
    kept, duplicates = without_duplicates(samples) if request.dedupe else (samples, [])
    found = split(kept, _sizes(request.sizes, len(kept)), request.by, request.seed)
    files = tuple(
        DataFile(f"{name}.jsonl", tuple(kept[index] for index in part))
        # a split in two has no test file
        for name, part in zip(NAMES, found.parts, strict=False)
    )
    summary = _write(target, files, _summary(request, read, kept, found, duplicates))
    return FileSplit(files, found, len(duplicates), summary)


def _sizes(asked: Sequence[float], count: int) -> Sizes:
    if all(isinstance(size, int) for size in asked):
        return Sizes(tuple(int(size) for size in asked), exact=True)
    # all of the data is used if the shares say so: what rounding leaves goes to train.
    # A share that rounds to nothing is one sample: an empty file is an error where it is read
    counts = [max(1, round(share * count)) for share in asked]
    if sum(asked) > 1 - 1e-9:
        counts[0] = max(1, count - sum(counts[1:]))
    return Sizes(tuple(counts), exact=False)


def _summary(
    request: SplitRequest,
    read: SampleFile,
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
        if out.cause is not LeftOutCause.GROUP
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
        "command": request.command,
        "input": {
            "file": str(request.samples.absolute()),
            "sha256": read.sha256,
            "samples": len(read.samples),
        },
        "sizes": list(request.sizes),
        "by": request.by,
        "seed": request.seed,
        "groups": found.units,
        "groups_with_shared_code_joined": found.joined,
        "left_out": dict(sorted(reasons.items())),
        "left_out_samples": [*doubles, *left_out],
    }


def _write(
    target: Path, files: Sequence[DataFile], summary: dict[str, object]
) -> dict[str, object]:
    """Write the directory in one step; answers the summary with the files' digests."""
    # beside the target: a rename works within one file system alone
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        made = Path(temporary) / "split"
        # one below it: TemporaryDirectory is 0700 whatever the umask, and removes itself at the end
        made.mkdir(mode=0o777 & ~current_umask())
        document = {**summary, "files": [_written(made, file) for file in files]}
        write_json(made / SUMMARY, {"schema": SCHEMA, **document})
        # replaces an empty directory, and fails if it has been filled since
        made.replace(target)
    return document


def _written(directory: Path, file: DataFile) -> dict[str, object]:
    """What summary.json says of a file, once that is written."""
    write_samples(directory / file.name, file.samples)
    labels = count_labels(file.samples)
    return {
        "file": file.name,
        # of the file as it was written: what readers will compare
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
