"""What iacfilter-compare answers: on stdout, and as files in a folder of its own."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal

if TYPE_CHECKING:
    from iacfilter_hpc.evaluation.comparison.compare import Comparison, Request
    from iacfilter_hpc.evaluation.comparison.external import Named
    from iacfilter_hpc.evaluation.labelled import Labelled

WRITTEN = ("report.html", "report.md", "comparison.json")


def answer(given: argparse.Namespace, done: Comparison, directory: Path) -> None:
    """Print it, warnings on stderr."""
    from iacfilter_hpc.cli.compare_text import render
    from iacfilter_hpc.evaluation.comparison.document import document
    from iacfilter_hpc.evaluation.comparison.markdown import render_markdown

    for warning in (*done.warnings, *(f"left out: {reason}" for reason in done.left_out)):
        terminal.say(f"warning: {warning}")
    if given.json:
        terminal.print_json({**document(done), "directory": str(directory)})
    elif given.markdown:
        print(render_markdown(done), end="")
    else:
        print(render(done))
        print(f"Written: {directory / 'report.html'}, report.md, comparison.json")


def write(done: Comparison, directory: Path) -> Path:
    """Put the report into a directory: all of its files or none."""
    from iacfilter_hpc.evaluation.comparison.document import document
    from iacfilter_hpc.evaluation.comparison.html import render_html
    from iacfilter_hpc.evaluation.comparison.markdown import render_markdown
    from iacfilter_hpc.files import replacing

    values = json.dumps(document(done), indent=2, allow_nan=False) + "\n"
    texts = (render_html(done), render_markdown(done), values)
    with replacing(*(directory / name for name in WRITTEN)) as files:
        for file, text in zip(files, texts, strict=True):
            file.write(text.encode())
    return directory


def folder_of(request: Request, data: Labelled) -> str:
    """The same for the same systems, data and options."""
    options = request.options
    systems = [[run.name for run in request.runs], [_words(file) for file in request.files]]
    asked: list[object] = [options.threshold, str(options.groups), options.draws, options.seed]
    asked.append(options.cross_fit)
    digest = hashlib.sha256(json.dumps([*systems, asked]).encode()).hexdigest()
    return f"{data.path.stem}-{data.sha256[:8]}-{digest[:8]}"


def _words(file: Named) -> list[str]:
    return [file.name, str(file.path)]
