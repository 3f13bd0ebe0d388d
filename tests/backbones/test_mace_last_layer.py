"""Rows of the last layer: rows times weights is the network, rows times other weights its potential."""

import numpy as np
import pytest
from backbones.mace_toys import structures, trained

from uqbench.errors import UqbenchError
from uqbench.linear.last_layer import LastLayer
from uqbench.properties.crystal import Crystal
from uqbench.properties.lattice_table import NODES, LatticeTable


def split(values, atoms):
    n = 1 + 3 * len(atoms)
    return values[0], values[1:n].reshape(-1, 3), values[n:]


def test_rows_times_weights_is_the_network():
    """Energy per atom less references, forces and stress to 1e-10 in float64; the shape that a backbone gives."""
    model = trained()
    found = model.predict(structures())
    for atoms, rows, properties in zip(structures(), model.rows(structures()), found, strict=True):
        assert rows.shape == (1 + 3 * len(atoms) + 6 * bool(atoms.pbc.all()), 2 + 32)
        assert rows.dtype == np.float64
        energy, forces, stress = split(rows @ model.weights, atoms)
        expected = (properties.energy - model.reference_energy(atoms)) / len(atoms)
        assert energy == pytest.approx(expected, abs=1e-10)
        np.testing.assert_allclose(forces, properties.forces, atol=1e-10)
        if properties.stress is not None:
            np.testing.assert_allclose(stress, properties.stress, atol=1e-10)


def test_other_coefficients_give_another_potential():
    """The calculator of random coefficients is rows times these, without references."""
    model = trained()
    theta = np.random.default_rng(0).standard_normal(34)
    calculator = model.potential(theta)
    for atoms, rows in zip(structures(), model.rows(structures()), strict=True):
        energy, forces, stress = split(rows @ theta, atoms)
        assert calculator.get_potential_energy(atoms) == pytest.approx(energy * len(atoms), abs=1e-10)
        np.testing.assert_allclose(calculator.get_forces(atoms), forces, atol=1e-10)
        if atoms.pbc.all():
            np.testing.assert_allclose(calculator.get_stress(atoms), stress, atol=1e-10)


def test_constants_of_elements_come_first():
    for atoms, rows in zip(structures(), trained().rows(structures()), strict=True):
        symbols = atoms.get_chemical_symbols()
        np.testing.assert_allclose(rows[0, :2], [symbols.count(e) / len(atoms) for e in ("Au", "Cu")])
        assert not rows[1:, :2].any()


def test_rows_do_not_depend_on_what_else_is_in_the_batch():
    alone = [next(iter(trained().rows([atoms]))) for atoms in structures()]
    for one, other in zip(alone, trained().rows(structures()), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-11)


@pytest.mark.parametrize("theta", [np.zeros(33), np.full(34, np.nan)])
def test_wrong_coefficients_are_an_error(theta):
    with pytest.raises(UqbenchError, match="34 finite numbers are needed"):
        trained().potential(theta)


def test_elastic_tables_are_exact_where_a_shell_crosses_the_cutoff():
    """The second shell of fcc does at a = 4 Å, the cutoff; the middle node of a table is a value of its own."""
    model = trained()
    layer = LastLayer("toy", ("Au", "Cu"), "cpu", model)

    def tabulated(a, centre, cutoff):
        table = LatticeTable.about(layer, layer.elements, Crystal("fcc", "Cu", centre), cutoff)
        panel = next(p for p in table.panels if p.low <= a <= p.high)
        basis = np.polynomial.chebyshev.chebvander(panel.scaled(np.array([a])), NODES - 1)[0]
        return np.tensordot(basis, panel.coefficients, 1) @ model.weights

    for a in (3.985, 4.015):
        exact = tabulated(a, a, None)
        error, without = (np.abs(tabulated(a, 4.0, c) - exact).max() for c in (layer.kink(), None))
        assert error < 1e-9
        assert without > 100 * error


def test_two_layers_see_twice_as_far():
    layer = LastLayer("toy", ("Au", "Cu"), "cpu", trained())
    assert (layer.kink(), layer.reach()) == (4.0, 8.0)
