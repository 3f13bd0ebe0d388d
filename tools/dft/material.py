"""A material of ours: one YAML file says everything that is particular to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tools.dft.settings import Positive, Settings
from uqbench.errors import UqbenchError

Structure = Literal["fcc", "bcc", "hcp", "sc", "diamond", "lonsdaleite", "beta_tin", "simple_hexagonal"]
Count = Annotated[int, Field(gt=0)]
Range = tuple[float, float]
Size = tuple[Count, Count, Count]
MATERIALS = Path(__file__).parent / "materials"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lattice(_Part):
    """a and c of the conventional cell, Å."""

    a: Positive
    c: Positive | None = None


class Slab(_Part):
    """layers: of atoms. size: surface cells. vacuum: Å."""

    facet: Literal["100", "110", "111"]
    layers: Count
    size: tuple[Count, Count] = (1, 1)
    vacuum: Positive = 9.0


class Group(_Part):
    """Structures made the same way; what is given as a list is gone through in turn.

    name: their config_type; groups that share it are counted on.

    structure: the crystal. One of: repeat (of its conventional cell, or of the primitive one), sites (a compact
    cell of low symmetry with that many sites, another for each structure), slabs. Then, in this order: volume
    (scale of the length, drawn from a range); vacancy (the first site is empty); insert (an atom more, at a place
    in units of the first conventional cell); shells (Å: neighbour shells of the vacancy move radially by up to that,
    the symmetry stays); temperatures (K: displacements of the harmonic crystal of a classical potential) or melt (K:
    its dynamics from disordered atoms); rattle (Å rms, drawn from a range); strain (largest component; drawn
    uniformly), of the kind shear, in_plane or general. spacing: of the mesh where it is to be denser than the
    settings' (metallic phases of a semiconductor), 1/Å.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    about: str
    count: Count
    structure: Structure
    repeat: tuple[Size, ...] = ()
    cell: Literal["primitive", "conventional"] = "conventional"
    sites: tuple[Count, ...] = ()
    slabs: tuple[Slab, ...] = ()
    volume: Range | None = None
    vacancy: bool = False
    insert: tuple[tuple[float, float, float], ...] = ()
    shells: Positive | None = None
    temperatures: tuple[Positive, ...] = ()
    melt: tuple[Positive, ...] = ()
    rattle: Range | None = None
    strain: Positive | None = None
    strain_kind: Literal["general", "shear", "in_plane"] = "general"
    spacing: Positive | None = None

    @model_validator(mode="after")
    def _one_cell(self) -> Group:
        if sum(map(bool, (self.repeat, self.sites, self.slabs))) != 1:
            raise ValueError(f"group {self.name}: one of repeat, sites and slabs is needed")
        if self.slabs and self.structure not in ("fcc", "diamond"):
            raise ValueError(f"group {self.name}: slabs are cut from fcc and diamond")
        return self


class Earlier(_Part):
    """A set that was computed before with the same settings: part of the pool, never computed again.

    file: extended XYZ, relative to the repository. sha256: of it. regroup: config_types by what they are called now.
    """

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    regroup: dict[str, str] = {}
    groups: dict[str, str] = {}


class EquationOfState(_Part):
    """scales: of the length, for each volume. denser: points more along each axis, for the error of the mesh."""

    scales: tuple[Positive, ...]
    denser: Count


class Elastic(_Part):
    """strains: components of the tensor; stresses at them give the constants as slopes at zero."""

    strains: tuple[float, ...]
    denser: Count


class Phase(_Part):
    """A crystal whose energy is compared. ratios: c/a that are tried (hcp). spacing: as in Group."""

    structure: Literal["fcc", "bcc", "hcp", "sc"]
    ratios: tuple[Positive, ...] = ()
    spacing: Positive | None = None


class Vacancy(_Part):
    """supercell: conventional cells. force: that is left, eV/Å. migration: the barrier too.

    spacing, shift: of the mesh that atoms are relaxed with, where it is not the labels'. denser: points more along each
    axis for the energies at the relaxed positions.
    """

    supercell: Size
    force: Positive
    migration: bool = False
    spacing: Positive | None = None
    shift: Literal[0, 1] | None = None
    denser: Count


class Surface(Slab):
    """force: that is left, eV/Å."""

    force: Positive


class References(_Part):
    """Properties to be had with the settings of the labels, in the order of their computation."""

    threshold: Positive
    equation_of_state: EquationOfState
    elastic: Elastic
    phases: tuple[Phase, ...] = ()
    vacancy: Vacancy
    surfaces: tuple[Surface, ...] = ()


class Convergence(_Part):
    """What settings are compared with: cutoffs and widths in Ry (the first is the reference), meshes as points more
    or less. pulay: cutoffs about the one used, Ry, whose energies give the Pulay stress.
    """

    cutoffs: tuple[Positive, ...]
    meshes: tuple[int, ...]
    widths: tuple[Positive, ...]
    pulay: tuple[Positive, ...]


class Published(_Part):
    """A value of somebody else's for a reference property, in its unit. source: by which method, and where."""

    name: str
    value: float
    source: str


class Material(_Part):
    """A set. crystal: its ground state. phases: lattices that pool structures start from. held_out, relaxation_paths:
    as in a card. literature: for comparison. citation, licence, notes: for the card.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    element: str
    mass: Positive
    pseudopotential: str
    classical: Literal["emt", "stillinger_weber"]
    description: str
    licence: str
    citation: str
    settings: Settings
    ground: Structure
    phases: dict[Structure, Lattice]
    pool: tuple[Group, ...]
    earlier: Earlier | None = None
    references: References
    convergence: Convergence
    literature: tuple[Published, ...] = ()
    held_out: tuple[str, ...]
    relaxation_paths: tuple[str, ...] = ()
    withhold: str | None = None
    suggested: dict[str, dict[str, float]] = {}
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_exist(self) -> Material:
        for group in self.pool:
            if group.structure not in self.phases:
                raise ValueError(f"group {group.name}: phases has no lattice of {group.structure}")
        known = self.group_names()
        for name in (*self.held_out, *self.relaxation_paths):
            if name not in known:
                raise ValueError(f"{name!r} is no group; there are {', '.join(known)}")
        return self

    def group_names(self) -> list[str]:
        """The config_types of the pool, earlier ones too."""
        earlier = [] if self.earlier is None else list(self.earlier.groups)
        return list(dict.fromkeys([*earlier, *(group.name for group in self.pool)]))


def material_names() -> list[str]:
    """What there is a file of."""
    return sorted(path.stem for path in MATERIALS.glob("*.yaml"))


def read_material(name: str) -> Material:
    """The material of that name, or in that file. Raises UqbenchError naming file, field, value and remedy."""
    path = Path(name) if name.endswith(".yaml") else MATERIALS / f"{name}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UqbenchError(
            f"there is no material {name!r} ({path}); there are {', '.join(material_names())}, or pass the path of a "
            "YAML file."
        ) from error
    try:
        return Material.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the material"
        raise UqbenchError(
            f"{path}, {field}: {first['msg']} (found: {str(first['input'])[:60]!r}). tools/dft/material.py states "
            "every field."
        ) from error
