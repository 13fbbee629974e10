"""iacfilter_hpc.slurm.template and slurm_templates/: what a job's shell is told, byte by byte."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from iacfilter_hpc.config.schema import Requeue, RunConfig
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.launch.submission import script_text
from iacfilter_hpc.runs.layout import RunLayout, resource
from iacfilter_hpc.slurm.executor import slurm_executor
from iacfilter_hpc.slurm.template import Script
from tests.conftest import Golden
from tests.fake_slurm import FakeSlurm
from tests.made_runs import demo_config
from tests.slurm.hostile import CANARY, HOSTILE, ON_ONE_LINE

TEMPLATES = sorted(path.name.split(".")[0] for path in resource("slurm_templates").iterdir())
GOLDEN = Path(__file__).parents[1] / "golden"
PYTHON = "/shared/envs/iacfilter/bin/python"
MODELS = Path("/shared/models")
REQUEUE = Requeue(limit=20, exclude_hours=4, lead_seconds=None)
BARE = Site(python=PYTHON)
FULL = Site(
    python="/shared/it's/python 3",
    modules=("cuda/12.4", "gcc/12; id"),
    activate="/shared/envs/my env/bin/activate",
    scratch="/scratch/$(whoami)",
    hf_home='/shared/"hf"',
    environment={"NCCL_SOCKET_IFNAME": "ib0", "NOTE": "two\nlines; `id` $HOME"},
)


def evaluation_text(config: RunConfig, site: Site) -> str:
    """The script of an evaluation, as launch.submit_evaluation has it made."""
    layout = RunLayout(MODELS / config.approach / str(config.name))
    script = Script("evaluate", layout.name, str(site.python), site, layout.directory)
    return slurm_executor(layout.slurm, script, config.resources).text()


SCRIPTS = {
    "encoder": lambda: script_text(demo_config("encoder", "name=mine"), BARE, MODELS),
    "generative": lambda: script_text(
        demo_config("generative", "name=mine", "resources.gpus=4"), BARE, MODELS
    ),
    "generative-2-nodes": lambda: script_text(
        demo_config(
            "generative",
            "name=mine",
            "resources.gpus=8",
            "resources.nodes=2",
            "resources.partition=gpu",
            "resources.constraint=a100&nvlink",
            "resources.mail-type=END",
            "resources.exclusive=true",
        ),
        BARE,
        MODELS,
    ),
    "generative-site": lambda: script_text(
        demo_config("generative", "name=mine", "resources.gpus=a100:4"), FULL, MODELS
    ),
    "evaluate": lambda: evaluation_text(demo_config("encoder", "name=mine"), BARE),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_golden(name: str, golden: Golden) -> None:
    golden(f"{name}.sbatch", SCRIPTS[name]())


def test_each_golden_file_is_of_a_script_here() -> None:
    assert {path.stem for path in GOLDEN.glob("*.sbatch")} == set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_golden_files_are_sound_bash(name: str) -> None:
    path = GOLDEN / f"{name}.sbatch"
    shellcheck = Path(sys.executable).parent / "shellcheck"
    # SC2016: that `$HOME` in single quotes stays as it is, is what is wanted
    for command in (["bash", "-n"], [str(shellcheck), "--exclude=SC2016"]):
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_renders(template: str) -> None:
    text = Script(template, "mine", PYTHON, FULL, MODELS, requeue=REQUEUE).render(
        ["#SBATCH --nodes=1"], "/logs", "a program"
    )
    assert text.startswith("#!/bin/bash\n#")
    assert "\nexport SUBMITIT_EXECUTOR=slurm\nlogs=/logs\n" in text
    assert "\n    a program)\n" in text
    assert ("worker.after_step" in text) == (template not in ("base", "evaluate"))
    assert not re.search(r"\{[{%#]|[}%#]\}", text)
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_sbatch_lines_come_before_the_first_command() -> None:
    for make in SCRIPTS.values():
        lines = make().splitlines()
        directives = [number for number, line in enumerate(lines) if line.startswith("#SBATCH")]
        first = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
        assert directives
        assert max(directives) < first


@pytest.mark.parametrize("name", SCRIPTS)
def test_only_training_may_be_queued_again(name: str) -> None:
    text = SCRIPTS[name]()
    trains = name != "evaluate"
    assert ("#SBATCH --requeue\n" in text) == trains
    assert ("#SBATCH --no-requeue\n" in text) != trains
    # to the batch shell alone: Slurm would send it to every process of a step, of which they die
    assert re.findall("#SBATCH --signal=(.*)", text) == (["B:USR1@120"] if trains else [])
    assert "#SBATCH --dependency=singleton\n" in text
    assert "#SBATCH --open-mode=append\n" in text


def test_how_early_a_job_is_asked_to_save(tmp_path: Path) -> None:
    asked = demo_config("encoder", "requeue.lead_seconds=300")
    assert "#SBATCH --signal=B:USR1@300\n" in script_text(asked, BARE, MODELS)
    slow = tmp_path / "encoder" / "another" / "metrics.jsonl"
    slow.parent.mkdir(parents=True)
    slow.write_text('{"step": 8, "save_seconds": 200.0}\n')
    assert "#SBATCH --signal=B:USR1@460\n" in script_text(demo_config("encoder"), BARE, tmp_path)


def test_a_false_option_is_not_given() -> None:
    text = script_text(demo_config("encoder", "resources.exclusive=false"), BARE, MODELS)
    assert "exclusive" not in text


def test_every_value_in_a_template_is_quoted() -> None:
    source = "".join(path.read_text() for path in resource("slurm_templates").iterdir())
    values = set(re.findall(r"\{\{ (.*?) \}\}", source))
    # submitit quotes command and directives; version and run stand in a comment, on one line;
    # a variable's name has been matched against a pattern; the other two are numbers
    unquoted = {value for value in values if not value.endswith(" | quote")}
    numbers = {"requeue.limit", "requeue.exclude_hours", "lead_s * 4 // 5"}
    assert unquoted == {"command", "directive", "version", "run", "name"} | numbers


PROGRAM = """\
#!/bin/sh
[ "$2" = iacfilter_hpc.slurm.rendezvous ] && echo head:29500
[ "$2" = iacfilter_hpc.worker.after_step ] || exit 0
printf '%s\\0' "$@" >"$HERE/afterwards.arguments"
for word; do case "$word" in --code=*) exit "${word#--code=}" ;; esac; done
"""
SRUN = """\
#!/bin/sh
printf '%s\\0' "$@" >"$HERE/srun.arguments"
env -0 >"$HERE/srun.environment"
"""
MODULE = 'module() { printf "%s\\\\0" "$@" >>"$HERE/module.arguments"; }; export -f module\n'


class Shell:
    """Runs a script as a node would, with programs that note their arguments."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.work = home / "work"
        self.work.mkdir()
        self.program("bin/srun", SRUN)

    def program(self, name: str, text: str = PROGRAM) -> str:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    @contextmanager
    def start(self, script: str, **slurm: str) -> Iterator[subprocess.Popen[str]]:
        """The script as it runs in a job, with these variables of Slurm; it ends with the block."""
        variables = {
            "HERE": str(self.home),
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
            "SLURM_JOB_ID": "7",
            **slurm,
        }
        text = script.replace("#!/bin/bash\n", f"#!/bin/bash\n{MODULE}", 1)
        path = self.home / "script"
        path.write_text(text, encoding="utf-8", newline="")
        with subprocess.Popen(
            ["bash", str(path)],
            cwd=self.work,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    family = psutil.Process(process.pid).children(recursive=True)
                    for each in (process, *family):
                        each.kill()

    def run(self, script: str, **slurm: str) -> subprocess.CompletedProcess[str]:
        """The script's end; nothing may have appeared in its directory."""
        with self.start(script, **slurm) as process:
            said, complained = process.communicate(timeout=30)
        assert not list(self.work.iterdir()), "a value was executed"
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)

    def noted(self, name: str) -> list[str]:
        return (self.home / name).read_bytes().decode().split("\0")[:-1]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    home = tmp_path / "node"
    home.mkdir()
    return Shell(home)


