"""Fits against the functions they are to find."""

import numpy as np
import pytest

from tools.dft.fits import birch_murnaghan, fit_energies, fit_pressures, minimum_of_quadratic, slope_at_zero

TRUE = (-3.4, 20.0, 0.55, 4.3)
VOLUMES = 20.0 * np.linspace(0.92, 1.08, 9)


def test_both_fits_find_the_equation_of_state():
    energies = birch_murnaghan(VOLUMES, *TRUE)
    h = 1e-4
    pressures = -(birch_murnaghan(VOLUMES + h, *TRUE) - birch_murnaghan(VOLUMES - h, *TRUE)) / (2 * h)
    by_energy, by_pressure = fit_energies(VOLUMES, energies), fit_pressures(VOLUMES, pressures)
    found = (by_energy.energy, by_energy.volume, by_energy.modulus, by_energy.derivative)
    assert found == pytest.approx(TRUE, rel=1e-6)
    assert (by_pressure.volume, by_pressure.modulus, by_pressure.derivative) == pytest.approx(
        TRUE[1:], rel=1e-5
    )


def test_the_modulus_is_the_curvature_at_the_minimum():
    h = 1e-3
    low, mid, high = birch_murnaghan(TRUE[1] + h * np.array([-1.0, 0.0, 1.0]), *TRUE)
    assert TRUE[1] * (high - 2 * mid + low) / h**2 == pytest.approx(TRUE[2], rel=1e-4)


def test_slope_of_a_quadratic_is_exact_and_its_error_that_of_least_squares():
    x = np.array([-0.01, -0.005, 0.005, 0.01])
    slope, error = slope_at_zero(x, 3.0 + 150.0 * x - 400.0 * x**2)
    assert slope == pytest.approx(150.0)
    assert error == pytest.approx(0.0, abs=1e-9)
    rng = np.random.default_rng(0)
    many = np.linspace(-1, 1, 40)
    found = np.array([slope_at_zero(many, 2 * many + rng.normal(0, 0.1, 40)) for _ in range(400)])
    assert found[:, 0].std() == pytest.approx(found[:, 1].mean(), rel=0.1)


def test_minimum_in_two_variables():
    points = np.array([(x, y) for x in (0.97, 1.0, 1.03) for y in (1.6, 1.64, 1.68)])
    x, y = points.T
    where, least = minimum_of_quadratic(
        points, 7 + 3 * (x - 1.01) ** 2 + 2 * (y - 1.65) ** 2 + (x - 1.01) * (y - 1.65)
    )
    assert where == pytest.approx([1.01, 1.65])
    assert least == pytest.approx(7.0)
