"""Site settings: what is true of a whole cluster, in the YAML file that $IACFILTER_SITE names."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from iacfilter_hpc.config.slurm_options import Option

# Jobs start in another directory, and nothing in the file is expanded: neither ~ nor $HOME
AbsolutePath = Annotated[str, Field(pattern=r"^/")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Word = Annotated[str, Field(min_length=1)]
Gigabytes = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Site(BaseModel):
    """Settings of the jobs' surroundings; see configs/site.example.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # all optional: without a site file jobs run as the submitting environment is
    python: AbsolutePath | None = None
    modules: tuple[Word, ...] = ()
    activate: AbsolutePath | None = None
    scratch: AbsolutePath | None = None
    hf_home: AbsolutePath | None = None
    environment: dict[Variable, str] = {}
    # not Resources: a site sets some of them, and they are checked once the other layers are there
    resources: dict[str, Option] = {}
    gpu_memory: dict[Word, Gigabytes] = {}

    @field_validator("environment")
    @classmethod
    def _no_nul(cls, values: dict[str, str]) -> dict[str, str]:
        for name, value in values.items():
            # it would end the value in the job's environment, and in the script that sets it
            if "\0" in value:
                raise ValueError(f"{name} holds a NUL character")
        return values

    def variables(self) -> dict[str, str]:
        """Environment variables that every job gets; `environment` wins over the named ones."""
        named = {"TMPDIR": self.scratch, "HF_HOME": self.hf_home}
        return {**{k: v for k, v in named.items() if v}, **self.environment}
