"""Pair potentials, linear in their coefficients, in which fcc, bcc and diamond crystals are stable."""

from dataclasses import dataclass

import numpy as np

from uqbench.api import Posterior
from uqbench.check.toy_backbone import ToyPairs
from uqbench.properties.crystal import Crystal

FCC = Crystal("fcc", "Al", 3.98)
DIAMOND = Crystal("diamond", "Si", 5.2, (1, 1, 1))


def fcc_model():
    """Backbone and coefficients: a Lennard-Jones-like well of 0.3 eV at 2.85 Å, two shells in reach."""
    backbone = ToyPairs(cutoff=4.6, n_radial=4)
    return backbone, _fitted(backbone, 2.4, lambda r: 0.3 * ((2.85 / r) ** 12 - 2 * (2.85 / r) ** 6))


def diamond_model(nearest=1.5, second=0.6):
    """Backbone and coefficients: a well for each of two shells, so that a pair potential resists shear.

    nearest, second: their depths, eV.
    """
    backbone = ToyPairs(cutoff=4.2, n_radial=6)
    wells = (nearest, 2.35, 0.35), (second, 3.6, 0.25)
    return backbone, _fitted(
        backbone, 1.9, lambda r: -sum(d * np.exp(-(((r - at) / w) ** 2)) for d, at, w in wells)
    )


def shifted(theta, size, n, seed=0):
    """n sets of coefficients about theta, each radial function changed by about the given share."""
    draws = np.random.default_rng(seed).standard_normal((n, len(theta)))
    return theta * (1.0 + size * draws)


def _fitted(backbone, nearest, energy):
    r = np.linspace(nearest, backbone.cutoff - 0.02, 200)
    inside = 1 - r / backbone.cutoff
    powers = inside[:, None] ** np.arange(3, 3 + backbone.n_radial)
    return np.concatenate([[0.0], np.linalg.lstsq(powers, energy(r), rcond=None)[0]])


def bcc_model():
    """Backbone and coefficients: wells for both shells of bcc Fe at a = 2.9 Å, so that it resists shear."""
    backbone = ToyPairs(cutoff=3.9, n_radial=6)
    wells = (0.5, 2.5, 0.3), (0.4, 2.92, 0.3)
    return backbone, _fitted(
        backbone, 2.0, lambda r: -sum(d * np.exp(-(((r - at) / w) ** 2)) for d, at, w in wells)
    )


@dataclass(frozen=True)
class Members(Posterior):
    calculators: tuple

    def predict(self, structures):
        raise NotImplementedError

    def members(self):
        return self.calculators
