"""Parts of README.md and CONTRIBUTING.md made from the code: `make docs` writes, CI compares."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "iacfilter_hpc"
OTHER = {
    "jobs": "what accelerate and the worker start, no logic in it",
    "slurm_templates": "sbatch scripts: base.sbatch.j2, and what each kind of job adds to it",
    "configs": "defaults, tiny overlays, DeepSpeed files, demo data, model shapes, a site file",
    "tests": "mirrors the package; cluster/ starts a real Slurm, bench/ measures",
}
WIDTH = 20


def tree() -> str:
    """Every room with the first line of its docstring, in the order in which rooms import."""
    lines = [_line(f"{PACKAGE.name}/", _summary(PACKAGE / "__init__.py"))]
    for name in layers():
        path = PACKAGE / name
        if path.is_dir():
            lines += _rooms(path, "  ")
        else:
            lines.append(_line(f"  {name}.py", _summary(path.with_suffix(".py"))))
    lines += [_line(f"{name}/", text) for name, text in OTHER.items()]
    return "\n".join(["```", *lines, "```"])


def rooms() -> str:
    """Every room with its docstring: what it is, what goes in and out, what it may import."""
    items = []
    for name in layers():
        path = PACKAGE / name / "__init__.py"
        for init in [path, *sorted(path.parent.glob("*/__init__.py"))] if path.is_file() else []:
            room = ".".join(init.parent.relative_to(PACKAGE).parts)
            text = " ".join(_docstring(init).split())
            items.append(f"- `{room}`: {text}")
    return "\n".join(items)


def layers() -> list[str]:
    """The rooms, top to bottom, as import-linter holds them to: each imports what stands below."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names: list[str] = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return names


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


def _rooms(room: Path, indent: str) -> list[str]:
    lines = [_line(f"{indent}{room.name}/", _summary(room / "__init__.py"))]
    for inner in sorted(path.parent for path in room.glob("*/__init__.py")):
        lines += _rooms(inner, indent + "  ")
    return lines


def _line(name: str, text: str) -> str:
    return f"{name:{WIDTH}}{text}"


def _summary(path: Path) -> str:
    return _docstring(path).splitlines()[0]


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
