"""iacfilter_hpc.samples.prompt: two forms, of which the old one never changes."""

from __future__ import annotations

import hashlib

import pytest

from iacfilter_hpc.samples.prompt import (
    MOST_OF_DESCRIPTION,
    NEWEST,
    NOTHING_MORE,
    OLDEST,
    TASKS,
    PromptForm,
    Reported,
    build_prompt,
    count_foreign,
    form_of,
)
from iacfilter_hpc.samples.sample import Sample, read_samples
from iacfilter_hpc.samples.smells import NAMES, RULES, smell_of_code, title_of
from tests.samples.made import DEMO

DEMO_SAMPLES = [s for path in sorted(DEMO.glob("*.jsonl")) for s in read_samples(path)]
NEW = """\
The static analyser GLITCH reported a possible smell in a script of infrastructure as code. \
Check the report against the code.

Smell: missing logging. What happens in a resource is not logged, or its logs are incomplete or \
kept too briefly.
GLITCH's rule: Logging. Logs should be written, kept and protected.
TP: an attack on the resource would leave no trace that can be looked up.
FP: logs are written by another resource or by default, or there is nothing to log.

Judge what the reported line does, not which words it contains. Reply with one word: TP if the \
report is right, FP if it is a false alarm.

Technology: Terraform
GLITCH says: Suggestion: check for a required attribute with name 'logging'.
File: s3.tf
Reported line: 2

     1  # data
>>   2  resource "aws_s3_bucket" "data" {

Answer:"""
CONTEXT = ["# data", 'resource "aws_s3_bucket" "data" {']


@pytest.mark.parametrize("sample", DEMO_SAMPLES, ids=lambda sample: sample.file)
def test_the_prompts_of_the_demo_are_of_the_old_form(sample: Sample) -> None:
    place = (sample.smell, sample.file, sample.line, sample.detection_span[0])
    prompt = build_prompt(*place, sample.with_context.split("\n"), form=OLDEST)
    assert prompt == sample.with_prompt
    assert form_of([prompt]) == OLDEST


def test_the_old_form_is_what_models_were_trained_on() -> None:
    """Of the nine smells of that time, to the letter; what GLITCH says is no part of it."""
    old = NAMES[:9]
    said = Reported("terraform", "sec_https", "Suggestion: do.")
    for more in (NOTHING_MORE, said):
        texts = [build_prompt(name, "f", 1, 1, ["x"], more, OLDEST) for name in old]
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        assert digest == "15c60e39ac3ecc76dea7a58e6e5e8eb6bb71258a5766fae9cb715e60b965daf3"


def test_the_new_form_names_the_technology_and_says_what_glitch_says() -> None:
    said = "Suggestion: check for a required attribute with name 'logging'."
    reported = Reported("terraform", "sec_logging", said)
    assert build_prompt("logging", "s3.tf", 2, 1, CONTEXT, reported) == NEW
    # what only repeats the rule is not said twice
    rule = "Logging - Logs should be enabled and securely configured. (CWE-223 | CWE-778)"
    for repeated in ("", rule):
        prompt = build_prompt(
            "logging", "s3.tf", 2, 1, CONTEXT, Reported("terraform", "sec_logging", repeated)
        )
        assert prompt == NEW.replace(f"GLITCH says: {said}\n", "")


def test_a_hostile_description_does_not_fill_the_prompt() -> None:
    prompts = [
        build_prompt("logging", "s3.tf", 2, 1, CONTEXT, Reported("terraform", "sec_logging", said))
        for said in ("", "x" * 2**20)
    ]
    assert 0 < len(prompts[1]) - len(prompts[0]) <= MOST_OF_DESCRIPTION + 1


def test_the_codes_of_one_smell_are_asked_about_by_name() -> None:
    for rule in RULES:
        smell = smell_of_code(rule.id)
        assert smell is not None
        prompt = build_prompt(smell, "a", 1, 1, ["x"], Reported("chef", rule.id))
        assert f"\nGLITCH's rule: {rule.name}. {rule.description}\n" in prompt


@pytest.mark.parametrize("form", PromptForm)
@pytest.mark.parametrize("smell", NAMES)
def test_each_smell_has_a_prompt_of_its_own(smell: str, form: PromptForm) -> None:
    prompt = build_prompt(smell, "a.yml", 1, 1, ["code"], form=form)
    assert f"\nSmell: {title_of(smell)}. " in prompt
    assert prompt.endswith("File: a.yml\nReported line: 1\n\n>>   1  code\n\nAnswer:")
    assert form_of([prompt]) == form
    # what all reports of a rule share comes first: its tokens are computed once
    other = build_prompt(smell, "b.tf", 9, 9, ["x"], Reported("terraform"), form)
    assert prompt.split("\n\n")[:3] == other.split("\n\n")[:3]


def test_prompts_of_a_file_say_their_form() -> None:
    old, new = (build_prompt("logging", "a", 1, 1, ["x"], form=form) for form in PromptForm)
    assert form_of([old, new, new]) == NEWEST
    assert form_of([new, old]) == OLDEST, "the older of as many"
    assert form_of([]) == form_of(["Is this right? YES or NO"]) == OLDEST
    assert count_foreign([old, new, "Is this right? YES or NO", ""]) == 2
    assert len({task[:60] for task in TASKS.values()}) == len(PromptForm)
