"""The approach `linear`: its declaration, which imports no torch."""

from __future__ import annotations

from pathlib import Path

from iacfilter_hpc.config.approaches import ApproachEntry

LINEAR = ApproachEntry(
    name="linear",
    about="a linear classifier over hashed words",
    subject="the linear approach",
    kind="a linear classifier",
    implementation="iacfilter_linear.linear:Linear",
    configs_directory=Path(__file__).parent,
    reads_fields=True,
)
