"""What theory says of coverage in the synthetic study; coverage by Gaussian 95 % intervals of N(0, I_P) features."""

from __future__ import annotations

import numpy as np

from uqbench.normal_quantile import normal_quantile
from uqbench.study.synthetic import Case

MAIN_LEVEL = 0.95


def predictive_coverage(n: int, p: int, level: float = MAIN_LEVEL) -> float:
    """Coverage of new labels by mean ± z s √(1 + h), or of the true function by mean ± z s √h, well specified.

    n rows, p features, s² = RSS/(n − p), h = xᵀ(XᵀX)⁻¹x: errors over s are Student's t with n − p degrees of
    freedom (any textbook on regression; MacKay's fixed point gives this s² where the prior is weak).
    """
    from scipy.special import stdtr

    return float(2.0 * stdtr(n - p, normal_quantile(level)) - 1.0)


def epistemic_coverage(n: int, p: int, level: float = MAIN_LEVEL) -> float:
    """Coverage of new labels by the epistemic interval mean ± z s √h, well specified; it vanishes as n grows.

    The expectation of 2 T(z √(h/(1 + h))) − 1, T of Student's t with n − p degrees of freedom, over
    h (n − p + 1)/p ~ F(p, n − p + 1), which is Hotelling's T² of a new row.
    """
    from scipy.special import fdtri, stdtr

    z = normal_quantile(level)
    # Mean over equal shares of the distribution of h.
    quantile = (np.arange(20_000) + 0.5) / 20_000
    h = fdtri(p, n - p + 1, quantile) * p / (n - p + 1)
    return float(np.mean(2.0 * stdtr(n - p, z * np.sqrt(h / (1.0 + h))) - 1.0))


def epistemic_coverage_misspecified(case: Case, p: int, level: float = MAIN_LEVEL) -> float:
    """The same with misfit, to leading order in p/n: the chance that θ·x errs by less than z τ |x|/√n.

    τ² = σ² + m² is what the fit takes for noise. |x|² = u² + χ²(p − 1), and the error m g(u) + σ ε is
    independent of the second part.
    """
    from scipy.special import chdtri, ndtr, ndtri

    z = normal_quantile(level)
    u = ndtri((np.arange(4_000) + 0.5) / 4_000)
    rest = chdtri(p - 1, (np.arange(200) + 0.5) / 200)[:, None]
    half = z * case.error * np.sqrt((u**2 + rest) / case.n)
    centre = case.misfit * (u**2 - 1.0) / np.sqrt(2.0)
    # Without noise the chance is 0 or 1; so little noise does not change it.
    noise = max(case.noise, 1e-9 * case.misfit)
    return float(np.mean(ndtr((half - centre) / noise) - ndtr((-half - centre) / noise)))
