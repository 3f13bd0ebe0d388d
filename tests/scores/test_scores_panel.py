"""Scores over a panel of materials, by hand and by simulation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from uqbench.errors import UqbenchError
from uqbench.scores.calibrate import LEVELS
from uqbench.scores.panel import Panel, panel_table

FIVE = Panel(
    material=["a", "a", "b", "c", "d"],
    value=np.array([10.0, 10.0, 100.0, np.nan, 1.0]),
    lower=np.array([8.0, 8.0, 90.0, np.nan, 0.0]),
    upper=np.array([12.0, 12.0, 110.0, np.nan, 2.0]),
    intervals={
        0.95: (np.array([9.0, 9.0, 95.0, np.nan, 0.5]), np.array([11.0, 11.0, 105.0, np.nan, 1.5])),
    },
    reference=np.array([10.5, 12.25, 80.0, 3.0, 1.0]),
    reference_error=np.array([0.1, 0.5, np.nan, 1.0, 0.1]),
    failing=np.array([0.0, 0.05, 0.0, np.nan, 0.06]),
)
"""Answers: the first three. The fourth was never computed, and of the last too many samples have no such property."""


def values(panel, seed=0):
    return {name: score.value for name, score in panel_table(panel, seed).scores.items()}


def test_scores_by_hand():
    found = values(FIVE)
    assert found["n"] == 5
    assert found["n_materials"] == 4
    assert found["n_answers"] == 3
    assert found["failing"] == pytest.approx(0.11 / 4)
    # Stated: 10.5 in [8, 12]; 12.25 is out, but not of [7.5, 12.5]; 80 is out of [90, 110], its error is not known.
    assert found["coverage_stated"] == pytest.approx(1 / 3)
    assert found["coverage_stated_with_error"] == pytest.approx(2 / 3)
    assert found["coverage_stated_of_all"] == pytest.approx(1 / 5)
    assert found["coverage_95"] == pytest.approx(1 / 3)
    assert found["coverage_95_with_error"] == pytest.approx(1 / 3)
    # Medians of 2/10.5, 2/12.25, 10/80; of 2/0.5, 2/2.25, 10/20; of 0.5/4, 2.25/4, 20/20.
    assert found["width_over_reference"] == pytest.approx(2 / 12.25)
    assert found["width_over_error"] == pytest.approx(2 / 2.25)
    assert found["error_over_width"] == pytest.approx(2.25 / 4)
    # Winkler: width + 40 × the distance outside.
    scores = [2 / 10.5, (2 + 40 * 1.25) / 12.25, (10 + 40 * 15) / 80]
    assert found["interval_score_95"] == pytest.approx(np.mean(scores))


def test_under_ten_materials_there_are_hits_and_no_intervals():
    table = panel_table(FIVE, 0)
    assert all(score.low is None for score in table.scores.values())
    assert "no interval at 50%" in table.reasons["coverage_50"]


def test_a_bound_without_width_is_no_answer():
    flat = replace(FIVE, lower=FIVE.value, upper=FIVE.value)
    table = panel_table(flat, 0)
    assert table.scores["n_answers"].value == 0
    assert "no answer" in table.reasons["coverage_stated"]
    assert "coverage_stated_of_all" in table.reasons


def test_a_reference_of_zero_leaves_only_its_relative_scores_undefined():
    found = panel_table(replace(FIVE, reference=np.array([0.0, 12.25, 80.0, 3.0, 1.0])), 0)
    assert "interval_score_95" in found.reasons
    assert found.scores["coverage_95"].value == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reference": np.array([1.0, np.nan, 1.0, 1.0, 1.0])}, "reference is nan at entry 1"),
        ({"reference_error": np.full(5, -1.0)}, "reference_error is -1"),
        ({"failing": np.full(5, 1.5)}, "failing is 1.5"),
        ({"lower": np.zeros(4)}, "lower has shape"),
        ({"material": ["a"]}, "material has shape"),
    ],
)
def test_ill_posed_panels_are_refused(change, said):
    with pytest.raises(UqbenchError, match=said):
        replace(FIVE, **change)


def simulated(rng, n_materials, n_properties=6, shared=0.6, sigma_factor=1.0):
    """Gaussian errors that properties of a material share in part, with the true σ known."""
    material = np.repeat(np.arange(n_materials), n_properties)
    z = np.sqrt(shared) * np.repeat(rng.standard_normal(n_materials), n_properties)
    z += np.sqrt(1.0 - shared) * rng.standard_normal(len(material))
    sigma = np.exp(rng.normal(0.0, 1.0, len(material)))
    reference = 50.0 + rng.normal(0.0, 5.0, len(material))
    value = reference - sigma * z
    half = {p: ndtri(0.5 + 0.5 * p) * sigma_factor * sigma for p in LEVELS}
    intervals = {p: (value - h, value + h) for p, h in half.items()}
    zero = np.zeros(len(material))
    return Panel(material, value, *intervals[0.9], intervals, reference, zero, zero)


def test_coverage_of_honest_and_of_narrow_bounds():
    """Many materials: coverage is the level, and Φ's value where σ is half of what it should be."""
    rng = np.random.default_rng(3)
    honest, narrow = (values(simulated(rng, 1500, sigma_factor=f)) for f in (1.0, 0.5))
    for level in LEVELS:
        assert honest[f"coverage_{100 * level:.0f}"] == pytest.approx(level, abs=0.02)
    assert honest["coverage_stated"] == honest["coverage_90"]
    # Φ(0.98) - Φ(-0.98)
    assert narrow["coverage_95"] == pytest.approx(0.6729, abs=0.02)


