"""iacfilter-submit: fine-tune a model on Slurm, or on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from iacfilter_hpc.cli import terminal
from iacfilter_hpc.config.approaches import APPROACHES
from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.runs import layout

if TYPE_CHECKING:
    from iacfilter_hpc.config.layers import Layer
    from iacfilter_hpc.config.schema import ApproachName, RunConfig
    from iacfilter_hpc.config.site import Site
    from iacfilter_hpc.launch.submission import AskedExecutor, Submitted

EPILOG = """\
examples:
  iacfilter-submit --approach generative --dry-run
  iacfilter-submit --approach generative --gpus 4 --train-file a.jsonl --validation-file b.jsonl
  iacfilter-submit --approach encoder --config mine.yaml --set resources.constraint=a100
"""

KEY_OF_FLAG = {
    "name": "name",
    "model_name": "model.model_name_or_path",
    "train_file": "data.train_file",
    "validation_file": "data.validation_file",
    "test_file": "data.test_file",
    "batch_size": "training.per_device_train_batch_size",
    "num_epochs": "training.num_train_epochs",
    "gpus": "resources.gpus",
    "nodes": "resources.nodes",
    "cpus_per_task": "resources.cpus_per_task",
    "mem": "resources.mem",
    "time": "resources.time",
    "partition": "resources.partition",
    "account": "resources.account",
    "qos": "resources.qos",
}
"""The setting that each flag gives; a flag that is not given gives none."""

AUTO = "auto"
"""The --batch-size that the plan decides."""


REHEARSAL = (
    # many short epochs: time enough to be stopped twice, and small steps
    "training.num_train_epochs=60",
    "training.save_total_limit=2",
    # weights are compared, and nothing is evaluated
    "data.test_file=null",
    # no --mem: the cluster's own default does for a tiny model
    "resources.mem=null",
    "resources.time=00:30:00",
)
"""Settings of a rehearsal, over those of a dry run."""


class SubmitAction(Enum):
    """What to do with a new run."""

    SUBMIT = auto()
    DRY_RUN = auto()
    REHEARSE = auto()
    PRINT_SCRIPT = auto()
    PLAN = auto()


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """Request for a new run, and what to do with it.

    `settings` are those of the flags, over `assignments`, over `config_file`. `tiny` takes a tiny
    model in place of the run's. `automatic_batch` lets the plan choose the batch size.
    """

    action: SubmitAction
    approach: ApproachName
    models: Path
    config_file: Path | None
    assignments: tuple[str, ...]
    settings: tuple[Layer, ...]
    tiny: bool
    automatic_batch: bool
    executor: AskedExecutor
    preempt_with: str | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """Request to go on with a run, with the resources that differ from those it had."""

    run: str
    models: Path
    assignments: tuple[str, ...]
    settings: tuple[Layer, ...]
    executor: AskedExecutor
    as_json: bool


def arguments() -> argparse.ArgumentParser:
    """The parser, with every flag of the command."""
    parser = terminal.parser("iacfilter-submit", __doc__.partition(": ")[2].strip(), epilog=EPILOG)
    parser.set_defaults(**dict.fromkeys(KEY_OF_FLAG))
    parser.add_argument(
        "--approach",
        # not required=True: a run that is resumed has its approach
        # not choices: an installed package may have another, which --help need not look for
        metavar=f"{{{','.join(APPROACHES)}}}",
        help="required, except with --resume; "
        + "; ".join(f"{entry.name}: {entry.about}" for entry in APPROACHES.values()),
    )
    parser.add_argument(
        "--name", metavar="RUN", help="name of the run (default: made from the date)"
    )
    _add_training(parser.add_argument_group("training"))
    _add_slurm(
        parser.add_argument_group("Slurm (as in sbatch; any other option: --set resources.X=Y)")
    )
    _add_mode(parser.add_argument_group("mode"))
    return parser


def _add_training(group: argparse._ArgumentGroup) -> None:
    # flags have no default and no type: defaults stand in configs/<approach>.yaml alone, and the
    # schema checks values wherever they come from, naming the flag
    group.add_argument("--train-file", metavar="JSONL", help="samples to train on")
    group.add_argument("--validation-file", metavar="JSONL", help="samples to choose by")
    group.add_argument("--test-file", metavar="JSONL", help="evaluated once training has ended")
    group.add_argument("--model-name", metavar="MODEL", help="hub name or directory of the model")
    group.add_argument(
        "--batch-size",
        metavar="N",
        help="samples a device takes at once (default: 2); auto: as many as its memory takes, with "
        "as many samples an optimizer step as without",
    )
    group.add_argument("--num-epochs", metavar="N", help="passes over the data (default: 2)")
    group.add_argument("--config", type=Path, metavar="YAML", help="settings that differ")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="assignments",
        help="one setting, such as training.seed=7; may be repeated",
    )


def _add_slurm(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--gpus", metavar="N", help="GPUs of the whole job, such as 4 or a100:4")
    group.add_argument("--nodes", metavar="N")
    group.add_argument("--cpus-per-task", metavar="N", help="CPUs of each node")
    group.add_argument("--mem", metavar="SIZE", help="memory of each node, such as 64G")
    group.add_argument("--time", metavar="TIME", help="limit, such as 12:00:00")
    group.add_argument("--partition", metavar="NAME")
    group.add_argument("--account", metavar="NAME")
    group.add_argument("--qos", metavar="NAME")


def _add_mode(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="run it here and now, on the CPU, with a tiny model (and the demo data)",
    )
    group.add_argument(
        "--rehearse",
        action="store_true",
        help="on Slurm, with a tiny model: stop a run twice and see that nothing is lost",
    )
    group.add_argument(
        "--preempt-with",
        metavar="PARTITION",
        help="with --rehearse: stop it once more by a job of this partition, which preempts",
    )
    group.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with a run from its newest checkpoint; resources may differ",
    )
    group.add_argument(
        "--print-script", action="store_true", help="show the sbatch script, touch nothing"
    )
    group.add_argument(
        "--plan",
        action="store_true",
        help="show how much GPU memory it needs and whether it fits, touch nothing",
    )
    group.add_argument(
        "--executor",
        choices=("auto", "slurm", "local"),
        default="auto",
        help="auto: Slurm where sbatch is on PATH, else this machine",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; argparse exits by itself with 2, or 0 on --help."""
    parser = arguments()
    args = parser.parse_args(argv)
    if args.resume is None and args.approach is None:
        parser.error("the following arguments are required: --approach")
    # the request is made inside, where its errors are shown like all others
    return terminal.run(lambda: _act(request_of(args)))