@pytest.mark.parametrize("name", HOSTILE)
def test_values_of_the_site_arrive_byte_for_byte(name: str, shell: Shell) -> None:
    value = HOSTILE[name]
    site = Site(
        python=shell.program(f"{value}/python"),
        modules=(f"m{value}", value),
        activate=shell.program(f"{value}/activate", 'printf "%s" "$BASH_SOURCE" >"$HERE/sourced"'),
        scratch=str(shell.home / "scratch" / value),
        hf_home=f"/{value}",
        environment={"NOTE": value},
    )
    done = shell.run(script_text(demo_config("generative", "name=mine"), site, MODELS))
    assert (done.returncode, done.stderr) == (0, "")
    variables = dict(pair.split("=", 1) for pair in shell.noted("srun.environment"))
    assert variables["NOTE"] == value
    assert variables["HF_HOME"] == f"/{value}"
    assert variables["TMPDIR"] == str(shell.home / "scratch" / value)
    assert variables["IACFILTER_RENDEZVOUS"] == "head:29500"
    assert variables["SUBMITIT_EXECUTOR"] == "slurm"
    assert Path(variables["TMPDIR"]).is_dir()
    assert (shell.home / "sourced").read_bytes().decode() == site.activate
    assert shell.noted("module.arguments") == ["load", f"m{value}", "load", value]
    assert site.python in shell.noted("srun.arguments")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_models_directory_arrives_byte_for_byte_or_is_refused(name: str, shell: Shell) -> None:
    value = HOSTILE[name]
    models = shell.home / value
    site = Site(python=shell.program("python"))
    config = demo_config("generative", "name=mine")
    if name not in ON_ONE_LINE or "%" in value:
        with pytest.raises(IacfilterError, match="cannot hold logs of Slurm") as caught:
            script_text(config, site, models)
        assert caught.value.hint == "choose another --models-dir"
        assert "\n" not in caught.value.message
        return
    done = shell.run(script_text(config, site, models))
    assert (done.returncode, done.stderr) == (0, "")
    folder = str(models / "generative" / "mine" / "slurm")
    arguments = shell.noted("srun.arguments")
    assert arguments[-1] == folder
    assert f"--output={folder}/7_%t_log.out" in arguments
    assert str(models / "generative" / "mine") in shell.noted("afterwards.arguments")


