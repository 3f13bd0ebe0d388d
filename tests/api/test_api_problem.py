"""From frames and rows to a regression: order, scaling, what is left out; and the reference energies."""

import dataclasses

import numpy as np
import pytest

from uqbench.api import KINDS
from uqbench.check.toy_backbone import ToyPairs
from uqbench.check.toy_data import ELEMENTS, energies_only, toy_frames
from uqbench.errors import UqbenchError
from uqbench.linear import problem as module
from uqbench.linear.problem import build_problem
from uqbench.linear.references import composition, fit_references, reference_energy

SCALES = {"energy": 0.02, "forces": 0.3, "stress": 0.005}
REFERENCES = {"Au": -3.0, "Cu": -2.0}


def problem_of(frames, references=REFERENCES):
    rows = list(ToyPairs().rows([f.atoms for f in frames], ELEMENTS))
    return build_problem(frames, rows.__getitem__, SCALES, references)


def expected(frames):
    """Every row written out in plain Python: {(kind, structure, observable): (row, label, atom)}."""
    out = {}
    for i, frame in enumerate(frames):
        rows = next(ToyPairs().rows([frame.atoms], ELEMENTS))
        n = len(frame.atoms)
        if frame.energy is not None:
            own = sum(REFERENCES[s] for s in frame.atoms.get_chemical_symbols())
            out[0, i, 0] = rows[0] / 0.02, (frame.energy - own) / n / 0.02, -1
        if frame.forces is not None:
            for a in range(n):
                for c in range(3):
                    if frame.free_forces[a, c]:
                        row = rows[1 + 3 * a + c] / 0.3
                        out[1, i, 3 * a + c] = row, frame.forces[a, c] / 0.3, a
        if frame.stress is not None:
            for v in range(6):
                if frame.free_stress[v]:
                    out[2, i, v] = rows[1 + 3 * n + v] / 0.005, frame.stress[v] / 0.005, -1
    return out


@pytest.mark.parametrize("block_bytes", [1, 3000, 1 << 22])
def test_blocks_hold_every_free_label_once_in_order(block_bytes, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", block_bytes)
    frames = toy_frames()
    wanted = expected(frames)
    blocks = list(problem_of(frames).blocks())
    assert (len(blocks) == 1) == (block_bytes == 1 << 22)
    seen = 0
    for block in blocks:
        present = sorted(k for k in wanted if k[1] in set(block.structure))
        rows, labels, atoms = zip(*(wanted[k] for k in present), strict=True)
        assert [(k[0], k[1]) for k in present] == list(zip(block.kind, block.structure, strict=True))
        np.testing.assert_allclose(block.rows, rows, rtol=1e-12)
        np.testing.assert_allclose(block.labels, labels, rtol=1e-12)
        np.testing.assert_array_equal(block.atom, atoms)
        np.testing.assert_array_equal(block.cluster, [frames[i].cluster for i in block.structure])
        seen += len(present)
    assert seen == len(wanted)


def test_counts_and_clusters_describe_the_rows():
    frames = toy_frames()
    problem = problem_of(frames)
    kinds = [k for k, _, _ in expected(frames)]
    assert problem.counts == {kind: kinds.count(i) for i, kind in enumerate(KINDS)}
    assert problem.n_features == ToyPairs().n_features(ELEMENTS)
    assert problem.clusters.tolist() == sorted({f.cluster for f in frames})
    assert dict(problem.scales) == SCALES


def test_parts_of_a_block_are_its_kinds():
    (block,) = problem_of(toy_frames()).blocks()
    for kind, part in block.parts():
        assert set(block.kind[part]) == {KINDS.index(kind)}
    assert sum(part.stop - part.start for _, part in block.parts()) == len(block.labels)


def test_a_kind_that_no_frame_has_is_absent():
    problem = problem_of(energies_only(toy_frames()))
    assert set(problem.counts) == {"energy"}
    assert [kind for block in problem.blocks() for kind, _ in block.parts()] == ["energy"]


def test_frames_without_a_label_are_passed_over(monkeypatch):
    """Also where a block holds no others."""
    monkeypatch.setattr(module, "BLOCK_BYTES", 1)
    frames = list(toy_frames())
    frames[2] = dataclasses.replace(frames[2], energy=None, forces=None, stress=None)
    structures = [set(b.structure.tolist()) for b in problem_of(frames).blocks()]
    perfect = next(i for i, f in enumerate(frames) if not f.free_forces.any())
    assert set().union(*structures) == set(range(len(frames))) - {2}
    frames[perfect] = dataclasses.replace(frames[perfect], energy=None, stress=None)
    assert all(len(b.labels) for b in problem_of(frames).blocks())


def test_every_pass_gives_the_same_rows():
    problem = problem_of(toy_frames())
    for one, other in zip(problem.blocks(), problem.blocks(), strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)


@pytest.mark.parametrize("n", [0, 3])
def test_no_labels_at_all_are_refused(n):
    bare = [dataclasses.replace(f, energy=None, forces=None, stress=None) for f in toy_frames()[:n]]
    with pytest.raises(UqbenchError, match=f"none of the {n} training frames has an energy"):
        problem_of(bare)


def test_references_are_found_again_whatever_the_structures():
    """Energies that are sums over atoms give back the atoms' energies."""
    frames = [
        dataclasses.replace(f, energy=len(f.atoms) * reference_energy(f.atoms, REFERENCES))
        for f in toy_frames()
    ]
    assert fit_references(frames, ELEMENTS) == pytest.approx(REFERENCES)


def test_references_leave_residuals_that_no_composition_explains():
    frames = toy_frames()
    found = fit_references(frames, ELEMENTS)
    shares = np.array([[composition(f.atoms).get(s, 0.0) for s in ELEMENTS] for f in frames])
    residual = [f.energy / len(f.atoms) - reference_energy(f.atoms, found) for f in frames]
    np.testing.assert_allclose(shares.T @ residual, 0.0, atol=1e-12)


def test_one_composition_gives_the_least_norm():
    frame = toy_frames()[-2]
    shares = composition(frame.atoms)
    found = fit_references([frame], ELEMENTS)
    wanted = np.linalg.pinv([[shares.get(s, 0.0) for s in ELEMENTS]])[:, 0] * frame.energy / len(frame.atoms)
    np.testing.assert_allclose([found[s] for s in ELEMENTS], wanted, atol=1e-12)


def test_references_without_energies_are_zero():
    assert fit_references([dataclasses.replace(toy_frames()[0], energy=None)], ELEMENTS) == {"Au": 0, "Cu": 0}


def test_composition_adds_up_to_one():
    shares = composition(toy_frames()[0].atoms)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert set(shares) <= set(ELEMENTS)
