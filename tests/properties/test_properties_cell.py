"""Positions and cell relaxed together: coordinates, real relaxations, and implicit differentiation of both."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.filters import UnitCellFilter
from ase.optimize import BFGS
from toy_crystals import bcc_model, fcc_model, shifted

from uqbench.errors import UqbenchError
from uqbench.properties.coordinates import Positions, PositionsAndCell
from uqbench.properties.failures import NotConvergedError
from uqbench.properties.gate import gated_energies
from uqbench.properties.implicit import Expansion
from uqbench.properties.relax_cell import polish_cell, relax_cell
from uqbench.symmetry import operations

X = ("X",)


def vacancy(kind):
    """A backbone, coefficients, and a small cell with one vacancy in it, not relaxed."""
    if kind == "bcc":
        (backbone, theta), atoms = bcc_model(), bulk("X", "bcc", a=2.88, cubic=True).repeat((2, 2, 2))
    else:
        (backbone, theta), atoms = fcc_model(), bulk("X", "hcp", a=2.8, c=4.58).repeat((2, 2, 2))
    del atoms[0]
    return backbone, theta, atoms


@pytest.fixture(scope="module", params=["bcc", "hcp"])
def expansion(request):
    """About the relaxed cell of the mean coefficients, and these."""
    backbone, theta, start = vacancy(request.param)
    potential = backbone.potential(theta, X)
    near = relax_cell(start, potential).atoms
    coordinates = PositionsAndCell.free(near)
    hessian = np.tensordot(theta, Expansion.within(backbone, X, coordinates).hessian_rows, 1)
    at_rest = polish_cell(coordinates, potential, hessian).atoms
    return Expansion.within(backbone, X, PositionsAndCell.free(at_rest)), theta


def polished(expansion, theta, tolerance=1e-9):
    """The real minimum of other coefficients near X₀."""
    hessian = np.tensordot(theta, expansion.hessian_rows, 1)
    potential = expansion.backbone.potential(theta, X)
    return polish_cell(expansion.coordinates, potential, hessian, tolerance)


def direction_of(expansion, theta):
    """A change of coefficients that moves an atom, or strains the distance of neighbours, by 1 Å at most."""
    change = shifted(theta, 1.0, 1)[0] - theta
    response = np.linalg.solve(np.tensordot(theta, expansion.hessian_rows, 1), expansion.force_rows @ change)
    return change / expansion.coordinates.longest((expansion.basis @ response)[None])[0]


def near(expansion, theta, n):
    """n sets of coefficients with minima within some hundredths of an Å."""
    size = np.linalg.norm(direction_of(expansion, theta)) / np.linalg.norm(theta)
    return shifted(theta, 0.003 * size, n)


def strained_and_moved(seed=0, size=0.3):
    """A backbone, coefficients, coordinates of a triclinic cell, and a large shift in them."""
    backbone, theta, atoms = vacancy("hcp")
    atoms.rattle(0.05, seed=1)
    atoms.set_cell(atoms.cell.array @ np.array([[1, 0.02, 0.01], [0, 1.01, 0.03], [0.01, 0, 0.98]]), True)
    coordinates = PositionsAndCell.free(atoms)
    return (
        backbone,
        theta,
        coordinates,
        size * np.random.default_rng(seed).standard_normal(len(coordinates.basis)),
    )


def test_pulls_are_derivatives_of_the_energy():
    """Of every shift, at a cell far from where the coordinates are zero: F f and -V sym(σ F⁻¹)."""
    backbone, theta, coordinates, shift = strained_and_moved()

    def energy(at):
        moved = coordinates.moved(at)
        return len(moved) * (next(iter(backbone.rows([moved], X)))[0] @ theta)

    pulls = coordinates.pulls(shift, next(iter(backbone.rows([coordinates.moved(shift)], X))) @ theta)
    units = 1e-4 * np.eye(len(shift))
    slopes = np.array([energy(shift + unit) - energy(shift - unit) for unit in units]) / 2e-4
    np.testing.assert_allclose(pulls, -slopes, atol=1e-6 * np.abs(pulls).max())


def test_shifts_are_displacements_before_a_symmetric_strain():
    _, _, coordinates, shift = strained_and_moved()
    (displacement,), (strain,) = coordinates.parts(shift[None])
    xx, yy, zz, yz, xz, xy = strain * [1, 1, 1, 0.5, 0.5, 0.5]
    deformation = np.array([[1 + xx, xy, xz], [xy, 1 + yy, yz], [xz, yz, 1 + zz]])
    moved, atoms = coordinates.moved(shift), coordinates.atoms
    np.testing.assert_allclose(moved.cell.array, atoms.cell.array @ deformation)
    np.testing.assert_allclose(moved.positions, (atoms.positions + displacement.reshape(-1, 3)) @ deformation)


def test_hessian_rows_are_second_differences_of_the_energy(expansion):
    """Positions with positions, with strains, and strains with strains, one coefficient at a time."""
    tables, theta = expansion
    rng, h = np.random.default_rng(0), 2e-3
    n = 3 * len(tables.atoms)
    for part, other in ((slice(n), slice(n)), (slice(n), slice(n, None)), (slice(n, None), slice(n, None))):
        v, w = np.zeros((2, len(tables.basis)))
        v[part], w[other] = rng.standard_normal(len(v[part])), rng.standard_normal(len(w[other]))
        v, w = (tables.basis @ (tables.basis.T @ x) for x in (v, w))
        corners = [tables.coordinates.moved(h * (i * v + j * w)) for i in (1, -1) for j in (1, -1)]
        rows = [r[0] * len(tables.atoms) for r in tables.backbone.rows(corners, X)]
        second = (rows[0] - rows[1] - rows[2] + rows[3]) / (4 * h * h)
        found = np.array([v @ tables.hessian(unit) @ w for unit in np.eye(len(theta))])
        np.testing.assert_allclose(found, second, atol=2e-4 * np.abs(second).max())


def test_orders_of_the_error_are_three_four_and_five(expansion):
    """In the shift of θ, with the cell free: without evaluation, with one, and with one less the decrement."""
    tables, theta = expansion
    samples = theta + np.array([[0.004], [0.008], [0.016]]) * direction_of(tables, theta)
    exact = np.array([polished(tables, sample).energy for sample in samples])
    corrected = tables.corrected(samples)
    for energy, order in (
        (tables.newton(samples).energy, 3),
        (corrected.energy + corrected.decrement, 4),
        (corrected.energy, 5),
    ):
        slopes = np.diff(np.log(np.abs(energy - exact))) / np.log(2)
        assert slopes == pytest.approx(np.full(2, order), abs=0.45)
    assert corrected.decrement == pytest.approx(corrected.energy + corrected.decrement - exact, rel=0.15)


def test_response_of_positions_and_cell_equals_real_relaxations(expansion):
    """dX*/dθ and dε*/dθ are H⁻¹F, against minima at θ ± δ, each to 1e-5."""
    tables, theta = expansion
    step = 1e-4 * direction_of(tables, theta)
    ends = [polished(tables, theta + sign * step, 1e-10).atoms for sign in (1.0, -1.0)]
    cell = tables.atoms.cell.array
    deformations = [np.linalg.solve(cell, end.cell.array) for end in ends]
    back = [end.positions @ np.linalg.inv(f) for end, f in zip(ends, deformations, strict=True)]
    displacement = (back[0] - back[1]) / 2
    displacement -= displacement.mean(axis=0)
    tensor = (deformations[0] - deformations[1]) / 2
    np.testing.assert_allclose(tensor, tensor.T, atol=1e-12)
    strain = tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] * [1, 1, 1, 2, 2, 2]

    response = np.linalg.solve(np.tensordot(theta, tables.hessian_rows, 1), tables.force_rows @ step)
    (moved,), (found,) = tables.coordinates.parts((tables.basis @ response)[None])
    assert np.linalg.norm(moved - displacement.ravel()) < 1e-5 * np.linalg.norm(displacement)
    assert np.linalg.norm(found - strain) < 1e-5 * np.linalg.norm(strain)


def test_steps_without_evaluation_name_displacements_and_strain(expansion):
    tables, theta = expansion
    sample = theta + 0.003 * direction_of(tables, theta)
    found = tables.newton(sample[None])
    real = polished(tables, sample).atoms
    strain = found.strain[0] * [1, 1, 1, 0.5, 0.5, 0.5]
    deformation = np.linalg.solve(tables.atoms.cell.array, real.cell.array) - np.eye(3)
    by_component = deformation[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    np.testing.assert_allclose(strain, by_component, atol=0.02 * np.abs(by_component).max())
    assert found.displacement.shape == (1, 3 * len(real))


def test_coordinates_that_keep_the_symmetry_give_the_same_energies(expansion):
    """A handful of coordinates hold what any potential relaxes: one strain in a cube, more in the hexagonal cell."""
    tables, theta = expansion
    coordinates = PositionsAndCell.symmetric(tables.atoms)
    size = coordinates.basis.shape[1]
    np.testing.assert_allclose(coordinates.basis.T @ coordinates.basis, np.eye(size), atol=1e-12)
    assert size < len(tables.atoms)
    samples = near(tables, theta, 3)
    small = Expansion.within(tables.backbone, X, coordinates)
    np.testing.assert_allclose(small.newton(samples).energy, tables.newton(samples).energy, atol=1e-9)
    np.testing.assert_allclose(small.corrected(samples).energy, tables.corrected(samples).energy, atol=1e-9)


@pytest.mark.parametrize(("structure", "strains"), [("bcc", 1), ("hcp", 2)])
def test_perfect_crystals_keep_their_shape(structure, strains):
    atoms = bulk("X", structure, a=2.9, c=4.7) if structure == "hcp" else bulk("X", structure, a=2.9)
    assert PositionsAndCell.symmetric(atoms).basis.shape[1] == strains
    assert PositionsAndCell.free(atoms).basis.shape[1] == 3 * len(atoms) + 3


@pytest.mark.parametrize("kind", ["bcc", "hcp"])
def test_real_relaxations_equal_ases_own_and_keep_the_symmetry(kind):
    backbone, theta, start = vacancy(kind)
    potential = backbone.potential(theta, X)
    found = relax_cell(start, potential)
    assert found.largest_force <= 1e-5
    assert found.largest_stress <= 1e-6
    other = start.copy()
    other.calc = potential
    BFGS(UnitCellFilter(other), logfile=None).run(fmax=1e-6, steps=500)
    assert found.energy == pytest.approx(other.get_potential_energy(), abs=1e-8)
    np.testing.assert_allclose(found.atoms.cell.cellpar(), other.cell.cellpar(), rtol=1e-5)
    groups = [operations(atoms) for atoms in (start, found.atoms)]
    assert len(groups[0].cartesian) == len(groups[1].cartesian) > 10
    before = start.positions.copy()
    np.testing.assert_array_equal(start.positions, before)


class Broken(Calculator):
    """Forces and stress that are no numbers."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=(), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.results = {
            "energy": 0.0,
            "forces": np.full((len(atoms), 3), np.nan),
            "stress": np.full(6, np.nan),
        }