@pytest.mark.parametrize("name", HOSTILE)
def test_options_of_sbatch_arrive_byte_for_byte_or_are_refused(name: str, shell: Shell) -> None:
    value = HOSTILE[name]
    settings = [f"resources.{key}={value}" for key in ("partition", "comment", "qos", "mem")]
    site = Site(python=shell.program("python"))
    if name not in ON_ONE_LINE:
        with pytest.raises(IacfilterError, match="holds a character that no sbatch option takes"):
            demo_config("encoder", *settings)
        return
    text = script_text(demo_config("encoder", *settings), site, MODELS)
    assert shell.run(text).returncode == 0
    (line,) = (line for line in text.splitlines() if line.startswith("#SBATCH --comment="))
    # sbatch reads such a line as a shell splits words
    said = f"printf '%s' {line.removeprefix('#SBATCH ')}"
    words = subprocess.run(["bash", "-c", said], capture_output=True, text=True, check=True).stdout
    assert words == f"--comment={value}"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_and_data_are_in_no_script(name: str, tmp_path: Path) -> None:
    value = HOSTILE[name]
    data = tmp_path / f"x{value}".replace("/", "_")
    data.touch()
    config = demo_config("encoder", f"model.model_name_or_path={value}", f"data.train_file={data}")
    assert config.model.model_name_or_path == value
    assert config.data.train_file == data
    assert CANARY not in script_text(config, BARE, MODELS)


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - set(ON_ONE_LINE)))
def test_a_run_directory_of_a_hostile_name_cannot_be_evaluated(name: str) -> None:
    layout = RunLayout(MODELS / "encoder" / f"x{HOSTILE[name]}")
    script = Script("evaluate", layout.name, PYTHON, Site(), layout.directory)
    with pytest.raises(IacfilterError, match="cannot hold logs of Slurm"):
        slurm_executor(layout.slurm, script, demo_config("encoder").resources)


def test_a_python_that_is_not_on_the_node_is_named(shell: Shell) -> None:
    site = Site(python=str(shell.home / "it's gone"))
    done = shell.run(script_text(demo_config("encoder"), site, MODELS))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {site.python} is not a program on ")
    assert "\nhint: " in done.stderr
    assert not (shell.home / "srun.arguments").exists()


def test_a_failing_step_fails_the_job(shell: Shell) -> None:
    site = Site(python=shell.program("python"))
    text = script_text(demo_config("generative", "name=mine"), site, MODELS)
    shell.program("bin/srun", "#!/bin/sh\nexit 7\n")
    assert shell.run(text).returncode == 7
    assert "--code=7" in shell.noted("afterwards.arguments")
    shell.program("python", "#!/bin/sh\nexit 3\n")
    assert shell.run(text).returncode == 3
    shell.program("bin/srun", SRUN)
    assert shell.run(text).returncode == 3
    assert not (shell.home / "srun.arguments").exists()


