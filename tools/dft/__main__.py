"""python -m tools.dft MATERIAL --out FOLDER: compute a set, or go on with it where it stopped."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.dft.calculation import Calculation, Species
from tools.dft.card import Results, write_set
from tools.dft.checks import consistency
from tools.dft.classical import classical
from tools.dft.convergence import convergence_table, measured_slope
from tools.dft.dry import Dry
from tools.dft.laboratory import Engine, Laboratory, OutOfTime, alone_in
from tools.dft.material import Material, material_names, read_material
from tools.dft.noise import cell_noise
from tools.dft.pool import pool
from tools.dft.pseudopotential import read_psp8, species_of, write_upf
from tools.dft.pwscf import Pwscf
from tools.dft.references.elastic import elastic_constants
from tools.dft.references.equation_of_state import ground_state
from tools.dft.references.phases import phase_energies
from tools.dft.references.study import Study
from tools.dft.references.surfaces import surface_energies
from tools.dft.references.vacancy import vacancy_energies
from tools.dft.settings import mesh_of
from uqbench.errors import UqbenchError


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 if the set is complete, 3 if time ran out, 2 for an error."""
    parser = argparse.ArgumentParser(prog="python -m tools.dft", description=__doc__)
    parser.add_argument("material", help=f"{', '.join(material_names())}, or the path of a material's file")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the set; records go to FOLDER/records"
    )
    parser.add_argument("--cores", type=int, default=1, help="calculations at a time, one core each")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="start no calculation after this time"
    )
    parser.add_argument("--dry", action="store_true", help="write inputs; labels by a classical potential")
    given = parser.parse_args(arguments)
    try:
        with alone_in(given.out):
            material = read_material(given.material)
            engine, species = _dry(material, given.out) if given.dry else _pwscf(material, given.out)
            deadline = time.monotonic() + 60 * given.minutes
            laboratory = Laboratory(given.out / "records", engine, given.cores, deadline, _say)
            write_set(given.out, compute(material, species, laboratory))
    except OutOfTime:
        _say("time is over; the same command goes on")
        return 3
    except UqbenchError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def compute(material: Material, species: Species, laboratory: Laboratory) -> Results:
    """All calculations of a set. Raises OutOfTime and UqbenchError.

    Relaxations, which take their steps one after the other, run beside the pool: no core waits for them in the end.
    """
    slope = measured_slope(laboratory, material, species)
    _say(
        f"slope with the cutoff: {1e3 * slope.mean:.2f} ± {1e3 * slope.spread:.2f} meV/atom per unit of ln E_cut"
    )
    noise = cell_noise(laboratory, material, species)
    _say(
        f"the same crystal in other cells is at most {noise.largest:.2f} meV/atom off; is that little enough?"
    )
    study = Study(material, species, laboratory, slope)
    ground, properties = ground_state(study)
    properties += elastic_constants(study, ground)
    with ThreadPoolExecutor() as threads:
        others = [
            threads.submit(more, study, ground)
            for more in (phase_energies, vacancy_energies, surface_energies)
        ]
        frames = laboratory.all(list(pool_calculations(material, species)))
        for other in others:
            properties += other.result()
    return Results(
        material,
        species,
        slope,
        tuple(properties),
        tuple(frames),
        convergence_table(laboratory, material, species),
        consistency(laboratory, material, species, slope) | {"same_crystal_in_other_cells": list(noise.rows)},
        laboratory.engine.name,
    )


def pool_calculations(material: Material, species: Species) -> Iterator[Calculation]:
    """The pool, first members of all groups first: a run that is cut short covers them all."""
    numbered = sorted(pool(material), key=lambda structure: structure.name.rsplit("_", 1)[1])
    for structure in numbered:
        yield Calculation(
            structure.name,
            structure.group,
            structure.atoms,
            species,
            material.settings,
            mesh_of(structure.atoms, structure.spacing),
            about={"how": structure.how, "seed": list(structure.seed)},
        )


def _pwscf(material: Material, folder: Path) -> tuple[Engine, Species]:
    source = read_psp8(Path(material.pseudopotential))
    species = species_of(source, material.mass)
    pseudopotentials = folder / "pseudopotentials"
    write_upf(source, pseudopotentials / species.pseudopotential)
    return Pwscf.found(pseudopotentials), species


def _dry(material: Material, folder: Path) -> tuple[Engine, Species]:
    calculator = classical(material.classical, material.element)
    species = Species(material.element, material.mass, 4, f"{material.element}.upf", "dry run")
    return Dry(folder / "inputs", calculator), species


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
