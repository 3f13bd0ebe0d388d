"""Suite files: what to run, as YAML, checked with the line of what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from uqbench.api import Kind, Weights
from uqbench.errors import UqbenchError
from uqbench.registry import unknown
from uqbench.suite.datasets import expanded
from uqbench.yaml_file import line_of, read_yaml

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Scales(BaseModel):
    """σ_k: residuals of a kind are weighed in this unit, before the evidence, where it is asked, sets noise levels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    energy: Positive = 0.005
    forces: Positive = 0.1
    stress: Positive = 0.005

    def by_kind(self) -> dict[Kind, float]:
        """eV/atom, eV/Å and eV/Å³."""
        return {"energy": self.energy, "forces": self.forces, "stress": self.stress}


class Suite(BaseModel):
    """A suite file. A list that is left out means: all that is installed, or the default.

    Backbones that are trained first (networks) run only when they are named.

    An entry of datasets may be a range of the analytic family, analytic_000-029. An entry of backbones is
    NAME[:field=value,...], or a mapping {NAME: {field: value}} for what text can't say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "default"
    datasets: tuple[str, ...] = ("al",)
    backbones: tuple[str | dict[str, dict[str, Any]], ...] | None = None
    methods: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    train_sizes: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    devices: tuple[Literal["cpu", "cuda"], ...] | None = None
    held_out: tuple[str, ...] | None = None
    scales: Scales = Scales()
    weights: Weights = "evidence"
    timeout: Positive = 3600.0

    @field_validator("datasets")
    @classmethod
    def _ranges(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one for name in names for one in expanded(name))


def find_suite(name: str) -> Path:
    """The file of a suite: a path, or the name of one that comes with uqbench (its folder suites/).

    Raises UqbenchError for what is neither, with the names there are.
    """
    import importlib

    path = Path(name)
    if path.suffix or path.is_file():
        return path
    folder = Path(next(iter(importlib.import_module("uqbench_suites").__path__)))
    found = {p.stem: p for p in folder.glob("*.yaml")}
    if name not in found:
        raise UqbenchError(f"{unknown('suite', name, found)} A path to a YAML file is read as well.")
    return found[name]


def load_suite(path: Path) -> Suite:
    """Read and check a suite file; raises UqbenchError naming the file, the line, the field and the remedy."""
    content, node = read_yaml(path, "suite file")
    if not isinstance(content, Mapping):
        raise UqbenchError(f"{path}: a suite file is a mapping (fields: {', '.join(Suite.model_fields)}).")
    try:
        return Suite.model_validate(content)
    except ValidationError as error:
        raise UqbenchError("\n".join(_explain(path, node, e) for e in error.errors())) from None


def override(suite: Suite, given: Mapping[str, Any]) -> Suite:
    """The suite with fields replaced by what the command line says; raises UqbenchError naming the option."""
    try:
        return Suite.model_validate({**suite.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).removesuffix("s").replace("_", "-")
        raise UqbenchError(f"--{option}: {first['input']!r} is not allowed: {first['msg']}.") from None


def dump_suite(suite: Suite) -> str:
    """The suite as YAML that load_suite reads again."""
    return yaml.safe_dump(suite.model_dump(mode="json", exclude_none=True), sort_keys=False)


def _explain(path: Path, node: Any, error: Any) -> str:
    where = ".".join(str(p) for p in error["loc"])
    if error["type"] == "extra_forbidden":
        fields = Scales.model_fields if error["loc"][0] == "scales" else Suite.model_fields
        return f"{path}, line {line_of(node, error['loc'])}: there is no field {where}; fields are {', '.join(fields)}."
    return f"{path}, line {line_of(node, error['loc'])}: {where} is {error['input']!r}: {error['msg']}."
