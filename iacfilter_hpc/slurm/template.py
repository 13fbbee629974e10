"""Template: the sbatch script of a run, rendered from slurm_templates/."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from iacfilter_hpc import __version__
from iacfilter_hpc.config.schema import Requeue
from iacfilter_hpc.config.site import Site
from iacfilter_hpc.runs.layout import resource


@dataclass(frozen=True)
class JobScript:
    """Values of a batch script, but for those of submitit: its #SBATCH lines and the command."""

    template: str
    """`train` or `evaluate`."""
    run: str
    python: str
    site: Site
    directory: Path
    """Of the run."""
    lead_s: int = 0
    """Seconds before the time limit at which the job is asked to save; 0 if it is not."""
    requeue: Requeue | None = None
    """What decides whether the run goes on after an attempt; None for a job that does not train."""

    rendezvous: bool = False
    """True where there are several processes, which must meet: then the shell says where."""

    @property
    def trains(self) -> bool:
        return self.requeue is not None

    def render(self, directives: Sequence[str], folder: str, command: str) -> str:
        """The text of the script; every value in it is quoted for bash.

        `folder` is where the logs go, `command` what srun starts on each node.

        Raises:
            jinja2.UndefinedError: the template names a value that there is not.
        """
        environment = Environment(
            loader=FileSystemLoader(resource("slurm_templates")),
            undefined=StrictUndefined,  # else a name that is misspelt is an empty word of bash
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,  # jinja2 would drop the last one
            autoescape=False,  # bash, not HTML: the quote filter does it
        )
        # tests/slurm/test_template.py sees that every value goes through it
        environment.filters["quote"] = shlex.quote
        text: str = environment.get_template(f"{self.template}.sbatch.j2").render(
            version=__version__,
            run=self.run,
            python=self.python,
            site=self.site,
            directives=directives,
            directory=str(self.directory),
            requeue=self.requeue,
            lead_s=self.lead_s,
            folder=folder,
            command=command,
            rendezvous=self.rendezvous,
        )
        return text
