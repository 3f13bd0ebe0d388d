"""The half-width of a normal distribution's central interval, in standard deviations."""

from __future__ import annotations


def normal_quantile(level: float) -> float:
    """z such that mean ± z σ holds the given share of a normal distribution.

    >>> round(normal_quantile(0.95), 3)
    1.96
    """
    from scipy.special import ndtri

    return float(ndtri(0.5 * (1.0 + level)))
