"""Fits behind reference values: equations of state and slopes at zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from uqbench.api import Array


@dataclass(frozen=True)
class EquationOfState:
    """Third-order Birch-Murnaghan. energy: at the minimum, eV/atom (0 if fitted to pressures). volume: Å³/atom.

    modulus: eV/Å³. derivative: of the modulus by pressure. modulus_error: standard error. residual: rms, eV/atom or
    eV/Å³.
    """

    energy: float
    volume: float
    modulus: float
    derivative: float
    modulus_error: float
    residual: float


def fit_energies(volumes: Array, energies: Array) -> EquationOfState:
    """Through energies (n,) in eV/atom at volumes (n,) in Å³/atom."""
    a, b, c = np.polyfit(volumes, energies, 2)
    start = (c - b * b / (4 * a), -b / (2 * a), -b, 4.0)
    return EquationOfState(*_fit(birch_murnaghan, volumes, energies, start))


def fit_pressures(volumes: Array, pressures: Array) -> EquationOfState:
    """Through pressures (n,) in eV/Å³: minus the derivative of the same law."""
    slope, level = np.polyfit(volumes, pressures, 1)
    volume = -level / slope
    found = _fit(_pressure, volumes, pressures, (volume, -slope * volume, 4.0))
    return EquationOfState(0.0, *found)


def birch_murnaghan(volumes: Array, energy: float, volume: float, modulus: float, derivative: float) -> Array:
    """Energies (n,) in eV/atom (Birch, Phys. Rev. 71, 809 (1947))."""
    x = (volume / volumes) ** (2 / 3)
    return energy + 9 / 16 * volume * modulus * ((x - 1) ** 3 * derivative + (x - 1) ** 2 * (6 - 4 * x))


def slope_at_zero(x: Array, y: Array) -> tuple[float, float]:
    """Slope at x = 0 of a quadratic through (n,) points, and its standard error."""
    design = np.vander(np.asarray(x, dtype=float), 3)
    coefficients, *_ = np.linalg.lstsq(design, np.asarray(y, dtype=float), rcond=None)
    residual = np.asarray(y) - design @ coefficients
    variance = residual @ residual / max(1, len(x) - 3)
    return float(coefficients[1]), float(np.sqrt(variance * np.linalg.inv(design.T @ design)[1, 1]))


def minimum_of_quadratic(points: Array, values: Array) -> tuple[Array, float]:
    """Where a full quadratic in two variables through (n, 2) points is least, and that value; n ≥ 6."""
    x, y = points.T
    design = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    c, *_ = np.linalg.lstsq(design, values, rcond=None)
    curvature = np.array([[2 * c[3], c[5]], [c[5], 2 * c[4]]])
    where = np.asarray(-np.linalg.solve(curvature, c[1:3]), dtype=np.float64)
    return where, float(c[0] + c[1:3] @ where / 2)


def _pressure(volumes: Array, volume: float, modulus: float, derivative: float) -> Array:
    x = (volume / volumes) ** (1 / 3)
    return 1.5 * modulus * (x**7 - x**5) * (1 + 0.75 * (derivative - 4) * (x**2 - 1))


def _fit(
    law: Callable[..., Array], volumes: Array, values: Array, start: tuple[float, ...]
) -> tuple[float, ...]:
    """The parameters, the modulus's standard error and the rms residual."""
    from scipy.optimize import curve_fit

    found, covariance = curve_fit(law, volumes, values, p0=start, maxfev=20000)
    residual = float(np.sqrt(np.mean((values - law(volumes, *found)) ** 2)))
    return (*map(float, found), float(np.sqrt(covariance[-2, -2])), residual)
