"""Real reports of GLITCH main 21db8c4, 2.0.0 and 2022: every row is accounted for, none merged."""

from __future__ import annotations

import json
from collections import Counter
from itertools import repeat

import pytest

from iacfilter_hpc.glitch.decisions import Tally
from iacfilter_hpc.glitch.report import Detection, open_report
from iacfilter_hpc.glitch.rows import read_rows
from iacfilter_hpc.glitch.sarif import DecidingModel, SarifLog
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import prefix_of
from tests.glitch.made_decisions import decide
from tests.glitch.test_sarif import VALIDATOR
from tests.samples.made import REAL_DATA

REPORTS = REAL_DATA / "glitch_output"
MAIN = REPORTS / "main_21db8c4"
pytestmark = pytest.mark.skipif(not MAIN.is_dir(), reason="the real data are not here")


@pytest.mark.parametrize(
    ("name", "folder", "technologies", "rows", "usable"),
    [
        ("ansible-docker.csv", "ansible-role-docker", {"ansible": 3, "github-actions": 1}, 4, 4),
        ("apache.csv", "puppetlabs-apache", {"puppet": 75}, 75, 75),
        ("clean.csv", "ansible-role-docker", {}, 0, 0),
        ("gha.csv", "kubespray", {"github-actions": 1}, 1, 1),
        ("linter.txt", "ansible-role-docker", {}, 41, 0),
        ("stdout-mixed.csv", "ansible-role-docker", {}, 41, 0),
        ("mysql.csv", "mysql", {"chef": 34}, 34, 34),
        ("terragoat.csv", "terragoat", {"terraform": 184}, 184, 184),
    ],
)
def test_rows_in_are_rows_out(
    name: str, folder: str, technologies: dict[str, int], rows: int, usable: int
) -> None:
    report = open_report(MAIN / name)
    scripts_folder = MAIN / "repos" / folder
    scripts = Scripts(scripts_folder, prefix_of(report, scripts_folder))
    rest = repeat(0.9)
    judged = [decide(row, scripts, rest) for row in read_rows(report)]
    tally = Tally()
    tally.add(judged)
    counts = tally.total()
    assert counts.rows == counts.tp + counts.fp + counts.unjudged == rows
    samples = [each.sample for each in judged if each.sample is not None]
    if technologies:
        assert Counter(sample.technology for sample in samples) == technologies
        assert len(samples) == usable
    log = log_of(judged)
    detections = [each for each in judged if isinstance(each.row.found, Detection)]
    assert len(log["results"]) == len(detections) == rows
    prints = {r["partialFingerprints"]["iacfilterDetection/v2"] for r in log["results"]}
    assert len(prints) == rows
    assert all(result["ruleIndex"] < 43 for result in log["results"])


def log_of(judged: list) -> dict:  # type: ignore[type-arg]
    """The one run of a log that the standard's schema takes."""
    parts: list[bytes] = []
    log = SarifLog(parts.append, DecidingModel("m", 0.5, "as asked"))
    log.begin()
    log.add(judged)
    log.end()
    document = json.loads(b"".join(parts))
    assert not list(VALIDATOR.iter_errors(document))
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run