def request_of(args: argparse.Namespace) -> SubmitRequest | ResumeRequest:
    """The request that the flags make.

    Raises:
        UsageError: flags that make no sense together.
        ConfigError: a flag's value is none of its setting.
    """
    _check(args)
    models, assignments = layout.models_dir(args.models_dir), tuple(args.assignments)
    if args.resume is not None:
        return ResumeRequest(
            run=args.resume,
            models=models,
            assignments=assignments,
            settings=_settings(args),
            executor=args.executor,
            as_json=args.json,
        )
    return SubmitRequest(
        action=_action(args),
        approach=args.approach,
        models=models,
        config_file=args.config,
        # a person's own come last, and win
        assignments=(*REHEARSAL, *assignments) if args.rehearse else assignments,
        settings=_settings(args),
        tiny=args.dry_run or args.rehearse,
        automatic_batch=args.batch_size == AUTO,
        executor="local" if args.dry_run else args.executor,
        preempt_with=args.preempt_with,
        as_json=args.json,
    )


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError if flags do not go together."""
    if args.resume is not None:
        _check_resume(args)
        return
    if args.preempt_with and not args.rehearse:
        raise UsageError("--preempt-with goes with --rehearse")
    if args.dry_run and args.executor == "slurm":
        raise UsageError(
            "--dry-run runs on this machine, not with --executor slurm",
            hint=f"tiny models on Slurm: --config {args.approach}-tiny --executor slurm",
        )
    for name in ("dry_run", "rehearse", "print_script"):
        if args.plan and getattr(args, name):
            raise UsageError(f"--plan does not go with {_flag(name)}")
    if args.rehearse and (args.dry_run or args.executor == "local"):
        raise UsageError("--rehearse runs on Slurm, not with --dry-run or --executor local")
    if args.rehearse and args.print_script:
        raise UsageError("--rehearse does not go with --print-script, which touches nothing")


def _check_resume(args: argparse.Namespace) -> None:
    # --config too: a file says far more than the resources that may change
    alone = "approach", "config", "dry_run", "plan", "print_script", "rehearse", "preempt_with"
    for name in alone:
        if getattr(args, name):
            raise UsageError(
                f"{_flag(name)} does not go with --resume: a run keeps its settings",
                hint="only resources can change, such as --time or --set resources.X=Y",
            )
    if args.batch_size == AUTO:
        raise UsageError("--batch-size auto does not go with --resume: a run keeps its batch size")


def _action(args: argparse.Namespace) -> SubmitAction:
    if args.rehearse:
        return SubmitAction.REHEARSE
    if args.plan:
        return SubmitAction.PLAN
    # before the dry run, whose script can be shown too
    if args.print_script:
        return SubmitAction.PRINT_SCRIPT
    return SubmitAction.DRY_RUN if args.dry_run else SubmitAction.SUBMIT


def _settings(args: argparse.Namespace) -> tuple[Layer, ...]:
    """The settings that flags give, each with its flag as the place."""
    from iacfilter_hpc.config.layers import from_value

    values = {name: getattr(args, name) for name in KEY_OF_FLAG}
    if values["batch_size"] == AUTO:
        # the plan gives it, not the command line
        del values["batch_size"]
    return tuple(
        from_value(KEY_OF_FLAG[name], value, _flag(name))
        for name, value in values.items()
        if value is not None
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _act(request: SubmitRequest | ResumeRequest) -> int:
    if isinstance(request, ResumeRequest):
        return _resume(request)
    # only here and below: they import pydantic, and some submitit, which --help must not wait for
    from iacfilter_hpc.cli import plan
    from iacfilter_hpc.config import resolve

    site = resolve.site_settings()
    config = _config(request, site)
    match request.action:
        case SubmitAction.REHEARSE:
            return _rehearse(request, config, site)
        case SubmitAction.PLAN:
            return plan.show(config, site, request.models, request.as_json)
        case SubmitAction.PRINT_SCRIPT:
            return _print_script(request, config, site)
        case SubmitAction.DRY_RUN | SubmitAction.SUBMIT:
            return _submit(request, config, site)


def _config(request: SubmitRequest, site: Site) -> RunConfig:
    from iacfilter_hpc.config import resolve
    from iacfilter_hpc.gpu_memory.plan import with_batch_size

    config = resolve.run_config(
        request.approach,
        site=site,
        config_file=request.config_file,
        assignments=request.assignments,
        flags=request.settings,
        dry_run=request.tiny,
        # memory depends on how long samples may be, not on how long they are
        needs_data=request.action is not SubmitAction.PLAN,
    )
    return with_batch_size(config, site, request.models) if request.automatic_batch else config


def _rehearse(request: SubmitRequest, config: RunConfig, site: Site) -> int:
    from iacfilter_hpc.launch import rehearsal, submission

    # for its error alone: without sbatch there is nothing to rehearse on
    submission.choose_executor("slurm")
    result = rehearsal.rehearse(config, site, request.models, terminal.say, request.preempt_with)
    if request.as_json:
        terminal.print_json({**asdict(result), "survives": result.survives})
    else:
        print(rehearsal.describe(result))
    return 0 if result.survives else 1


def _print_script(request: SubmitRequest, config: RunConfig, site: Site) -> int:
    from iacfilter_hpc.launch import submission

    script = submission.script_text(config, site, request.models)
    if request.as_json:
        terminal.print_json({"script": script})
    else:
        print(script, end="")
    return 0


def _submit(request: SubmitRequest, config: RunConfig, site: Site) -> int:
    from iacfilter_hpc.cli import plan
    from iacfilter_hpc.launch import submission
    from iacfilter_hpc.runs.states import Executor

    executor = submission.choose_executor(request.executor)
    if executor == Executor.LOCAL and request.executor == "auto":
        terminal.say("sbatch is not on PATH: the job runs on this machine (--executor local)")
    planned = plan.check(config, site, request.models)
    submitted = submission.submit(config, site, request.models, executor, planned)
    if request.action is SubmitAction.DRY_RUN:
        return _run_to_the_end(submitted, config, request.as_json)
    if request.as_json:
        terminal.print_json(_document(submitted, config))
    else:
        print(_announcement(submitted, config))
    return 0


def _resume(request: ResumeRequest) -> int:
    from iacfilter_hpc.checkpoints.checkpoints import newest_saved
    from iacfilter_hpc.cli import plan
    from iacfilter_hpc.config import resolve
    from iacfilter_hpc.config.schema import read_config
    from iacfilter_hpc.launch import resume, submission
    from iacfilter_hpc.runs.tree import find_run

    run = find_run(request.models, request.run)
    config = resolve.resumed_config(read_config(run), request.assignments, request.settings)
    executor, site = submission.choose_executor(request.executor), resolve.site_settings()
    # again, as it may go on on other GPUs; run.json is written once and keeps the first plan
    plan.check(config, site, request.models)
    submitted = resume.resume(run, config, site, executor)
    saved = newest_saved(run)
    if request.as_json:
        terminal.print_json({**_document(submitted, config), "step": saved.step if saved else 0})
    else:
        print(_announcement(submitted, config))
        print(f"Goes on from step {saved.step}" if saved else "Starts anew: nothing was saved")
    return 0


def _announcement(submitted: Submitted, config: RunConfig) -> str:
    from iacfilter_hpc.config.batch_sizes import batch_sizes
    from iacfilter_hpc.runs.states import Executor

    run = submitted.layout.name
    where = "job" if submitted.executor == Executor.SLURM else "process"
    lines = [
        f"Submitted {where} {submitted.job_id}: {run}",
        f"  batch   {batch_sizes(config).describe()}",
        *([f"  script  {submitted.script}"] if submitted.script else []),
        f"  log     {submitted.log}",
        f"Next: iacfilter-status {run} | iacfilter-logs {run} -f | iacfilter-cancel {run}",
    ]
    return "\n".join(lines)


def _document(submitted: Submitted, config: RunConfig) -> dict[str, object]:
    from iacfilter_hpc.config.batch_sizes import batch_sizes

    return {
        "run": submitted.layout.name,
        "approach": config.approach,
        "job_id": submitted.job_id,
        "executor": submitted.executor,
        "directory": str(submitted.layout.directory),
        "script": str(submitted.script) if submitted.script else None,
        "log": str(submitted.log),
        "global_batch_size": config.global_batch_size,
        **asdict(batch_sizes(config)),
    }


def _run_to_the_end(submitted: Submitted, config: RunConfig, as_json: bool) -> int:
    """Follow a dry run's log until it ends, then show what it led to."""
    from iacfilter_hpc.cli import follow, status

    # to stderr, like the log that follows: the answer of a dry run is how it ended
    terminal.say(_announcement(submitted, config))
    terminal.say(
        "a tiny random model: the run shows that everything works, its scores mean nothing"
    )
    state = follow.until_end(submitted)
    if as_json:
        terminal.print_json({**_document(submitted, config), "state": state.state})
    else:
        print(status.render([state]))
    return 0 if state.completed else 1


if __name__ == "__main__":
    sys.exit(main())
