"""The parts of README.md that are made from the code: `make docs` writes them, CI compares."""

from __future__ import annotations

import ast
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
