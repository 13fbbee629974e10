"""Stand-in for GLITCH in tests: its flags, its CSV, its statistics, its words for what fails.

It finds three smells by patterns. Written after GLITCH 21db8c4: extensions (glitch/tech.py), the
walk that skips links, rows and tables (glitch/__main__.py), errors on stderr with exit status 0
(glitch/exceptions.py), the shell that is given a Chef recipe's path (glitch/parsers/chef.py).
Run as a program; CANNOT in a script is what it cannot parse, $STAND_IN_FAILS makes it fail.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

CANNOT = "cannot be parsed"
EXTENSIONS = {
    "ansible": ("yml", "yaml"),
    "chef": ("rb",),
    "puppet": ("pp",),
    "terraform": ("tf",),
    "github-actions": ("yml", "yaml"),
}
SMELLS = (
    ("sec_hard_pass", "Hard-coded password - Do not reveal it. (CWE-259)", r"password\W"),
    ("sec_https", "Use of HTTP without TLS - Favor HTTPS. (CWE-319)", r"http://"),
    ("sec_susp_comm", "Suspicious comment - Words such as TODO or FIXME. (CWE-546)", r"TODO"),
)
TABLE = "+--+\n| Smell | Occurrences |\n+--+\n| Hard-coded password | 1 |\n+--+"


def main() -> None:
    parser = argparse.ArgumentParser(prog="glitch")
    lint = parser.add_subparsers(dest="command", required=True).add_parser("lint")
    lint.add_argument("--tech", choices=EXTENSIONS, required=True)
    lint.add_argument("--csv", action="store_true")
    lint.add_argument("--folder-strategy", choices=["include-all"])
    lint.add_argument("--smell-types", choices=["security"])
    lint.add_argument("path")
    lint.add_argument("output")
    args = parser.parse_args()
    if os.environ.get("STAND_IN_FAILS"):
        sys.exit("Error: Rego library is not available.")
    with Path(args.output).open("w") as rows:
        print("PATH,LINE,ERROR,DESCRIPTION,CODE", file=rows)
        for path in files(args.path, EXTENSIONS[args.tech]):
            print(f"\rANALYZING {args.tech}: [1.0it/s]", end="", file=sys.stderr)
            for row in found(path):
                print(row, file=rows)
    print(TABLE)


def files(top: str, extensions: tuple[str, ...]) -> list[str]:
    paths = [os.path.join(root, name) for root, _, names in os.walk(top) for name in names]  # noqa: PTH118
    return [p for p in paths if p.rpartition(".")[2] in extensions and not Path(p).is_symlink()]


def found(path: str) -> list[str]:
    if path.endswith(".rb"):
        # os.popen is GLITCH's way: what a name of a file may do here, it may do there
        os.popen(f": 'file = File.open(\"{path}\")'").close()
    try:
        lines = Path(path).read_text().splitlines()
        assert CANNOT not in "".join(lines)
    except (AssertionError, UnicodeDecodeError):
        print("Error: Ansible - Could not parse file:", path, file=sys.stderr)
        print("=" * 20 + " Traceback " + "=" * 20, file=sys.stderr)
        print('  File "x.py", line 1\nValueError: Error: no document', file=sys.stderr)
        print("=" * 51, file=sys.stderr)
        return []
    return [
        f"{path},{number},{code},{description},{line.strip()}"
        for number, line in enumerate(lines, 1)
        for code, description, pattern in SMELLS
        if re.search(pattern, line)
    ]


if __name__ == "__main__":
    main()
