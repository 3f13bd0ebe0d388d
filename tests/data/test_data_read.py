"""Reading: every label in, every kind of bad input out with who, where, what and remedy."""

import gzip
import lzma

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import write

from uqbench.data.read import Keys, read_frames
from uqbench.errors import UqbenchError

GOOD = """2
Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 config_type=md pbc="T T T"
Al 0.0 0.0 0.0 0.1 0.0 0.0
Al 2.0 2.0 1.9 -0.1 0.0 0.0
"""


@pytest.fixture
def labelled():
    """Strained, rattled copper with the labels of ASE's own EMT potential."""
    atoms = bulk("Cu", "fcc", 3.6, cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + np.diag([0.02, 0.0, -0.01], 0)), scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    results = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    plain = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True, info={"config_type": "bulk"})
    plain.calc = SinglePointCalculator(plain, **results)
    return plain, results


def put(tmp_path, text, name="train.xyz"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.xyz", "a.extxyz", "a.xyz.gz", "a.xyz.xz", "a.db"])
def test_labels_survive_every_format(tmp_path, labelled, name):
    atoms, results = labelled
    path = tmp_path / name
    if name.endswith(".db"):
        connect(path).write(atoms, config_type="bulk")
    else:
        write(tmp_path / "plain.xyz", atoms, format="extxyz")
        text = (tmp_path / "plain.xyz").read_bytes()
        packed = {"gz": gzip.compress, "xz": lzma.compress}.get(name.rsplit(".", 1)[-1], bytes)(text)
        path.write_bytes(packed)
    (frame,) = read_frames(path)
    assert frame.energy == pytest.approx(results["energy"], abs=1e-10)
    assert frame.forces is not None
    assert frame.stress is not None
    np.testing.assert_allclose(frame.forces, results["forces"], atol=1e-7)
    np.testing.assert_allclose(frame.stress, results["stress"], atol=1e-10)
    np.testing.assert_allclose(frame.atoms.positions, atoms.positions, atol=1e-7)
    assert frame.config_type == "bulk"
    assert frame.atoms.calc is None
    assert not frame.atoms.info


def test_virial_is_minus_stress_times_volume(tmp_path, labelled):
    atoms, results = labelled
    atoms.calc = None
    xx, yy, zz, yz, xz, xy = -results["stress"] * atoms.get_volume()
    atoms.info["virial"] = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    write(tmp_path / "v.xyz", atoms)
    (frame,) = read_frames(tmp_path / "v.xyz")
    assert frame.stress is not None
    np.testing.assert_allclose(frame.stress, results["stress"], atol=1e-9)


def test_named_keys(tmp_path):
    path = put(tmp_path, GOOD.replace("forces", "ref_f").replace("energy", "REF_energy"))
    (frame,) = read_frames(path, Keys(energy="REF_energy", forces="ref_f"))
    assert frame.energy == -1.5
    assert frame.forces is not None
    assert frame.forces[0, 0] == 0.1
    assert frame.config_type == "md"


def test_a_named_key_that_is_nowhere_is_an_error(tmp_path):
    with pytest.raises(UqbenchError, match=r'forces label named "fores".*--forces-key'):
        read_frames(put(tmp_path, GOOD), Keys(forces="fores"))


def test_kinds_are_optional_and_stress_needs_three_periodic_directions(tmp_path):
    text = GOOD.replace("energy=-1.5", 'energy=-1.5 stress="1 0 0 0 1 0 0 0 1"')
    periodic = read_frames(put(tmp_path, text))[0]
    slab = read_frames(put(tmp_path, text.replace("T T T", "T T F")))[0]
    assert periodic.stress is not None
    assert slab.stress is None
    assert read_frames(put(tmp_path, text.replace("energy=-1.5", "")))[0].energy is None
    assert read_frames(put(tmp_path, text), ignore=["stress"])[0].stress is None


def test_blank_line_between_frames_is_not_the_end(tmp_path):
    """ASE's reader stops there and drops the rest without a word."""
    with pytest.raises(UqbenchError, match=r"frame 1, line 5.*number of atoms"):
        read_frames(put(tmp_path, GOOD + "\n" + GOOD))
    assert len(read_frames(put(tmp_path, GOOD + GOOD + "\n\n"))) == 2


BAD = {
    "no usable label": (
        GOOD.replace("forces", "momenta").replace("energy", "enthalpy"),
        r'frame 0: no usable label.*found: .*"momenta".*--forces-key',
    ),
    "wrong shape": (
        GOOD.replace("forces:R:3", "forces:R:2").replace(" 0.0\n", "\n"),
        r"frame 0: forces .* shape \(2, 2\); \(2, 3\)",
    ),
    "stress of wrong shape": (GOOD.replace("energy=", 'stress="1 2 3" energy='), "frame 0.*stress"),
    "nan force": (GOOD.replace("-0.1", "nan"), "forces .* of atom 1 is nan; finite numbers"),
    "nan energy": (GOOD.replace("-1.5", "nan"), "energy .* is nan"),
    "nan position": (GOOD.replace("1.9", "nan"), "positions hold a number that is not finite"),
    "huge force": (
        GOOD.replace("-0.1", "1e6"),
        r"forces .* reach 1e\+06 eV/Å on atom 1.*largest allowed: 1000",
    ),
    "words for energy": (GOOD.replace("-1.5", "high"), "energy .* 'high'; numbers are needed"),
    "zero cell": (GOOD.replace("4 0 0 0 4 0 0 0 4", "0 0 0 0 0 0 0 0 0"), "no volume"),
    "no cell": (GOOD.replace('Lattice="4 0 0 0 4 0 0 0 4" ', ""), "no volume"),
    "flat cell": (GOOD.replace("0 0 4", "0 4 0"), "no volume"),
    "overlap": (GOOD.replace("2.0 2.0 1.9", "0.0 0.0 0.1"), r"atoms overlap: atom 0 \(Al\).*0\.100 Å"),
    "overlap across the boundary": (GOOD.replace("2.0 2.0 1.9", "0.0 0.0 3.9"), "overlap.*0.100 Å"),
    "same place": (GOOD.replace("2.0 2.0 1.9", "4.0 0.0 0.0"), "overlap.*0.000 Å"),
    "empty": ("", "the file is empty"),
    "blank": ("\n \n", "the file is empty"),
    "truncated": (
        GOOD + GOOD[: GOOD.rindex("Al")],
        "frame 1: 2 atoms are announced and the file ends after 1",
    ),
    "cut in a line": (GOOD[:-10], "frame 0: cannot be read as extended XYZ"),
    "no atoms": ("0\n\n", "number of atoms is needed .*found '0'"),
    "not xyz": ("{'this': 'is', 'json': 1}\n", "line 1: a number of atoms is needed"),
    "binary": (b"\x00\x01\x02PK\x03\x04\n", "line 1: a number of atoms is needed"),
    "not utf-8": (GOOD.replace("md", "é").encode("latin-1"), "line 2: byte 0xe9 is not UTF-8"),
    "unknown element": (GOOD.replace("Al", "Qq", 1), "frame 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(tmp_path, case):
    text, message = BAD[case]
    path = put(tmp_path, text)
    with pytest.raises(UqbenchError, match=message) as caught:
        read_frames(path)
    assert str(path) in str(caught.value)


def test_named_stress_is_checked_too(tmp_path):
    """ASE leaves alone what is not called stress."""
    text = GOOD.replace("energy=", 'dft_stress="1 2 3 4 5 6 7 8 9" energy=')
    with pytest.raises(UqbenchError, match="not symmetric"):
        read_frames(put(tmp_path, text), Keys(stress="dft_stress"))
    with pytest.raises(UqbenchError, match=r'stress \("dft_stress"\) has shape \(3,\)'):
        read_frames(put(tmp_path, text.replace(" 4 5 6 7 8 9", "")), Keys(stress="dft_stress"))
    even = text.replace("1 2 3 4 5 6 7 8 9", "1 2 3 2 5 6 3 6 9")
    (frame,) = read_frames(put(tmp_path, even), Keys(stress="dft_stress"))
    assert frame.stress is not None
    assert frame.stress.tolist() == [1, 5, 9, 6, 3, 2]


def test_the_bad_frame_is_the_one_named(tmp_path):
    path = put(tmp_path, GOOD * 3 + GOOD.replace("-0.1", "inf") + GOOD)
    with pytest.raises(UqbenchError, match="frame 3: forces"):
        read_frames(path)


def test_files_that_are_not_there_or_not_ours(tmp_path):
    with pytest.raises(UqbenchError, match="no such file"):
        read_frames(tmp_path / "none.xyz")
    with pytest.raises(UqbenchError, match="unknown kind of file"):
        read_frames(put(tmp_path, GOOD, "POSCAR"))
    for name in ("bad.xyz.xz", "bad.xyz.gz", "bad.db"):
        with pytest.raises(UqbenchError, match=name):
            read_frames(put(tmp_path, b"certainly not packed" * 100, name))
    whole = lzma.compress(GOOD.encode() * 50)
    with pytest.raises(UqbenchError, match="cannot be decompressed"):
        read_frames(put(tmp_path, whole[:-20], "cut.xyz.xz"))
