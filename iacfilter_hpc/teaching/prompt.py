"""Prompt of the teacher: a template of Jinja2, and what it makes of a sample.

A template knows `sample` (its fields by their names), `title` of the smell, `smell` (its meaning,
tp and fp; none for a smell that is not in the table), `technology` and `code`, the context with
line numbers and a mark at the reported line.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from iacfilter_hpc.errors import DataError, UsageError
from iacfilter_hpc.samples.byte_lines import unreadable
from iacfilter_hpc.samples.sample import Sample
from iacfilter_hpc.samples.smells import BY_NAME, title_of
from iacfilter_hpc.samples.technologies import TECHNOLOGIES

DEFAULT = Path(__file__).with_name("prompt.md.j2")
VARIABLES = "a template knows sample, title, smell, technology and code"
_TITLES = {technology.name: technology.title for technology in TECHNOLOGIES}
_ANY = ", ".join(_TITLES.values())
"""Stands for a technology that nobody knows."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Prompt template; `sha256` is that of its file, by which labels say what was asked."""

    path: Path
    sha256: str
    template: Template

    def ask(self, sample: Sample) -> str:
        """The prompt of one sample.

        Raises:
            DataError: the template cannot be filled in.
        """
        try:
            text = self.template.render(
                sample=sample,
                title=title_of(sample.smell),
                smell=BY_NAME.get(sample.smell),
                technology=_TITLES.get(sample.technology, _ANY),
                code=numbered(sample),
            )
        # TypeError and the like: of an expression that does not go with a field's type
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            problem = f"{self.path} cannot be filled in with {sample.file}:{sample.line}: {error}"
            raise DataError(problem, hint=VARIABLES) from error
        if not text.strip():
            raise DataError(f"{self.path} makes an empty prompt of {sample.file}:{sample.line}")
        return text


def read_prompt(path: Path | None) -> Prompt:
    """The template in a file, or the one that is shipped.

    Raises:
        DataError: it cannot be read.
        UsageError: it is no template.
    """
    path = path or DEFAULT
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        # sandboxed: templates are passed around, and one must not reach the process behind it.
        # Strict: a misspelt name would leave a hole in every prompt
        environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False)
        template = environment.from_string(content.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"--prompt: {path} is not UTF-8") from error
    except TemplateSyntaxError as error:
        raise UsageError(f"--prompt: {path}:{error.lineno}: {error.message}") from error
    return Prompt(path, hashlib.sha256(content).hexdigest(), template)


def numbered(sample: Sample) -> str:
    """The context with line numbers; >> marks the reported line."""
    first, _ = sample.detection_span
    return "\n".join(
        f"{'>>' if number == sample.line else '  '} {number:>4}  {text}".rstrip()
        for number, text in enumerate(sample.with_context.split("\n"), first)
    )
