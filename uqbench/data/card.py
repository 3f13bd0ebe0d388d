"""The card of a dataset: what it holds, where it comes from and how it is read; a validated YAML file."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from uqbench.api import Kind
from uqbench.errors import UqbenchError
from uqbench.yaml_file import line_of, read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Text = Annotated[str, Field(min_length=1)]
Element = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(_Part):
    """A file of structures.

    name: path relative to the card, to UQBENCH_DATA or to the cache. role: "pool" is split and learned from,
    "reference" holds structures behind reference properties and is never trained on. url: where it is fetched.
    """

    name: Text
    sha256: Sha256
    bytes: Annotated[int, Field(gt=0)]
    role: Literal["pool", "reference"] = "pool"
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise ValueError("a relative path that does not leave its folder is needed")
        return name


class LabelKeys(_Part):
    """Names of the labels in the files; see uqbench.data.read.Keys."""

    energy: Text = "energy"
    forces: Text = "forces"
    stress: Text = "stress"
    virial: Text = "virial"
    config_type: Text = "config_type"


class Units(_Part):
    """Units of the labels in the files; nothing else is read, so that no conversion is ever guessed."""

    energy: Literal["eV"] = "eV"
    forces: Literal["eV/Å"] = "eV/Å"
    stress: Literal["eV/Å³"] = "eV/Å³"


class Upstream(_Part):
    """Where the data came from before conversion; sha256 and bytes are absent for a folder of files."""

    url: Text
    sha256: Sha256 | None = None
    bytes: Annotated[int, Field(gt=0)] | None = None
    note: Text | None = None


class Crystal(_Part):
    """A crystal structure; lattice constants a and c in Å."""

    structure: Literal["fcc", "bcc", "hcp", "diamond", "sc"]
    a: Annotated[float, Field(gt=0)]
    c: Annotated[float, Field(gt=0)] | None = None


class ReferenceProperty(_Part):
    """A property computed with the settings of the labels.

    error_estimate: in the unit of the value. structures: name of the reference file that holds its structures,
    config_types: which of them. protocol: supercell, mesh, strains, ... for the same computation by a model.
    """

    name: Text
    value: float
    unit: Text
    method: Text
    error_estimate: Annotated[float, Field(ge=0)] | None = None
    crystal: Crystal | None = None
    structures: Text | None = None
    config_types: tuple[Text, ...] = ()
    protocol: dict[str, JsonValue] = {}


class Card(_Part):
    """A dataset.

    energy_references: energy of an isolated atom per element, eV. groups: what each config_type holds.
    held_out: config_types kept out of training, for out-of-distribution scores.
    cluster_by: config_type ("*": all others together) to the key of the comment line whose value names a frame's
    cluster, for trajectories and scans. ignore: kinds of label not to use. max_energy_above_lowest (eV/atom, one
    element only), max_force (eV/Å, largest component): frames beyond are left out. suggested: parameters of a
    backbone for this material, by name. relaxation_paths: config_types that lie near the relaxation of a reference
    property; fits for properties leave them out. withhold: a config_type without which properties are predicted a
    second time, as extrapolations. dft, provenance: settings and checks in the words of their authors.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    description: Text
    elements: Annotated[tuple[Element, ...], Field(min_length=1)]
    licence: Text
    citation: Text
    files: Annotated[tuple[DataFile, ...], Field(min_length=1)]
    upstream: tuple[Upstream, ...] = ()
    keys: LabelKeys = LabelKeys()
    units: Units = Units()
    dft: dict[str, JsonValue]
    energy_references: dict[Element, float] = {}
    groups: dict[str, Text]
    held_out: tuple[Text, ...] = ()
    cluster_by: dict[str, Text] = {}
    ignore: tuple[Kind, ...] = ()
    max_energy_above_lowest: Annotated[float, Field(gt=0)] | None = None
    max_force: Annotated[float, Field(gt=0)] | None = None
    suggested: dict[str, dict[str, JsonValue]] = {}
    properties: tuple[ReferenceProperty, ...] = ()
    relaxation_paths: tuple[Text, ...] = ()
    withhold: Text | None = None
    notes: tuple[Text, ...] = ()
    provenance: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> Card:
        for field, names in (
            ("held_out", self.held_out),
            ("cluster_by", tuple(self.cluster_by)),
            ("relaxation_paths", self.relaxation_paths),
            ("withhold", () if self.withhold is None else (self.withhold,)),
        ):
            for name in names:
                if name not in self.groups and name != "*":
                    raise ValueError(f"{field} names the config_type {name!r}, which groups does not list")
        files = {file.name for file in self.files}
        for item in self.properties:
            if item.structures is not None and item.structures not in files:
                raise ValueError(
                    f"properties: {item.name} names the file {item.structures!r}, not among files"
                )
        if not any(file.role == "pool" for file in self.files):
            raise ValueError("files: one of the role pool is needed")
        if self.max_energy_above_lowest is not None and len(self.elements) > 1:
            raise ValueError("max_energy_above_lowest compares energies per atom: for one element only")
        if unknown := set(self.energy_references) - set(self.elements):
            raise ValueError(f"energy_references names {', '.join(sorted(unknown))}, not among elements")
        return self


def read_card(path: Path) -> Card:
    """The card in a YAML file.

    Raises UqbenchError naming file, line, field, value and remedy of all that is wrong.
    """
    content, node = read_yaml(path, "card")
    try:
        return Card.model_validate(content)
    except ValidationError as error:
        found = error.errors()
        # A list whose items are wrong is said to be too short as well.
        around = {item["loc"][:depth] for item in found for depth in range(len(item["loc"]))}
        wrong = sorted(
            (line_of(node, item["loc"]), _explain(item)) for item in found if item["loc"] not in around
        )
        lines = [f"{path}, line {line}, {what}" for line, what in wrong]
        raise UqbenchError(
            "\n".join([*lines, "uqbench/data/card.py states every field of a card."])
        ) from error


def _explain(error: ErrorDetails) -> str:
    field = ".".join(map(str, error["loc"])) or "the card"
    value = "" if isinstance(error["input"], dict) else f" (found: {str(error['input'])[:60]!r})"
    return f"{field}: {error['msg']}{value}."
