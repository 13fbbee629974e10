"""Prompt of a detection: what the smell is, where it was reported, the code, and `Answer:`.

What is the same for all samples comes first, so that its tokens can be shared. Label, source,
confidence and repository are no part of it. What each smell means is in the table of smells.
"""

from __future__ import annotations

from collections.abc import Sequence

from iacfilter_hpc.samples.smells import BY_NAME
from iacfilter_hpc.samples.technologies import TECHNOLOGIES

_TITLES = [technology.title for technology in TECHNOLOGIES]

# Models are trained on these words: another word is another question, to which they know no answer.
TASK = (
    "A static analyser reported a possible security smell in a file written for "
    f"{', '.join(_TITLES[:-1])} or {_TITLES[-1]}. Check the report against the code."
)
REPLY = (
    "Judge what the reported line does, not which words it contains. Reply with one word: TP if "
    "the report is right, FP if it is a false alarm."
)


def build_prompt(smell: str, file: str, line: int, first: int, context: Sequence[str]) -> str:
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
    return (
        f"{TASK}\n\n"
        f"Smell: {about.title}. {about.meaning}\n"
        f"TP: {about.tp}\n"
        f"FP: {about.fp}\n\n"
        f"{REPLY}\n\n"
        # up to here all reports of one smell are alike, token for token
        f"File: {file}\n"
        f"Reported line: {line}\n\n"
        f"{code}\n\n"
        # no space after it: to Llama's tokenizer that belongs to the answer's first token
        "Answer:"
    )