def test_intervals_hold_the_true_coverage_at_their_rate():
    """Of 200 panels of 30 materials about 95 % have the true 90 % inside; materials, not results, are independent."""
    rng = np.random.default_rng(5)
    scores = [panel_table(simulated(rng, 30), 0).scores["coverage_90"] for _ in range(200)]
    hits = np.mean([s.low <= 0.9 <= s.high for s in scores])
    assert 0.88 <= hits <= 0.985
    spread = np.std([s.value for s in scores])
    width = np.mean([s.high - s.low for s in scores]) / 3.92
    assert width == pytest.approx(spread, rel=0.2)
    # Were results independent, the spread would be this.
    assert spread > 1.3 * np.sqrt(0.9 * 0.1 / 180)


def test_errors_of_references_make_up_what_they_cost():
    """References off by a fixed error: bounds cover fewer of them, and widened by it no fewer than of the truth."""
    rng = np.random.default_rng(8)
    panel = simulated(rng, 1000)
    shift = 0.3 * rng.choice([-1.0, 1.0], len(panel.value))
    measured = replace(panel, reference=panel.reference + shift, reference_error=np.full(len(shift), 0.3))
    plain, noisy = values(panel), values(measured)
    assert noisy["coverage_95"] < plain["coverage_95"] - 0.01
    assert noisy["coverage_95_with_error"] >= plain["coverage_95"]


def test_missing_answers_cost_coverage_of_all_and_not_of_answers():
    rng = np.random.default_rng(9)
    panel = simulated(rng, 1000)
    gone = rng.random(len(panel.value)) < 0.2
    found = values(replace(panel, value=np.where(gone, np.nan, panel.value)))
    assert found["n_answers"] == np.sum(~gone)
    assert found["coverage_95"] == pytest.approx(0.95, abs=0.02)
    assert found["coverage_95_of_all"] == pytest.approx(found["coverage_95"] * np.mean(~gone))


def test_methods_are_resampled_alike_whatever_the_order_of_their_results():
    panel = simulated(np.random.default_rng(1), 25)
    order = np.random.default_rng(2).permutation(len(panel.value))
    names = ("material", "value", "lower", "upper", "reference", "reference_error", "failing")
    intervals = {p: (low[order], high[order]) for p, (low, high) in panel.intervals.items()}
    mixed = replace(panel, intervals=intervals, **{name: getattr(panel, name)[order] for name in names})
    assert panel_table(panel, 7).scores["coverage_95"] == panel_table(mixed, 7).scores["coverage_95"]
