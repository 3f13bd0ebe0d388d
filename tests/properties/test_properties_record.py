"""What a record says of inputs that have no property, or one to be taken with a grain of salt."""

import numpy as np
import pytest
from ase.calculators.emt import EMT
from toy_crystals import FCC, Members, fcc_model, shifted

from uqbench.api import Lattice, Material, Reference
from uqbench.linear.model import LinearPosterior
from uqbench.linear.posteriors import Samples
from uqbench.properties.crystal import Crystal
from uqbench.properties.elastic_quantity import CubicConstants
from uqbench.properties.evaluate import Scale
from uqbench.properties.vacancy_quantity import RELAXED, UNRELAXED, VacancyFormation
from uqbench.suite.properties import Kappa, property_parts

BACKBONE, THETA = fcc_model()
AL = Material("toy", "Al", Lattice("fcc", FCC.a), {"C11": Reference(60.0, "GPa", 1.0, {}, None)})
KAPPA = Kappa(Scale(2.0, 2.0), "")


class Sharp(type(BACKBONE)):
    """With a cutoff that is known to others."""

    def kink(self):
        return self.cutoff


class Moving(EMT):
    """Aluminium's EMT, but in large cells an atom is pulled off its site, or shaken at every call."""

    def __init__(self, how):
        super().__init__()
        self.how, self.calls = how, 0

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        if len(self.atoms) == 31:
            pull = np.zeros((31, 3))
            self.calls += 1
            pull[4, 1] = 8.0 if self.how == "pull" else 0.3 * (-1) ** self.calls
            self.results["forces"] = self.results["forces"] + pull


def linear(thetas, backbone=BACKBONE):
    return LinearPosterior(backbone, ("Al",), Samples(thetas), {"Al": 0.0}, lambda atoms: None)


def parts(quantity, posterior, material=AL):
    return property_parts(quantity, posterior, material, "pool", KAPPA, 0)


def test_an_unstable_crystal_says_which_criterion_it_violates():
    """As bcc, a close-packed pair potential gives way along Bain's path; it has no vacancy either."""
    bcc = Crystal("bcc", "Al", 3.2, (2, 2, 2))
    posterior = linear(shifted(THETA, 1e-3, 4))
    for quantity in (CubicConstants(bcc), VacancyFormation(bcc)):
        for part in parts(quantity, posterior):
            assert part.value is part.lower is part.upper is None
            assert part.counts["unstable"] == part.counts["samples"] == 4
            assert part.reasons[0].startswith("bcc Al: unstable against strain: C11 - C12 = -")
            assert any("does not exist for the mean" in reason for reason in part.reasons)


@pytest.mark.parametrize(
    ("how", "fate", "words"),
    [
        ("pull", "unstable", "atom 4 moved"),
        ("shake", "not converged", "Al31: did not converge: the largest force is"),
    ],
)
def test_a_vacancy_that_moves_away_or_never_rests_is_counted(how, fate, words):
    found = parts(VacancyFormation(Crystal("fcc", "Al", 3.99)), Members((EMT(), EMT(), Moving(how))))
    relaxed = next(part for part in found if part.name == RELAXED)
    assert (relaxed.counts[fate], relaxed.counts["computed"]) == (1, 2)
    assert any(words in reason for reason in relaxed.reasons)


def test_a_cell_narrower_than_the_cutoff_is_computed_and_remarked_on():
    """The same numbers as with the images written out: a potential sees them all."""
    narrow = VacancyFormation(Crystal("fcc", "Al", 3.98, (1, 1, 1)))
    backbone = Sharp(cutoff=4.6, n_radial=4)
    found = parts(narrow, linear(shifted(THETA, 1e-3, 4), backbone))
    assert all(
        any("3.98 Å wide, less than twice the 4.6 Å that an atom sees" in r for r in p.reasons) for p in found
    )
    unrelaxed = next(part for part in found if part.name == UNRELAXED + "_at_reference_a")
    atoms, perfect = narrow.crystal.vacancy().repeat(2), narrow.crystal.perfect().repeat(2)
    atoms.calc = perfect.calc = backbone.potential(shifted(THETA, 1e-3, 4).mean(axis=0), ("Al",))
    by_hand = (atoms.get_potential_energy() - 0.75 * perfect.get_potential_energy()) / 8
    assert unrelaxed.value == pytest.approx(by_hand, abs=1e-9)


def test_without_a_reference_there_are_bounds_and_nothing_to_score():
    found = {part.name: part for part in parts(CubicConstants(FCC), linear(shifted(THETA, 1e-3, 20)))}
    assert (found["C11"].reference, found["C11"].protocol_known) == (60.0, False)
    assert found["C44"].reference is found["C44"].reference_error is None
    assert found["C44"].lower < found["C44"].value < found["C44"].upper
