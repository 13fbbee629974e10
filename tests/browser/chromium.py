"""Headless Chromium as a function of a page: its DOM, its picture, its print, what it asks for."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from html import unescape
from pathlib import Path

QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-extensions --disable-dev-shm-usage --enable-logging=stderr"
).split()
TIMEOUT_S = 120
ITS_OWN = "not an origin"
"""Who asks, in Chromium's log, where it is the browser itself and no page."""


@dataclass(frozen=True)
class Visit:
    """The page's DOM if it was asked for, its lines on the console, and the addresses it fetched.

    An address inside the page (`data:`) is fetched from nowhere.
    """

    dom: str
    console: tuple[str, ...]
    fetched: tuple[str, ...]


def visit(page: Path, *flags: str, width: int = 1280, height: int = 900) -> Visit:
    """Open a file with a new profile, where no name of a host leads anywhere."""
    # --no-sandbox and /tmp: as root, and a profile's path must fit into a socket's
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        log = Path(folder) / "net.json"
        argv = [
            *("chromium", *QUIET, f"--user-data-dir={folder}/profile"),
            *(f"--window-size={width},{height}", "--host-resolver-rules=MAP * ~NOTFOUND"),
            *(f"--log-net-log={log}", *flags, page.as_uri()),
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
        events = json.loads(log.read_text())["events"]
    asked = [event.get("params", {}) for event in events]
    return Visit(
        dom=done.stdout,
        console=tuple(line for line in done.stderr.splitlines() if "CONSOLE" in line),
        fetched=tuple(
            sorted({each["url"] for each in asked if each.get("initiator", ITS_OWN) != ITS_OWN})
        ),
    )


def measure(page: Path, folder: Path, script: str, width: int) -> object:
    """What a function of (window, document) in JavaScript answers once the page is whole.

    The page stands in a frame of that width: Chromium's own windows are at least 500 pixels wide,
    and the page itself lets no script run.
    """
    frame = folder / f"frame-{width}.html"
    frame.write_text(
        f'<iframe style="width: {width}px; height: 900px; border: 0"></iframe><script>'
        "const frame = document.querySelector('iframe'); frame.onload = () => {"
        f"  const said = ({script})(frame.contentWindow, frame.contentDocument);"
        "  document.body.textContent = JSON.stringify(said) };"
        f"frame.srcdoc = {_in_script(page.read_text(encoding='utf-8'))}</script>",
        encoding="utf-8",
    )
    dom = visit(frame, "--dump-dom", width=width + 200).dom
    found = re.search(r"<body>(.*)</body>", dom, re.DOTALL)
    assert found, dom[:500]
    return json.loads(unescape(found[1]))


def _in_script(text: str) -> str:
    """A string of JavaScript that no tag in it can end."""
    return json.dumps(text).replace("<", "\\u003c")
