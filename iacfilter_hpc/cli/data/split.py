"""iacfilter-data split: a directory of files that share nothing, from one file of samples."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.cli.data.balance import balance_table
from iacfilter_hpc.errors import UsageError, counted
from iacfilter_hpc.glitch.checks import Output, input_problems, refuse
from iacfilter_hpc.samples.label_counts import count_labels
from iacfilter_hpc.samples.split_file import FileSplit, SplitRequest, split_file


def request_of(args: argparse.Namespace) -> SplitRequest:
    """The request that the flags make."""
    return SplitRequest(
        samples=args.samples,
        output=args.output,
        sizes=args.sizes,
        by=args.by,
        seed=args.seed,
        groups=args.groups,
        dedupe=args.dedupe,
        # kept in summary.json, so that the split can be made again
        command=shlex.join(["iacfilter-data", *sys.argv[1:]]),
    )


def run(request: SplitRequest, *, as_json: bool) -> int:
    """Run the subcommand and return 0.

    Raises:
        UsageError: flags that make no sense together; all are named.
        DataError: the samples cannot be read, or the sizes cannot be reached.
        OSError: the directory cannot be written.
    """
    refuse(list(_problems(request)))
    try:
        done = split_file(request, _target(request))
    except OSError as error:
        # a person knows the directory's name, not the temporary one
        error.filename, error.filename2 = str(request.output), None
        raise
    _warn(done)
    if as_json:
        terminal.print_json(done.summary)
    else:
        print(_render(request, done))
    return 0


def _target(request: SplitRequest) -> Path:
    """Where the directory is to be: a link is written through, not replaced."""
    return Output("--output", request.output).real


def _problems(request: SplitRequest) -> Iterator[UsageError]:
    """What is wrong with the flags, before anything is read."""
    yield from input_problems(request.samples)
    path, target = request.output, _target(request)
    # said early; that the directory is still empty at the end is seen to when it is put in place
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


def _warn(done: FileSplit) -> None:
    for file in done.files:
        counts = count_labels(file.samples)
        for label, number in (("TP", counts.tp), ("FP", counts.fp)):
            if not number:
                terminal.say(f"warning: {file.name} has no sample labelled {label}")


def _render(request: SplitRequest, done: FileSplit) -> str:
    files, found = done.files, done.found
    sizes = ", ".join(f"{len(file.samples)} {Path(file.name).stem}" for file in files)
    reasons = Counter(out.reason for out in found.left_out)
    if done.duplicates:
        reasons["it is a duplicate"] = done.duplicates
    kept = (
        "together with groups that share code with them"
        if found.joined
        else "samples that share code with another split are left out"
    )
    written = " ".join(str(request.output / file.name) for file in files)
    lines = [
        f"Wrote {sizes} to {request.output} (seed {request.seed})",
        f"  kept whole  {counted(found.units, 'group')}, {kept}",
        *(f"  left out    {count}: {reason}" for reason, count in sorted(reasons.items())),
        "",
        balance_table(files),
        "",
        f"Next: iacfilter-data check {written}",
    ]
    return "\n".join(lines)
