"""Calibration curve, its area, ENCE and coverage by part, against uncertainty-toolbox and theory."""

import numpy as np
import pytest
import uncertainty_toolbox as toolbox

from uqbench.errors import UqbenchError
from uqbench.scores.reliability import (
    calibration_curve,
    coverage_by_group,
    coverage_by_sigma,
    curve_area,
    curve_levels,
    ence,
    miscalibration_area,
    picp,
    sigma_bins,
)


@pytest.mark.parametrize("factor", [0.4, 1.0, 1.05, 3.0])
@pytest.mark.parametrize("n", [7, 1500])
def test_curve_and_area_equal_uncertainty_toolbox(factor, n):
    rng = np.random.default_rng(n)
    mean, std = rng.normal(size=n), rng.uniform(0.2, 2.0, n)
    observed = mean + factor * std * rng.normal(size=n)
    levels, shares = toolbox.get_proportion_lists_vectorized(mean, std, observed)
    ours = calibration_curve(mean, std, observed)
    np.testing.assert_allclose(ours[0], levels, atol=1e-10)
    np.testing.assert_allclose(ours[1], shares, atol=1e-10)
    area = toolbox.miscalibration_area(mean, std, observed)
    assert miscalibration_area(mean, std, observed) == pytest.approx(area, abs=1e-10)


def test_area_counts_both_sides_of_a_crossing():
    """One step from 0.1 below the diagonal to 0.1 above: two triangles, a quarter of the box."""
    shares = curve_levels().copy()
    shares[10], shares[11] = shares[10] - 0.1, shares[11] + 0.1
    step = 1.0 / 99.0
    # Two flanks that start on the diagonal, each 0.1 step / 2, and the crossing, 0.1 step / 2.
    assert curve_area(shares) == pytest.approx(3 * 0.05 * step, rel=1e-10)


def test_area_of_calibrated_data_is_that_of_a_brownian_bridge():
    """E ∫|B| = √(2/π) π/8 = 0.313 over √n."""
    rng = np.random.default_rng(0)
    areas = [miscalibration_area(np.zeros(400), np.ones(400), rng.normal(size=400)) for _ in range(400)]
    assert np.mean(areas) * 20 == pytest.approx(np.sqrt(2 / np.pi) * np.pi / 8, rel=0.08)


def test_ence_of_a_known_miscalibration():
    """σ half of what it should be in every bin: |2σ - σ| / σ = 1, up to the noise of the RMSE."""
    rng = np.random.default_rng(0)
    std = np.exp(rng.normal(size=40_000))
    assert ence(np.zeros_like(std), std, 2.0 * std * rng.normal(size=std.size)) == pytest.approx(
        1.0, abs=0.03
    )


def test_ence_of_calibrated_data_has_the_size_the_docstring_says():
    rng = np.random.default_rng(1)
    std = np.linspace(1.0, 5.0, 4000)
    values = [ence(0 * std, std, std * rng.normal(size=4000)) for _ in range(200)]
    assert np.mean(values) == pytest.approx(np.sqrt(2 / np.pi) / np.sqrt(2 * 400), rel=0.1)


def test_bins_are_even_and_do_not_depend_on_order_or_unit():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.1, 1.0, 1000)
    assert set(np.bincount(sigma_bins(std))) == {100}
    order = rng.permutation(1000)
    np.testing.assert_array_equal(sigma_bins(std[order] * 1e-3), sigma_bins(std)[order])
    tied = np.repeat([1.0, 2.0], [950, 50])
    np.testing.assert_array_equal(np.bincount(sigma_bins(tied)), [950, 50])
    assert np.all(sigma_bins(np.full(50, 0.3)) == 0)


def test_coverage_by_part_adds_up_to_the_whole():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.1, 3.0, 5000)
    observed = rng.normal(size=5000)
    parts = coverage_by_sigma(-std, std, observed, np.zeros(5000), std)
    whole = picp({0.68: (-std, std)}, observed)[0.68]
    assert np.average(parts.coverage, weights=parts.n) == pytest.approx(whole, rel=1e-12)
    assert np.all(np.diff(parts.coverage) > 0)
    assert np.all(np.diff(parts.rms_std) > 0)
    assert np.sqrt(np.average(parts.rmse**2, weights=parts.n)) == pytest.approx(np.sqrt(np.mean(observed**2)))
    group = np.where(std > 1.0, "wide", "narrow")
    by = coverage_by_group(-std, std, observed, group)
    assert list(by) == ["narrow", "wide"]
    assert by["narrow"].coverage < by["wide"].coverage
    assert sum(g.coverage * g.n for g in by.values()) / 5000 == pytest.approx(whole, rel=1e-12)


def test_ill_posed_reliability_is_an_error():
    with pytest.raises(UqbenchError, match="100 in all"):
        ence(np.zeros(99), np.ones(99), np.ones(99))
    with pytest.raises(UqbenchError, match="std is 0"):
        miscalibration_area([0.0], [0.0], [1.0])
    with pytest.raises(UqbenchError, match="group has shape"):
        coverage_by_group([0.0], [1.0], [0.5], ["a", "b"])
    with pytest.raises(UqbenchError, match="observed has shape"):
        ence(np.zeros(100), np.ones(100), np.ones(101))
