"""What headers and rows of GLITCH's CSV reports look like, by form."""

from __future__ import annotations

import re
from typing import Literal

Form = Literal["2022", "v2", "replication"]

HEADERS: dict[str, Form] = {
    "PATH,LINE,ERROR,DESCRIPTION,CODE": "v2",
    "PATH,LINE,ERROR": "replication",
}
_START = r"(?P<path>.+?),(?P<line>-?[0-9]{1,9}),"
_CODE = r"(?P<code>[a-z][a-z0-9]*(?:_[a-z0-9]+)+)"
_VERDICT = r"(?:,(?:TP|FP|UNJUDGED: [^,]+),[0-9.]*)?"
ROWS: dict[Form, re.Pattern[str]] = {
    "2022": re.compile(rf"{_START}{_CODE},(?P<detail>.*)"),
    # the description ends with its CWE, and may hold commas before it
    "v2": re.compile(rf"{_START}{_CODE},(?:.*?\(CWE-[^)]{{1,80}}\)|[^,]*),(?P<detail>.*)"),
    "replication": re.compile(rf"{_START}(?P<code>(?=[^,]*[^,\s])[^,]*+)(?P<detail>){_VERDICT}"),
}
VERDICT_COLUMNS = ",DECISION,P_TP"
"""What iacfilter-filter adds to each row: its reports can be read as GLITCH's own."""
VERDICT = re.compile(r",(?:(?:TP|FP),[01]\.[0-9]{6}|UNJUDGED: [^,]+,)\Z")
COLUMNS: dict[Form, str] = {
    "2022": "PATH,LINE,CODE,REPR",
    "v2": "PATH,LINE,ERROR,DESCRIPTION,CODE",
    "replication": "PATH,LINE,ERROR",
}


def is_of_linter(path: str) -> bool:
    """Whether what was read as a path begins with a description: `Title - Words. (CWE-1),`."""
    title, dash, rest = path.partition(" - ")
    return bool(dash) and "," not in title and bool(re.search(r"\(CWE-[^)]{1,80}\),.", rest))
