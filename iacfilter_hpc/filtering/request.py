"""Request to filter a report, and what is wrong with one before any report is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from iacfilter_hpc.config.extras import FILTER, TRAIN, check_installed
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.filtering.findings import Findings, Unjudged
from iacfilter_hpc.filtering.safety.guard import SafetyOptions
from iacfilter_hpc.filtering.safety.rules import FILE as RULES
from iacfilter_hpc.glitch.checks import (
    Output,
    folder_problems,
    input_problems,
    name_problems,
    output_problems,
    refuse,
    script_problems,
    smell_problems,
    stdout_problems,
)
from iacfilter_hpc.onnx_model import record as onnx_record
from iacfilter_hpc.trained_model.find import Trained, find_trained
from iacfilter_hpc.verdicts.repository import find_verdicts

# what scoring imports, of a model that is not in ONNX; DeepSpeed is no part of it
PACKAGES = "torch transformers peft datasets scipy".split()


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """Request to filter: which report, with which model, and where the result goes.

    `threshold` and `min_recall` None mean the model's own threshold; `technology` None means as
    each file's extension says, `prefix` None the one that is found. `verdicts` None means those
    that are found from the scripts upwards, if `use_verdicts`. Without `output` the rows go to
    standard output, unless `as_json` says that this is for one JSON document. `made_from` is the
    file or folder that a temporary report was made from, which is what a person knows.
    """

    report: Path
    scripts: Path
    models: Path
    model: str
    threshold: float | None = None
    min_recall: float | None = None
    technology: str | None = None
    prefix: str | None = None
    output: Path | None = None
    sarif: Path | None = None
    annotate: bool = False
    bare: bool = False
    omit_suppressed: bool = False
    fail_on_findings: bool = False
    as_json: bool = False
    safety: SafetyOptions = field(default_factory=SafetyOptions)
    verdicts: Path | None = None
    use_verdicts: bool = True
    baseline: Path | None = None
    write_baseline: Path | None = None
    smells: frozenset[str] | None = None
    unjudged: Unjudged = Unjudged.KEEP
    code_quality: Path | None = None
    summary: Path | None = None
    made_from: Path | None = None

    @property
    def outputs(self) -> list[Output]:
        """The files to be written, but the baseline."""
        named = (
            ("--output", self.output),
            ("--sarif", self.sarif),
            ("--code-quality", self.code_quality),
            ("--summary", self.summary),
        )
        return [Output(flag, path) for flag, path in named if path]

    @property
    def every_output(self) -> list[Output]:
        """Those, and last the baseline, which may replace the one that is read."""
        written = self.write_baseline
        return [*self.outputs, *([Output("--write-baseline", written)] if written else [])]

    @property
    def inputs(self) -> list[Path]:
        """The files that are read, there or not; none of them may be replaced by an output.

        Raises:
            UsageError: what is to be the file of verdicts is no regular file.
        """
        baseline = [self.baseline] if self.baseline else []
        return [*self.inputs_but_baseline, *baseline]

    @property
    def inputs_but_baseline(self) -> list[Path]:
        """Those that not even a baseline may take the place of."""
        verdicts = find_verdicts(self.scripts, self.verdicts).path
        rules = self.safety.rules or self.scripts / RULES
        named = (self.report, self.made_from, verdicts, rules)
        return [path for path in named if path]

    @property
    def findings(self) -> Findings:
        """Which of the kept rows count."""
        return Findings(self.smells, self.unjudged)

    @property
    def shown(self) -> Path:
        """What the report is called."""
        return self.made_from or self.report


def check_request(request: FilterRequest) -> Trained:
    """Raise what is wrong with the request, whatever the report holds, and find the model."""
    refuse(list(_problems(request)))
    model = find_trained(request.models, request.model)
    _check_packages(model.final)
    return model


def _check_packages(final: Path) -> None:
    """Raise IacfilterError unless the packages that score this model can be found."""
    if onnx_record.is_onnx(final):
        check_installed(onnx_record.PACKAGES, FILTER)
    else:
        without = (
            "an encoder needs none of them after iacfilter-export RUN --onnx where it was trained"
        )
        check_installed(PACKAGES, f"{TRAIN}\n{without}")


def _problems(request: FilterRequest) -> Iterator[UsageError]:
    # a report that is made by us is there when it is asked for, and not before
    if not request.made_from:
        yield from input_problems(request.report)
    # with -o and without --json nothing goes to standard output
    if request.as_json or not request.output:
        yield from stdout_problems(request.report)
    yield from folder_problems(request.scripts)
    yield from name_problems("--technology", request.technology)
    if request.bare and request.annotate:
        yield UsageError(
            "--bare leaves out the marks that --annotate is for", hint="give one of them"
        )
    if request.omit_suppressed and not request.sarif:
        yield UsageError(
            "--omit-suppressed is about --sarif, which is not given", hint="give both or neither"
        )
    yield from smell_problems("--yes-remove", request.safety.yes_remove)
    yield from output_problems(request.outputs, request.inputs)
    if request.fail_on_findings and _rolls_forward(request):
        yield UsageError(
            f"--write-baseline {request.write_baseline} would replace --baseline, and under "
            "--fail-on-findings the next run would know what ended this one",
            hint="roll the baseline forward in a run without --fail-on-findings",
        )
    # a baseline may take the place of the one that was read
    yield from output_problems(request.every_output, request.inputs_but_baseline)
    yield from script_problems(request.every_output, request.scripts)


def _rolls_forward(request: FilterRequest) -> bool:
    """Whether the baseline that is read is written anew."""
    return (
        request.baseline is not None
        and request.write_baseline is not None
        and os.path.realpath(request.baseline) == os.path.realpath(request.write_baseline)
    )