def test_what_does_not_converge_names_force_and_stress():
    backbone, theta, start = vacancy("bcc")
    with pytest.raises(
        NotConvergedError, match=r"largest force is \d.*largest stress \d.*after 3 evaluations"
    ):
        relax_cell(start, backbone.potential(theta, X), max_steps=2)
    with pytest.raises(NotConvergedError, match="cell is strained by"):
        relax_cell(start, backbone.potential(-theta, X))
    with pytest.raises(NotConvergedError, match="failed in step 0: forces or stress are not finite"):
        relax_cell(start, Broken())
    molecule = start.copy()
    molecule.pbc = False
    with pytest.raises(UqbenchError, match="hold no stress"):
        Expansion.within(backbone, X, PositionsAndCell.free(molecule))


def test_the_gate_relaxes_the_cell_of_bad_samples(expansion):
    """One is shifted too far for a step, one is upside down; those accepted are right as well."""
    tables, theta = expansion
    good = near(tables, theta, 2)
    far = theta + 0.06 * direction_of(tables, theta)
    samples = np.stack([good[0], far, -theta, good[1]])
    seen = []
    found = gated_energies(tables, samples, seen.append)
    np.testing.assert_array_equal(found.accepted, [True, False, False, True])
    assert [found.result.status[i] for i in (0, 1, 3)] == ["ok"] * 3
    exact = [relax_cell(tables.atoms, tables.backbone.potential(t, X)).energy for t in samples[[0, 1, 3]]]
    np.testing.assert_allclose(found.result.of("energy")[[0, 1, 3]], exact, atol=1e-6)
    assert not np.allclose(seen[0].cell.array, tables.atoms.cell.array, atol=1e-4)
    # At fixed cell the energy is another one.
    fixed = Expansion.within(tables.backbone, X, Positions.free(tables.atoms)).newton(samples[:1])
    assert abs(fixed.energy[0] - exact[0]) > 1e-5
