"""What the package promises about its shape: light commands, documented modules, small rooms."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from iacfilter_hpc.runs.layout import PACKAGE
from tests.cli.commands import COMMANDS, module_of
from tests.fake_slurm import FakeSlurm
from tests.made_runs import MadeRuns
from tests.rooms import arrows, read_modules

MODULES = sorted([*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "jobs").glob("*.py")])
SLOW = "torch transformers peft accelerate deepspeed datasets sklearn numpy".split()
HEAVY = "pydantic submitit yaml jinja2".split()
# torch, and huggingface_hub with scikit-learn
IMPORT_WITH_EFFECTS = {("trained_model", "save.py"), ("trained_model", "card.py")}
WITH_TORCH = {
    *("training evaluation calibration comparison filtering exporting packing inputs jobs".split())
}
MODULES_AFTER = """
import json, runpy, sys
try:
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
finally:
    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    sys.stderr.write("\\n" + json.dumps(loaded))
"""


def loaded_by(command: str, *arguments: str) -> set[str]:
    """The top-level modules that a command has imported when it ends well."""
    program = [sys.executable, "-c", MODULES_AFTER, module_of(command), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_light(command: str) -> None:
    found = loaded_by(command, "--help")
    assert "iacfilter_hpc" in found
    assert not found & {*SLOW, *({*HEAVY} - {"yaml"} if command == "submit" else HEAVY)}


def test_submission_never_imports_torch(fake_slurm: FakeSlurm, models: Path) -> None:
    demo = PACKAGE.parent / "configs" / "demo"
    found = loaded_by(
        "submit",
        *("--approach", "encoder", "--executor", "slurm"),
        *("--train-file", str(demo / "train.jsonl")),
        *("--validation-file", str(demo / "validation.jsonl")),
    )
    assert len(list(models.glob("encoder/*/run.json"))) == 1
    assert "submitit" in found
    assert not found & set(SLOW)


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["status", "--json"],
        ["logs", "--json"],
        ["cancel", "mine"],
        ["cancel", "local"],
    ],
    ids=" ".join,
)
def test_watching_runs_is_light(
    fake_slurm: FakeSlurm, made: MadeRuns, arguments: list[str]
) -> None:
    made.job(made.run("local"), "1", executor="local")
    made.job(made.run("mine"), "7")
    fake_slurm.queue(("7", "mine", "RUNNING"))
    found = loaded_by(*arguments)
    assert "iacfilter_hpc" in found
    assert not found & {*SLOW, *HEAVY}


def test_logs_becomes_tail_without_heavy_imports(made: MadeRuns) -> None:
    layout = made.run("mine")
    made.job(layout)
    layout.log("7").write_text("hello\n")
    # what has become tail cannot tell what it had imported: the import system does
    program = [sys.executable, "-X", "importtime", "-m", "iacfilter_hpc.cli.logs"]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout == "hello\n"
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "argparse" in names
    assert not names & {*SLOW, *HEAVY}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_every_module_says_what_it_does_in_one_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    first, _, rest = docstring.partition("\n")
    assert len(first) <= 97
    assert not rest or rest.startswith("\n"), "one line, then an empty one"


ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))


MAY_IMPORT = {
    "runs": "",
    "config": "runs",
    "checkpoints": "runs",
    "samples": "runs",
    "labelling": "samples runs",
    "slurm": "config runs",
    "glitch": "samples runs",
    "gpu_memory": "config runs",
    "inputs": "samples checkpoints config runs",
    "trained_model": "inputs labelling samples checkpoints config runs",
    "packing": "inputs config runs",
    "onnx_model": "packing trained_model inputs samples checkpoints config runs",
    "training.trainer": "packing inputs checkpoints config runs",
    "worker": "slurm samples checkpoints config runs",
    "launch": "worker slurm samples checkpoints config runs",
}
"""Rooms that say which others they may import; the rest import what stands below them."""


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_it_says(room: str) -> None:
    pairs = arrows(read_modules(PACKAGE.parent))
    found = {to.removeprefix("iacfilter_hpc.") for of, to in pairs if of == f"iacfilter_hpc.{room}"}
    assert found <= {*MAY_IMPORT[room].split(), "errors"}
    text = (PACKAGE / room.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    said = " ".join((ast.get_docstring(ast.parse(text)) or "").split()).partition("May import: ")[2]
    assert said.startswith(", ".join([*MAY_IMPORT[room].split(), "errors"]))


def test_only_errors_lies_loose_in_the_root() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "errors.py"}


@pytest.mark.parametrize("room", ROOMS[1:], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_room_is_small_and_says_what_goes_in_and_out(room: Path) -> None:
    assert len(list(room.glob("*.py"))) <= 16
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert docstring
    for word in ("In: ", "Out: ", "May import: "):
        assert word in " ".join(docstring.split())


READ_FLAGS = {"worker/after_step.py"}
"""Modules below cli/ that read flags: a program that the batch script starts."""


def test_what_argparse_gives_stays_in_the_commands() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "argparse" in path.read_text(encoding="utf-8")
    }
    assert {name for name in found if not name.startswith("cli/")} == READ_FLAGS


def test_importing_has_no_side_effect() -> None:
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in MODULES
        # torch's own imports have effects
        if not WITH_TORCH & {*path.parts}
        and (path.parent.name, path.name) not in IMPORT_WITH_EFFECTS
    ]
    program = (
        "import importlib, logging, os, signal, sys\n"
        "def now(): return dict(os.environ), signal.getsignal(15), logging.root.handlers[:]\n"
        "before = now()\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "assert now() == before"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *names], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
