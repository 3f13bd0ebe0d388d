"""What pw.x is told, read back by ASE, and what it says, in the format of a real run."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import fcc111
from ase.io import read
from ase.io.espresso import read_fortran_namelist
from dft_parts import SETTINGS, SPECIES, output_for, silicon, xml_of

from tools.dft.calculation import Calculation
from tools.dft.pseudopotential import read_psp8, species_of, write_upf
from tools.dft.pwscf import Pwscf
from tools.dft.pwscf_input import GENTLER, input_text
from tools.dft.pwscf_output import CalculationFailed, Step, read_output
from tools.dft.settings import denser, mesh_of
from uqbench.errors import UqbenchError


def test_ase_reads_the_same_structure_and_settings(tmp_path):
    calculation = silicon(shift=0.1234567, relax=1e-3)
    path = tmp_path / "pw.in"
    path.write_text(input_text(calculation))
    atoms = read(path, format="espresso-in")
    np.testing.assert_allclose(atoms.positions, calculation.atoms.positions, atol=1e-9)
    np.testing.assert_allclose(atoms.cell.array, calculation.atoms.cell.array, atol=1e-9)
    with path.open() as file:
        data, cards = read_fortran_namelist(file)
    system, electrons = data["system"], data["electrons"]
    assert (system["ecutwfc"], system["ecutrho"], system["degauss"], system["smearing"]) == (
        12,
        48,
        0.02,
        "mv",
    )
    # Eight electrons fill four bands; a quarter more, and two.
    assert system["nbnd"] == 7
    assert electrons["conv_thr"] == pytest.approx(2e-9)
    assert data["control"]["calculation"] == "relax"
    # eV/Å in Ry/bohr.
    assert data["control"]["forc_conv_thr"] == pytest.approx(1e-3 / 25.711, rel=1e-4)
    assert "2 2 2 1 1 1" in " ".join(cards)


def test_no_points_are_added_for_symmetries_of_the_lattice_alone():
    """Displaced atoms in a cubic cell: half the mesh, for k and -k, is all there is to compute."""
    assert "nosym" not in input_text(silicon())
    assert "nosym" not in input_text(silicon(shift=0.02))
    atoms = silicon().atoms.repeat(2)
    atoms.rattle(0.01, seed=1)
    uneven = replace(silicon(), atoms=atoms)
    assert " nosym=.true." in input_text(uneven).splitlines()


def test_labels_are_of_what_is_written():
    """Coordinates are rounded before anything is computed, and the rounding is what the hash is of."""
    exact, noisy = silicon(shift=0.1), silicon(shift=0.1 + 1e-9)
    assert exact.inputs == noisy.inputs
    np.testing.assert_array_equal(exact.atoms.positions, noisy.atoms.positions)
    assert silicon(shift=0.1001).inputs != exact.inputs
    assert exact.with_settings("b", cutoff=13.0).inputs != exact.inputs
    assert exact.with_settings("b").inputs == exact.inputs
    assert input_text(exact, GENTLER[1]) != input_text(exact)


def test_mesh_is_fine_enough_and_one_point_across_vacuum():
    slab = fcc111("Al", (1, 1, 4), a=4.05, vacuum=5.0, periodic=True)
    along_x, along_y, along_z = mesh_of(slab, 0.24)
    assert along_z == 1
    lengths = np.linalg.norm(2 * np.pi * slab.cell.reciprocal().array, axis=1)
    for n, length in ((along_x, lengths[0]), (along_y, lengths[1])):
        assert length / n <= 0.24 < length / (n - 1)
    assert denser((4, 4, 1), 2) == (6, 6, 1)
    lines = input_text(Calculation("slab", "slab", slab, SPECIES, SETTINGS, (4, 4, 1))).splitlines()
    assert lines[-1].split() == ["4", "4", "1", "1", "1", "0"]


def test_output_is_read_in_our_units_and_signs(tmp_path):
    calculation = silicon(shift=0.1)
    expected = output_for(calculation)
    path = tmp_path / "c.xml"
    path.write_text(xml_of(expected))
    found = read_output(path)
    for name in ("cell", "positions", "forces", "stress"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12, atol=1e-14)
    assert (found.energy, found.minus_ts, found.accuracy) == pytest.approx((-230.0, -0.01, 1e-9))
    assert (found.iterations, found.kpoints, found.bands, found.seconds) == (6, 10, 7, 1.5)


def test_a_relaxation_keeps_its_path(tmp_path):
    calculation = silicon(relax=1e-3)
    start = Step(calculation.atoms.positions + 0.1, -229.0, np.ones((2, 3)))
    expected = output_for(calculation)
    path = tmp_path / "c.xml"
    path.write_text(xml_of(type(expected)(**{**vars(expected), "steps": (start,)}), relaxed=True))
    (found,) = read_output(path).steps
    np.testing.assert_allclose(found.positions, start.positions, rtol=1e-12)
    np.testing.assert_allclose(found.forces, start.forces, rtol=1e-12)
    assert found.energy == pytest.approx(-229.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"converged": False}, "self-consistent"),
        ({"relaxed": False}, "relaxation did not converge"),
        ({"with_stress": False}, "<stress> is not there"),
    ],
)
def test_what_is_not_converged_or_missing_is_a_failure(tmp_path, change, words):
    path = tmp_path / "c.xml"
    path.write_text(xml_of(output_for(silicon()), **change))
    with pytest.raises(CalculationFailed, match=words):
        read_output(path)


def test_a_file_that_stops_half_way_is_a_failure(tmp_path):
    path = tmp_path / "c.xml"
    text = xml_of(output_for(silicon()))
    for content in (text[: len(text) // 2], ""):
        path.write_text(content)
        with pytest.raises(CalculationFailed, match="early"):
            read_output(path)
    path.unlink()
    with pytest.raises(CalculationFailed, match="missing"):
        read_output(path)


def fake_pw(folder, script):
    path = folder / "pw.x"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Pwscf(str(path), folder, "fake")


def test_what_does_not_converge_is_tried_again_more_gently(tmp_path):
    """A stand-in for pw.x that wants a small mixing: its second input has it."""
    output = output_for(silicon())
    (tmp_path / "good.xml").write_text(xml_of(output))
    (tmp_path / "bad.xml").write_text(xml_of(output, converged=False))
    script = (
        f"if grep -q mixing_beta=0.3 pw.in; then cp {tmp_path}/good.xml $ESPRESSO_TMPDIR/c.xml; "
        f"else cp {tmp_path}/bad.xml $ESPRESSO_TMPDIR/c.xml; fi; test -d $ESPRESSO_PSEUDO"
    )
    record = fake_pw(tmp_path, script).compute(silicon())
    assert (record.attempts, record.status, record.energy) == (2, "ok", pytest.approx(-230.0))
    with pytest.raises(CalculationFailed, match=r"si_x.*Error in routine cdiaghg"):
        fake_pw(tmp_path, "echo '  Error in routine cdiaghg (1):'; echo '  no'").compute(silicon())


def test_a_killed_run_is_no_failure(tmp_path):
    """Its record would stop the structure from ever being computed."""
    with pytest.raises(UqbenchError, match="signal 9") as caught:
        fake_pw(tmp_path, "kill -9 $$").compute(silicon())
    assert not isinstance(caught.value, CalculationFailed)


def test_pseudopotential_changes_units_and_nothing_else(tmp_path):
    """A made-up psp8 file with one s and one p projector, local part last; read back from the UPF by tag."""
    n = 101
    r = 0.02 * np.arange(n)
    beta_s, beta_p, local = r * np.exp(-r), r**2 * np.exp(-2 * r), -np.exp(-r)
    valence, core = 4 * np.pi * np.exp(-r), 4 * np.pi * np.exp(-5 * r)
    source = tmp_path / "X.psp8"
    source.write_text(_psp8(r, beta_s, beta_p, local, core, valence, functional=11))
    read_in = read_psp8(source)
    write_upf(read_in, tmp_path / "X.upf")
    text = (tmp_path / "X.upf").read_text()
    np.testing.assert_allclose(_tag(text, "PP_LOCAL"), 2 * local)
    np.testing.assert_allclose(_tag(text, "PP_BETA.1"), beta_s)
    np.testing.assert_allclose(_tag(text, "PP_BETA.2"), beta_p)
    np.testing.assert_allclose(_tag(text, "PP_DIJ"), [2 * 5.0, 0, 0, 2 * 0.25])
    np.testing.assert_allclose(_tag(text, "PP_NLCC"), np.exp(-5 * r))
    assert np.trapezoid(_tag(text, "PP_RHOATOM"), r) == pytest.approx(4.0)
    assert species_of(read_in, 28.0).electrons == 4
    source.write_text(_psp8(r, beta_s, beta_p, local, core, valence, functional=7))
    with pytest.raises(UqbenchError, match="pspxc 7"):
        read_psp8(source)


def _psp8(r, beta_s, beta_p, local, core, valence, functional):
    def block(*columns):
        return "".join(
            " ".join([str(i), f"{x:.16E}".replace("E", "D"), *(f"{c[i]:.16E}" for c in columns)]) + "\n"
            for i, x in enumerate(r)
        )

    return (
        "X made up\n14.0 4.0 200101 zatom,zion,pspd\n"
        f"8 {functional} 1 4 {len(r)} 0 pspcod,pspxc,lmax,lloc,mmax,r2well\n"
        "2.0 4.0 0.0 rchrg fchrg qchrg\n1 1 0 0 0 nproj\n1 1 extension_switch\n"
        f"0 5.0D+00\n{block(beta_s)}1 2.5D-01\n{block(beta_p)}4\n{block(local)}"
        f"{block(core)}{block(valence)}"
    )


def _tag(text, name):
    inside = text.split(f"<{name} ", 1)[1].split(">", 1)[1].split(f"</{name}>", 1)[0]
    return np.array([float(word) for word in inside.split()])
