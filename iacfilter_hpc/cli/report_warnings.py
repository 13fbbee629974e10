"""What a person must know of a report and its flags, whatever is made of them."""

from __future__ import annotations

from collections.abc import Iterator

from iacfilter_hpc.glitch.report import GlitchReport
from iacfilter_hpc.samples import technologies


def report_warnings(report: GlitchReport) -> Iterator[str]:
    """Signs that the report is not all that GLITCH wrote."""
    if report.is_cut_off:
        yield f"{report.path} ends without a line end: it may have been cut off in its last row"


def technology_warnings(technology: str | None) -> Iterator[str]:
    """A name that models and tables do not know: it is taken, and is perhaps a slip."""
    if technology is not None and technology not in technologies.NAMES:
        yield f"--technology {technology} is none of {', '.join(technologies.NAMES)}"