@pytest.mark.parametrize(("restarts", "attempt"), [(None, "7"), ("1", "7.1"), ("12", "7.12")])
def test_each_start_has_logs_of_its_own(restarts: str | None, attempt: str, shell: Shell) -> None:
    text = script_text(demo_config("encoder"), Site(python=shell.program("python")), MODELS)
    done = shell.run(text, **({"SLURM_RESTART_COUNT": restarts} if restarts else {}))
    assert done.returncode == 0
    logs = [Path(a.partition("=")[2]).name for a in shell.noted("srun.arguments") if "_%t_" in a]
    assert logs == [f"{attempt}_%t_log.out", f"{attempt}_%t_log.err"]


WAITS = """\
#!/bin/sh
touch "$HERE/started"
while [ ! -e "$HERE/end" ]; do sleep 0.02; done
exit 5
"""


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGUSR1, "time limit"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_is_a_request_and_the_script_waits(
    number: signal.Signals, reason: str, shell: Shell
) -> None:
    shell.program("bin/srun", WAITS)
    config = demo_config("encoder", "name=mine")
    run = shell.home / "models" / "encoder" / "mine"
    run.mkdir(parents=True)
    (run / "drain").write_text("of the attempt before")
    text = script_text(config, Site(python=shell.program("python")), shell.home / "models")
    with shell.start(text) as process:
        wait_for((shell.home / "started").exists)
        assert not (run / "drain").exists()
        for _ in range(2):  # Slurm may send more than one
            process.send_signal(number)
            wait_for((run / "drain").exists)
        assert json.loads((run / "drain").read_text())["reason"] == reason
        assert process.poll() is None
        (shell.home / "end").touch()
        assert process.wait(timeout=20) == 5
    assert "--code=5" in shell.noted("afterwards.arguments")


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_full_disk_does_not_end_the_script(number: signal.Signals, shell: Shell) -> None:
    """The request cannot be written; the steps hear of it by signal, and srun is waited for."""
    shell.program("bin/srun", WAITS)
    shell.program("bin/scancel", '#!/bin/sh\necho "$@" >>"$HERE/scancelled"\n')
    config = demo_config("encoder", "name=mine")  # there is no such directory
    text = script_text(config, Site(python=shell.program("python")), shell.home / "models")
    with shell.start(text) as process:
        wait_for((shell.home / "started").exists)
        process.send_signal(number)
        if number == signal.SIGUSR1:
            wait_for((shell.home / "scancelled").exists)
        else:
            time.sleep(0.3)
        assert process.poll() is None
        (shell.home / "end").touch()
        assert process.wait(timeout=20) == 5


def test_what_is_not_saved_in_time_is_killed_before_the_limit(shell: Shell) -> None:
    """At the limit the script itself would be killed, and could queue nothing again."""
    shell.program("bin/srun", WAITS)
    shell.program(
        "bin/scancel", '#!/bin/sh\necho "$@" >>"$HERE/scancelled"\n'
        'case "$*" in *KILL*) touch "$HERE/end" ;; esac\n',
    )  # fmt: skip
    config = demo_config("encoder", "name=mine", "requeue.lead_seconds=3")
    (shell.home / "models" / "encoder" / "mine").mkdir(parents=True)
    text = script_text(config, Site(python=shell.program("python")), shell.home / "models")
    with shell.start(text) as process:
        wait_for((shell.home / "started").exists)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(timeout=20) == 5
    said = (shell.home / "scancelled").read_text().splitlines()
    assert said == ["--signal=USR1 7", "--signal=KILL 7.0"]
    assert "--code=5" in shell.noted("afterwards.arguments")


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_the_script_that_is_shown_is_the_one_that_is_submitted(
    fake_slurm: FakeSlurm, tmp_path: Path
) -> None:
    from iacfilter_hpc.slurm.executor import submit
    from iacfilter_hpc.worker.worker import Worker

    script = Script("generative", "mine", PYTHON, FULL, tmp_path, 120, REQUEUE)
    executor = slurm_executor(tmp_path / "slurm", script, demo_config("generative").resources)
    assert submit(executor, Worker(tmp_path)) == "4242"
    assert fake_slurm.script() == executor.text()
