"""Scores of a mean and a standard deviation read as a Gaussian."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from uqbench.api import Array
from uqbench.scores.checks import check_std, require, vectors

LARGEST_Z = 1e150


def crps_gaussian(mean: ArrayLike, std: ArrayLike, observed: ArrayLike) -> Array:
    """Continuous ranked probability score of Gaussians; proper, lower is better.

    σ [z (2Φ(z) - 1) + 2φ(z) - 1/√π] with z = (observed - mean)/σ (Gneiting, Raftery, Westveld & Goldman 2005,
    Mon. Weather Rev. 133, 1098, eq. 5). All arrays (n,), in the unit of the observable; returns (n,).
    Raises UqbenchError for a std that is not positive, differing shapes and values that are not finite.

    >>> crps_gaussian([0.0], [1.0], [0.0]).round(6)
    array([0.233695])
    """
    from scipy.special import erf

    z, std = _standardised(mean, std, observed)
    density = math.sqrt(2.0 / math.pi) * np.exp(-0.5 * z * z)
    return std * (z * erf(z / math.sqrt(2.0)) + density - 1.0 / math.sqrt(math.pi))


def nll_gaussian(mean: ArrayLike, std: ArrayLike, observed: ArrayLike) -> Array:
    """Negative log-likelihood of Gaussians, ½ z² + log σ + ½ log 2π; proper, lower is better.

    Arguments and errors as for crps_gaussian; returns (n,). It depends on the unit through log σ: compare
    it within one observable only.

    >>> nll_gaussian([0.0], [1.0], [2.0]).round(6)
    array([2.918939])
    """
    z, std = _standardised(mean, std, observed)
    return 0.5 * z * z + np.log(std) + 0.5 * math.log(2.0 * math.pi)


def squared_z(mean: ArrayLike, std: ArrayLike, observed: ArrayLike) -> Array:
    """((observed - mean)/std)², (n,), no unit; its mean is the ZMS. Arguments and errors as for crps_gaussian.

    >>> squared_z([0.0], [2.0], [3.0])
    array([2.25])
    """
    z, _ = _standardised(mean, std, observed)
    return z * z


def zms(mean: ArrayLike, std: ArrayLike, observed: ArrayLike) -> float:
    """Mean squared z-score: 1 if the σ are right on average, above 1 if they are too small.

    (Pernot 2023, APL Mach. Learn. 1, 046121.) Arguments and errors as for crps_gaussian.

    >>> zms([0.0, 0.0], [2.0, 1.0], [2.0, 3.0])
    5.0
    """
    return float(np.mean(squared_z(mean, std, observed)))


def _standardised(mean: ArrayLike, std: ArrayLike, observed: ArrayLike) -> tuple[Array, Array]:
    mean, std, observed = vectors(mean=mean, std=std, observed=observed)
    check_std(std)
    with np.errstate(over="ignore"):
        z = (observed - mean) / std
    require(np.abs(z) < LARGEST_Z, std, "std", "it is too small beside the error for z² to be a number")
    return z, std
