"""Export of verdicts: those that stand as labelled samples, to train, calibrate and evaluate on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from iacfilter_hpc.errors import DataError
from iacfilter_hpc.glitch.report import Detection
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import Unusable, build_sample
from iacfilter_hpc.samples.groups import Groups, Origin
from iacfilter_hpc.samples.sample import Sample, write_samples
from iacfilter_hpc.samples.smells import smell_of_words
from iacfilter_hpc.verdicts.anchor import anchor
from iacfilter_hpc.verdicts.finding import Place
from iacfilter_hpc.verdicts.questions import SOURCE
from iacfilter_hpc.verdicts.records import read_records
from iacfilter_hpc.verdicts.repository import Kept
from iacfilter_hpc.verdicts.verdict import LABEL, VERDICT, Verdict, agreement, newest, strongest


@dataclass(frozen=True, slots=True)
class Exported:
    """Exported samples' count by label, and why verdicts made none."""

    path: Path
    labels: dict[str, int]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Making:
    """What a verdict needs to become a sample."""

    scripts: Scripts
    groups: Groups
    technology: str | None

    def sample(self, place: Place, verdict: Verdict, confidence: float) -> Sample | str:
        """The sample of a verdict, or why there is none."""
        if verdict.decision not in LABEL:
            return "a person is unsure"
        smell = smell_of_words(place.smell)
        # the cited line for GLITCH's words: it is there, as the verdict stands
        row = Detection(0, place.file, place.line, place.smell, smell, verdict.text, "")
        made = build_sample(
            row,
            self.scripts,
            technology=self.technology,
            label=LABEL[verdict.decision],
            source=SOURCE,
            confidence=round(confidence, 4),
            groups=self.groups,
        )
        return made.reason.kind or made.reason.text if isinstance(made, Unusable) else made


def export(kept: Kept, path: Path, origin: Origin, technology: str | None) -> Exported:
    """Write a sample for each verdict that stands, in one step; confidence is people's agreement.

    Raises:
        DataError: the verdicts cannot be read, or make no sample.
    """
    every = read_records(kept.path, VERDICT)
    anchored = anchor(newest(every), kept.repository)
    of_key: dict[tuple[str, str], list[Verdict]] = {}
    for each in every:
        of_key.setdefault(each.key, []).append(each)
    making = _Making(Scripts(kept.repository.root), Groups(rest=origin), technology)
    of_line: dict[Place, list[Verdict]] = {}
    for place, verdict in anchored.standing.items():
        of_line.setdefault(place.whole_line, []).append(verdict)
    made = []
    for place in sorted(of_line):
        chosen = strongest(of_line[place])
        assert chosen is not None, "a line in it has one"
        made.append(making.sample(place, chosen, agreement(of_key[chosen.key], chosen)))
    samples = [each for each in made if isinstance(each, Sample)]
    left_out = Counter(each for each in made if isinstance(each, str))
    left_out.update(f"it has expired: {each.why}" for each in anchored.expired)
    if not samples:
        account = [f"{count} because {reason}" for reason, count in left_out.items()]
        raise DataError("\n".join([f"{kept.path} has no verdict that makes a sample", *account]))
    write_samples(path, samples)
    return Exported(path, dict(Counter(str(each.label) for each in samples)), dict(left_out))
