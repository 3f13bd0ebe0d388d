"""The Pulay stress against the energies of a set of plane waves."""

import numpy as np
import plane_waves
import pytest

from tools.dft.fits import fit_energies, fit_pressures
from tools.dft.pulay import CutoffSlope, cutoff_slope
from uqbench.errors import UqbenchError

EV, A0, CUTOFF = 60.0, 16.5, 32.0
"""An atom's energy, its volume and a cutoff of a made-up crystal."""


def incomplete(volume, waves):
    """Energy per atom with that many waves per atom, in a unit that makes the cutoff (waves / volume)^(2/3)."""
    x = (A0 / volume) ** (2 / 3)
    crystal = -EV + 9 / 16 * A0 * 0.5 * ((x - 1) ** 3 * 4.4 + (x - 1) ** 2 * (6 - 4 * x))
    return crystal + 5.0 * np.exp(-((waves / volume) ** (2 / 3)) / 6.0)


def test_corrected_stress_and_energies_have_one_equation_of_state():
    volumes = A0 * np.linspace(0.94, 1.06, 9)
    waves = CUTOFF**1.5 * volumes
    energies = incomplete(volumes, waves)
    h = 1e-4
    raw = np.array(
        [
            -(incomplete(v + h, n) - incomplete(v - h, n)) / (2 * h)
            for v, n in zip(volumes, waves, strict=True)
        ]
    )
    cutoffs = CUTOFF * np.linspace(0.88, 1.12, 7)
    scan = [incomplete(v, cutoffs**1.5 * v) for v in volumes[::4]]
    slope = cutoff_slope(cutoffs, np.array(scan), CUTOFF)
    assert slope.mean == pytest.approx(-5.0 * CUTOFF / 6.0 * np.exp(-CUTOFF / 6.0), rel=1e-2)
    by_energy = fit_energies(volumes, energies)
    by_raw = fit_pressures(volumes, raw)
    by_stress = fit_pressures(
        volumes, np.array([p - slope.pressure(v) for p, v in zip(raw, volumes, strict=True)])
    )
    assert by_stress.volume == pytest.approx(by_energy.volume, rel=1e-4)
    assert by_stress.modulus == pytest.approx(by_energy.modulus, rel=1e-3)
    # What the correction is for: without it, the volume is off by far more.
    assert abs(by_raw.volume / by_energy.volume - 1.0) > 20 * abs(by_stress.volume / by_energy.volume - 1.0)


def test_plane_waves_of_a_cosine_crystal():
    """dE/dV at fixed cutoff less dE/dV at fixed waves is p, for a band that is really diagonalised."""
    a, cutoff = 9.0, 2.0
    volume = a**3
    scales = np.linspace(0.97, 1.03, 25)
    energies = [plane_waves.energy(a * s, plane_waves.waves(a * s, cutoff)) for s in scales]
    at_cutoff = np.polyfit((a * scales) ** 3 - volume, energies, 3)[2]
    fixed, h = plane_waves.waves(a, cutoff), 1e-3
    rise = plane_waves.energy(a * (1 + h), fixed) - plane_waves.energy(a * (1 - h), fixed)
    at_fixed = rise / (volume * ((1 + h) ** 3 - (1 - h) ** 3))
    cutoffs = cutoff * np.linspace(0.9, 1.1, 25)
    slope = cutoff_slope(
        cutoffs, np.array([[plane_waves.energy(a, plane_waves.waves(a, c)) for c in cutoffs]]), cutoff
    )
    # Waves come in and go in shells: a few percent.
    assert slope.pressure(volume) == pytest.approx(at_cutoff - at_fixed, rel=0.06)


def test_the_correction_is_isotropic_and_a_pressure():
    stress = np.array([[1.0, 0.2, 0.1], [0.2, 2.0, 0.3], [0.1, 0.3, 3.0]])
    slope = CutoffSlope(-0.04, 0.001)
    change = slope.corrected(stress, 16.0) - stress
    np.testing.assert_allclose(change, np.eye(3) * (2 / 3) * -0.04 / 16.0)


@pytest.mark.parametrize("cutoffs", [[28, 30, 34, 36], [33, 34, 35, 36, 37]])
def test_too_few_or_one_sided_cutoffs(cutoffs):
    with pytest.raises(UqbenchError, match=r"convergence\.pulay"):
        cutoff_slope(np.array(cutoffs, dtype=float), np.zeros((1, len(cutoffs))), 32.0)
