"""The browser, or why there is none."""

from __future__ import annotations

import os
import shutil

import pytest

PROGRAMS = ("chromium", "pdftotext", "pdfinfo")


@pytest.fixture(scope="session")
def browser_programs() -> None:
    """Skip without them; fail instead where they were promised, as in CI."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if not missing:
        return
    reason = f"a browser test needs {', '.join(missing)}"
    if os.environ.get("IACFILTER_REQUIRE_PACKAGES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
