"""One tiny stored calculation, computed again where Quantum ESPRESSO and the pseudopotential are installed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from dft_parts import SETTINGS

from tools.dft.calculation import Calculation
from tools.dft.material import read_material
from tools.dft.pseudopotential import read_psp8, species_of, write_upf
from tools.dft.pwscf import Pwscf
from tools.dft.record import read_record

STORED = Path(__file__).parent / "si_tiny.json"
"""Two atoms of silicon, strained and displaced, at 12 Ry with 2 x 2 x 2 points: far from converged, and quick."""


@pytest.mark.slow
def test_pw_reproduces_a_stored_calculation(tmp_path):
    material = read_material("si")
    source = Path(material.pseudopotential)
    if shutil.which("pw.x") is None or not source.exists():
        pytest.skip(
            "needs pw.x and abinit-data's pseudopotentials (apt-get install quantum-espresso abinit-data)"
        )
    stored = read_record(STORED)
    assert stored is not None
    psp8 = read_psp8(source)
    species = species_of(psp8, material.mass)
    write_upf(psp8, tmp_path / species.pseudopotential)
    calculation = Calculation(stored.name, stored.group, stored.atoms(), species, SETTINGS, stored.mesh)
    assert calculation.inputs == stored.inputs
    found = Pwscf.found(tmp_path).compute(calculation)
    # Other versions and libraries sum in another order: the threshold of self-consistency decides.
    assert found.energy == pytest.approx(stored.energy, abs=1e-5)
    np.testing.assert_allclose(found.forces, stored.forces, atol=1e-3)
    np.testing.assert_allclose(found.stress, stored.stress, atol=1e-5)
    assert found.path == []
