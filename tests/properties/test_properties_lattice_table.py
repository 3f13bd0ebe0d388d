"""Tables in the lattice constant against brute force, sample by sample."""

import numpy as np
import pytest
from toy_crystals import DIAMOND, FCC, diamond_model, fcc_model, shifted

from uqbench.check.toy_backbone import ToyPairs
from uqbench.errors import UqbenchError
from uqbench.properties.crystal import Crystal
from uqbench.properties.failures import UnstableError
from uqbench.properties.lattice import CONSTANTS, cubic_constants, lattice_constant
from uqbench.properties.lattice_table import LatticeTable
from uqbench.properties.resampling import potentials, resample


def both(crystal, model, size, n=12):
    backbone, theta = model()
    elements = (crystal.symbol,)
    crystal = crystal.at(lattice_constant(crystal, backbone.potential(theta, elements)))
    samples = shifted(theta, size, n)
    table = LatticeTable.about(backbone, elements, crystal, backbone.cutoff)
    brute = resample(
        CONSTANTS, lambda c: cubic_constants(crystal, c), potentials(backbone, elements, samples)
    )
    return table, table.constants(samples), brute


@pytest.mark.parametrize(
    ("crystal", "model", "size"), [(FCC, fcc_model, 3e-3), (DIAMOND, diamond_model, 1e-4)]
)
def test_tables_equal_brute_force(crystal, model, size):
    """All constants to 1e-6 of their spread; in diamond through the response of the sublattices."""
    _, found, brute = both(crystal, model, size)
    assert found.status == brute.status == ("ok",) * 12
    assert (np.abs(found.values - brute.values).max(axis=0) < 1e-6 * brute.values.std(axis=0)).all()


@pytest.mark.parametrize(
    ("crystal", "model", "size"), [(FCC, fcc_model, 2e-2), (DIAMOND, diamond_model, 3e-3)]
)
def test_unstable_samples_are_the_same_and_are_reported(crystal, model, size):
    _, found, brute = both(crystal, model, size)
    assert 0 < brute.counts["unstable"] < 12
    assert found.status == brute.status
    assert [bool(reason) for reason in found.reasons] == [s != "ok" for s in found.status]
    np.testing.assert_array_equal(np.isfinite(found.values).all(axis=1), found.ok)


def test_an_unstable_sublattice_is_named_either_way():
    """The second shell holds the crystal together, nearest neighbours sit on a hill."""
    backbone, theta = diamond_model(nearest=-0.5, second=2.0)
    crystal = DIAMOND.at(lattice_constant(DIAMOND, backbone.potential(theta, ("Si",))))
    with pytest.raises(UnstableError, match="internal displacement has curvature -"):
        cubic_constants(crystal, backbone.potential(theta, ("Si",)))
    found = LatticeTable.about(backbone, ("Si",), crystal, backbone.cutoff).constants(theta[None])
    assert found.status == ("unstable",)
    assert "moving the sublattices apart has curvature -" in found.reasons[0]


def test_an_energy_maximum_is_no_lattice_constant():
    backbone, theta = fcc_model()
    found = LatticeTable.about(backbone, ("Al",), FCC, backbone.cutoff).constants(np.stack([theta, -theta]))
    assert found.status == ("ok", "unstable")
    assert "the stress does not vanish" in found.reasons[1]


def test_panels_end_where_a_shell_crosses_the_cutoff():
    """fcc shells lie at a sqrt(n/2): with a cutoff of 4.95 Å the third crosses at a = 4.0417 Å."""
    table = LatticeTable.about(ToyPairs(4.95, 3), ("Al",), Crystal("fcc", "Al", 4.0), 4.95)
    ends = [(panel.low, panel.high) for panel in table.panels]
    assert np.array(ends) == pytest.approx(np.array([[3.8, 4.95 / 1.5**0.5], [4.95 / 1.5**0.5, 4.2]]))


def test_a_kink_at_the_cutoff_does_not_spoil_the_table():
    """Samples on either side of the value where a shell crosses the cutoff agree with brute force."""
    backbone, theta = fcc_model()
    a0 = lattice_constant(FCC, backbone.potential(theta, ("Al",)))
    # The third shell enters just below a0; cubic powers are smooth there, but only twice.
    wider = ToyPairs(a0 * 1.5**0.5 * 0.999, 4)
    r = np.linspace(2.4, wider.cutoff - 0.02, 200)
    powers = (1 - r / wider.cutoff)[:, None] ** np.arange(3, 7)
    energy = 0.3 * ((2.85 / r) ** 12 - 2 * (2.85 / r) ** 6)
    theta = np.concatenate([[0.0], np.linalg.lstsq(powers, energy, rcond=None)[0]])
    crystal = FCC.at(lattice_constant(FCC, wider.potential(theta, ("Al",))))
    samples = shifted(theta, 2e-3, 10)
    table = LatticeTable.about(wider, ("Al",), crystal, wider.cutoff)
    found = table.constants(samples)
    brute = resample(CONSTANTS, lambda c: cubic_constants(crystal, c), potentials(wider, ("Al",), samples))
    assert len(table.panels) == 2
    assert (np.abs(found.values - brute.values).max(axis=0) < 1e-5 * brute.values.std(axis=0)).all()


def test_a_cutoff_that_is_none_is_refused():
    with pytest.raises(UqbenchError, match="cutoff is nan"):
        LatticeTable.about(ToyPairs(4.0, 3), ("Al",), FCC, float("nan"))
