"""Prompt of a detection: what the smell is, where it was reported, the code, and `Answer:`.

What is the same for many samples comes first, so that its tokens can be shared. Label, source,
confidence and repository are no part of it. What each smell means is in the table of smells.

There are two forms, since a model knows only the words that it was trained in: decision.json says
in which form to ask it, and new samples are made in the newest. Form 1 names three technologies,
whatever the script is, and nothing that GLITCH says; form 2 names the one at hand, and carries
GLITCH's own description.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from iacfilter_hpc.samples import technologies
from iacfilter_hpc.samples.smells import BY_NAME, rule_of


class PromptForm(IntEnum):
    """Form of a prompt: the words in which a model is asked."""

    THREE_TECHNOLOGIES = 1
    OWN_DESCRIPTION = 2


OLDEST, NEWEST = min(PromptForm), max(PromptForm)

# Models are trained on these words: another word is another question, to which they know no answer.
# So none of a form is ever changed; what should read otherwise is a new form.
TASKS = {
    PromptForm.THREE_TECHNOLOGIES: (
        "A static analyser reported a possible security smell in a file written for Ansible, Chef "
        "or Puppet. Check the report against the code."
    ),
    PromptForm.OWN_DESCRIPTION: (
        "The static analyser GLITCH reported a possible smell in a script of infrastructure as "
        "code. Check the report against the code."
    ),
}
REPLY = (
    "Judge what the reported line does, not which words it contains. Reply with one word: TP if "
    "the report is right, FP if it is a false alarm."
)
MOST_OF_DESCRIPTION = 300
"""Characters: GLITCH's longest has 194, and a hostile report may have megabytes."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report says besides the place: GLITCH's code (or the smell in words), its description.

    The description is that of the row, empty where it has none.
    """

    technology: str = technologies.UNKNOWN
    code: str = ""
    description: str = ""


NOTHING_MORE = Reported()


def build_prompt(
    smell: str,
    file: str,
    line: int,
    first: int,
    context: Sequence[str],
    reported: Reported = NOTHING_MORE,
    form: PromptForm = NEWEST,
) -> str:
    """The prompt of one detection; `context` are the lines of the file from line `first`.

    Lines count from 1. `smell` is one of samples.smells.NAMES.

    Raises:
        KeyError: `smell` is none of them.
    """
    about = BY_NAME[smell]
    # the mark and number before each line are what inputs.prompts looks past to find the context;
    # indentation stays, which in YAML is meaning
    code = "\n".join(
        f"{'>>' if number == line else '  '} {number:>3}  {text}".rstrip()
        for number, text in enumerate(context, first)
    )
    of_rule, of_row = ("", "") if form == OLDEST else _said(smell, reported)
    return (
        f"{TASKS[form]}\n\n"
        f"Smell: {about.title}. {about.meaning}\n"
        f"{of_rule}"
        f"TP: {about.tp}\n"
        f"FP: {about.fp}\n\n"
        f"{REPLY}\n\n"
        # up to here all reports of one rule are alike, token for token
        f"{of_row}"
        f"File: {file}\n"
        f"Reported line: {line}\n\n"
        f"{code}\n\n"
        # no space after it: to Llama's tokenizer that belongs to the answer's first token
        "Answer:"
    )


def form_of(prompts: Iterable[str]) -> PromptForm:
    """The form that most of these prompts have; the oldest if most are of another making.

    By their first words, so that files say it themselves.
    """
    found = Counter(_form_of(prompt) or OLDEST for prompt in prompts)
    # of as many the older one, whatever comes first in a file
    return max(sorted(found), key=lambda form: found[form], default=OLDEST)


def count_foreign(prompts: Iterable[str]) -> int:
    """How many of these prompts are of another making, which no form can repeat."""
    return sum(_form_of(prompt) is None for prompt in prompts)


def _form_of(prompt: str) -> PromptForm | None:
    return next((form for form, task in TASKS.items() if prompt.startswith(task)), None)


def _said(smell: str, reported: Reported) -> tuple[str, str]:
    """What GLITCH says of the rule, and what of this script and row."""
    rule = rule_of(smell, reported.code)
    technology = f"Technology: {technologies.title_of(reported.technology)}\n"
    said = reported.description
    # most rows repeat what the rule says; those of Terraform suggest what is missing
    own = "" if not said or said.startswith(f"{rule.name} - ") else f"GLITCH says: {said}"
    suggestion = f"{own[:MOST_OF_DESCRIPTION]}\n" if own else ""
    return f"GLITCH's rule: {rule.name}. {rule.description}\n", f"{technology}{suggestion}"
