"""The sets that are shipped are what their records give: nothing computed, everything derived again."""

import lzma

import numpy as np
import pytest
from ase.io import read

from tools.dft.calculation import Species
from tools.dft.checks import consistency
from tools.dft.convergence import convergence_table, measured_slope
from tools.dft.frames import REPOSITORY, pool_frames, reference_frames
from tools.dft.laboratory import Laboratory
from tools.dft.material import read_material
from tools.dft.noise import cell_noise
from tools.dft.record import read_record
from tools.dft.references.elastic import elastic_constants
from tools.dft.references.equation_of_state import ground_state
from tools.dft.references.phases import phase_energies
from tools.dft.references.study import Study
from tools.dft.references.surfaces import surface_energies
from tools.dft.references.vacancy import vacancy_energies
from uqbench.data.catalog import card_path, dataset_names, load_card

SETS = REPOSITORY / "tools/dft/sets"
FINISHED = sorted(
    folder.name
    for folder in SETS.iterdir()
    if folder.name in dataset_names()
    and str(load_card(folder.name).provenance.get("generator", "")).startswith("python -m tools.dft")
)


class Nothing:
    """Computes nothing: a record that is missing fails the test."""

    name = "nothing"

    def compute(self, calculation):
        raise AssertionError(f"{calculation.name} has no record.")


@pytest.fixture(scope="module", params=FINISHED)
def study(request):
    material = read_material(request.param)
    pseudopotential = load_card(request.param).dft["pseudopotential"]
    electrons = int(pseudopotential["kind"].split(", ")[2].split()[0])
    species = Species(
        material.element, material.mass, electrons, f"{material.element}.upf", pseudopotential["psp8_sha256"]
    )
    laboratory = Laboratory(SETS / material.name / "records", Nothing(), cores=1)
    return Study(material, species, laboratory, measured_slope(laboratory, material, species))


def test_the_references_are_those_of_the_card(study):
    card = load_card(study.material.name)
    ground, properties = ground_state(study)
    for more in (elastic_constants, phase_energies, vacancy_energies, surface_energies):
        properties += more(study, ground)
    assert [item.name for item in properties] == [item.name for item in card.properties]
    for found, shipped in zip(properties, card.properties, strict=True):
        assert found.value == pytest.approx(shipped.value, rel=1e-5), found.name
        assert found.error_estimate == pytest.approx(shipped.error_estimate, rel=0.1), found.name
    provenance = card.provenance
    assert convergence_table(study.laboratory, study.material, study.species) == provenance["convergence"]
    checks = consistency(study.laboratory, study.material, study.species, study.slope)
    noise = cell_noise(study.laboratory, study.material, study.species)
    checks |= {"same_crystal_in_other_cells": list(noise.rows)}
    assert checks == {key: provenance["checks"][key] for key in checks}


def test_the_structures_are_those_of_the_records(study):
    name = study.material.name
    groups = {group.name for group in study.material.pool}
    records = [read_record(path) for path in sorted(study.laboratory.records.glob("*.json"))]
    pool = [record for record in records if record.group in groups and record.status == "ok"]
    behind = sorted(study.laboratory.records.glob(f"{name}_ref_*.json"))
    for role, made in (
        ("pool", pool_frames(study.material.earlier, pool, study.slope)),
        ("reference", reference_frames(behind, study.slope)),
    ):
        with lzma.open(card_path(name).with_name(f"{name}_{role}.xyz.xz"), "rt") as file:
            shipped = {atoms.info["id"]: atoms for atoms in read(file, ":", format="extxyz")}
        assert {atoms.info["id"] for atoms in made} == set(shipped)
        for atoms in made:
            there = shipped[atoms.info["id"]]
            np.testing.assert_allclose(there.positions, atoms.positions, atol=1e-7)
            np.testing.assert_allclose(there.get_forces(), atoms.get_forces(), atol=1e-7)
            assert there.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
