"""The parts of README.md that are made from the code: `make docs` writes them, CI compares."""

from __future__ import annotations

import ast
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = ("iacfilter_hpc", "jobs")
OTHER = {
    "slurm_templates": "sbatch scripts: base.sbatch.j2, and what each kind of job adds to it",
    "configs": "defaults, tiny overlays, DeepSpeed files, demo data, model shapes, a site file",
    "tests": "mirrors the package; slurm/ starts a real cluster, bench/ measures",
}
WIDTH = 30


def tree() -> str:
    """Every module with the first line of its docstring."""
    lines: list[str] = []
    for top in CODE:
        lines.append(f"{top}/")
        lines += _folder(ROOT / top, "  ")
    lines += [f"{name + '/':{WIDTH}}{text}" for name, text in OTHER.items()]
    return "\n".join(["```", *lines, "```"])


SPEED = ROOT / "tests" / "bench" / "speed" / "speed.json"
COLUMNS = "samples/s|to a|to c|tokens a sample|useful|peak MiB"


def speed() -> str:
    """What `make bench` last measured of every form of training and scoring."""
    document = json.loads(SPEED.read_text(encoding="utf-8"))
    lines = [
        f"{document['machine']}; square matmul {document['matmul_gflops']:.0f} GFLOP/s.",
        "",
        f"| | {' | '.join(COLUMNS.split('|'))} |",
        f"|---|{'---|' * len(COLUMNS.split('|'))}",
    ]
    part = ""
    for line in (line for part in document["parts"].values() for line in part["lines"]):
        if line["part"] != part:
            part = line["part"]
            lines.append(f"| **{part}** |{' |' * len(COLUMNS.split('|'))}")
        cells = [
            f"{line['samples_per_second']:.1f}",
            f"{line['to_a']:.2f}",
            f"{line['to_c']:.2f}",
            f"{line['tokens_per_sample']:.0f}",
            f"{line['useful']:.0%}",
            f"{line['peak_mib']:.0f}",
        ]
        lines.append(f"| {line['form']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _folder(folder: Path, indent: str) -> list[str]:
    lines = []
    files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    for path in files:
        lines.append(f"{indent + path.name:{WIDTH}}{_summary(path)}")
    for inner in sorted(path.parent for path in folder.glob("*/__init__.py")):
        lines.append(f"{indent + inner.name + '/':{WIDTH}}{_summary(inner / '__init__.py')}")
        lines += _folder(inner, indent + "  ")
    return lines


def _summary(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0]
