"""Checks of a command's files and names, before it reads a report: all that is wrong at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.glitch.report import Detection, GlitchReport
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.samples import smells, technologies

# the descriptor, not sys.stdout: what counts is where a shell has sent it
STDOUT = 1


@dataclass(frozen=True, slots=True)
class Output:
    """Output file, and the flag that names it."""

    flag: str
    path: Path

    @property
    def real(self) -> Path:
        """Where the file is: a link is written through, not replaced."""
        return Path(os.path.realpath(self.path))

    @property
    def shown(self) -> str:
        """Flag and path as they were typed."""
        return f"{self.flag} {self.path}"


def input_problems(*paths: Path) -> Iterator[UsageError]:
    """Problems of files that are read more than once; one that is missing is reported later."""
    for path in paths:
        # a pipe is empty when it is read again, for the prefix, the rows and their bytes
        if path.exists() and not path.is_file():
            yield UsageError(
                f"{path} is no regular file, and it is read more than once",
                hint="save what a pipe or a device gives to a file, and name that",
            )


def folder_problems(scripts: Path) -> Iterator[UsageError]:
    """Problems of the folder of the scripts."""
    if not scripts.is_dir():
        yield UsageError(
            f"--scripts {scripts} is not a directory", hint="name the folder GLITCH has read"
        )


def name_problems(flag: str, name: str | None) -> Iterator[UsageError]:
    """Problems of a name, which goes into samples and tables."""
    if name is not None and not (name.strip() and name.isprintable()):
        yield UsageError(
            f"{flag} {name!a} is not a name", hint="a name is one line of printable text"
        )


def smell_problems(flag: str, names: Sequence[str]) -> Iterator[UsageError]:
    """Names that are no smell of the table."""
    for name in names:
        if name not in smells.BY_NAME:
            yield UsageError(
                f"{flag} {name!a} is no smell", hint=f"smells are {', '.join(smells.NAMES)}"
            )


def output_problems(outputs: Sequence[Output], inputs: Sequence[Path]) -> Iterator[UsageError]:
    """Outputs that cannot be written, or would replace an input or one another."""
    for number, output in enumerate(outputs):
        yield from _place_problems(output)
        # by inode: a path may be spelt in two ways, or lead through a link
        if any(_is_same(output.path, path) for path in inputs):
            yield UsageError(f"{output.shown} is an input", hint="it would be overwritten")
        for other in outputs[:number]:
            if output.real == other.real:
                yield UsageError(
                    f"{other.flag} and {output.flag} name the same file: {output.path}",
                    hint="each needs a file of its own",
                )


def script_problems(outputs: Sequence[Output], folder: Path) -> Iterator[UsageError]:
    """Outputs that would replace a script below the folder, to judge by its extension."""
    for output in outputs:
        # other files may be: where the scripts are a repository, earlier outputs lie among them
        if _is_below(output, folder) and technologies.technology_of(output.real.name):
            yield _over_script(output, folder)


def reported_problems(
    outputs: Sequence[Output], report: GlitchReport, scripts: Scripts
) -> Iterator[UsageError]:
    """Outputs that would replace a file below the folder that the report is about.

    The report is read for them only where an output is below the folder and there already.
    """
    near = {output.real: output for output in outputs if _is_below(output, scripts.folder)}
    if not near:
        return
    # a script of any extension is one if the report is about it
    paths = {row.path for row in report.rows() if isinstance(row, Detection)}
    named = {scripts.relative(path) for path in paths} - {None}
    read = {Path(os.path.realpath(scripts.folder / str(name))) for name in named}
    yield from (_over_script(near[path], scripts.folder) for path in near if path in read)


def model_problems(outputs: Sequence[Output], final: Path) -> Iterator[UsageError]:
    """Outputs in the directory of a trained model, which must stay as training left it."""
    for output in outputs:
        if output.real.is_relative_to(os.path.realpath(final)):
            yield UsageError(
                f"{output.shown} is inside the model {final}",
                hint="a model's directory holds nothing but the model: choose another place",
            )


def stdout_problems(report: Path) -> Iterator[UsageError]:
    """Standard output that is the report itself: what is written would be read again, for ever."""
    try:
        if os.path.samestat(os.fstat(STDOUT), report.stat()):
            yield UsageError(
                f"{report}: input file is output file, through standard output",
                hint="-o writes the rows to a file of their own",
            )
    except OSError:
        # a closed standard output is no file, and a report that is missing is said later
        return


def refuse(problems: Sequence[UsageError]) -> None:
    """Raise all of them as one error, if there are any."""
    if problems:
        # problems of one kind share a hint, which is said once
        hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
        message = "\n".join(dict.fromkeys(problem.message for problem in problems))
        raise UsageError(message, hint="\n".join(hints) or None)


def report_warnings(report: GlitchReport) -> Iterator[str]:
    """Signs that the report is not all that GLITCH wrote."""
    if report.is_cut_off:
        yield f"{report.path} ends without a line end: it may have been cut off in its last row"


def technology_warnings(technology: str | None) -> Iterator[str]:
    """A name that models and tables do not know: it is taken, and is perhaps a slip."""
    if technology is not None and technology not in technologies.NAMES:
        yield f"--technology {technology} is none of {', '.join(technologies.NAMES)}"


def _place_problems(output: Output) -> Iterator[UsageError]:
    if output.path.is_dir():
        yield UsageError(f"{output.shown} is a directory", hint="name a file in it")
    elif output.path.exists() and not output.path.is_file():
        yield UsageError(
            f"{output.shown} is no regular file, and cannot be replaced",
            hint="outputs appear whole or not at all, which only a file can do",
        )
    elif not output.real.parent.is_dir():
        folder = output.real.parent if output.path.is_symlink() else output.path.parent
        yield UsageError(
            f"{output.shown}: there is no directory {folder}", hint=f"mkdir -p {folder}"
        )


def _over_script(output: Output, folder: Path) -> UsageError:
    return UsageError(
        f"{output.shown} is a script below --scripts {folder}", hint="it would be overwritten"
    )


def _is_below(output: Output, folder: Path) -> bool:
    return output.real.is_file() and output.real.is_relative_to(os.path.realpath(folder))


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
