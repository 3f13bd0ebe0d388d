"""Frames and the forces task on frames that lack labels, or periodicity."""

import dataclasses

import numpy as np
import pytest

from uqbench.api import KINDS, NotApplicable, Posterior, Prediction, Predictions, size_of
from uqbench.check.toy_data import energies_only, toy_frames
from uqbench_tasks.forces import Forces


class Numbered(Posterior):
    """Predicts 0, 1, 2 ... in the order of the observables: the table shows which were picked."""

    def predict(self, structures):
        sizes = {k: sum(size_of(k, a) for a in structures) for k in KINDS}
        return Predictions(**{k: Prediction(np.arange(float(n)), np.ones(n)) for k, n in sizes.items()})


class EnergiesOnly(Posterior):
    def predict(self, structures):
        return Predictions(energy=Prediction(np.zeros(len(structures)), np.ones(len(structures))))


@pytest.mark.parametrize("frame", toy_frames(), ids=lambda f: f.source)
def test_labels_have_the_size_and_the_mask_of_their_kind(frame):
    for kind in KINDS:
        labels = frame.labels(kind)
        if labels is not None:
            assert labels.shape == frame.free(kind).shape == (size_of(kind, frame.atoms),)


def test_energy_labels_are_per_atom_and_forces_atom_by_atom():
    frame = toy_frames()[0]
    assert frame.labels("energy") == pytest.approx([frame.energy / len(frame.atoms)])
    np.testing.assert_array_equal(frame.labels("forces")[3:6], frame.forces[1])
    assert dataclasses.replace(frame, energy=None).labels("energy") is None


def test_stress_has_size_only_with_three_periodic_directions():
    sizes = {tuple(f.atoms.pbc): size_of("stress", f.atoms) for f in toy_frames()}
    assert sizes == {(True,) * 3: 6, (False,) * 3: 0, (True, True, False): 0}


def test_tables_pick_each_label_once_and_at_its_place():
    """Against a plain count over the frames, kind by kind."""
    frames = toy_frames()
    tables = Forces().evaluate(Numbered(), frames)
    for kind in KINDS:
        at, structure, reference, scored = [], [], [], []
        start = 0
        for i, frame in enumerate(frames):
            for c in range(size_of(kind, frame.atoms)):
                if frame.labels(kind) is not None:
                    at.append(start + c)
                    structure.append(i)
                    reference.append(frame.labels(kind)[c])
                    scored.append(frame.free(kind)[c])
            start += size_of(kind, frame.atoms)
        table = tables[kind]
        np.testing.assert_array_equal(table.prediction.mean, at)
        np.testing.assert_array_equal(table.structure, structure)
        np.testing.assert_array_equal(table.reference, reference)
        np.testing.assert_array_equal(table.scored, scored)
    assert len(tables["forces"].scored) > tables["forces"].scored.sum()


def test_kinds_without_labels_or_predictions_have_no_table():
    assert set(Forces().evaluate(Numbered(), energies_only(toy_frames()))) == {"energy"}
    assert set(Forces().evaluate(EnergiesOnly(), toy_frames())) == {"energy"}


def test_nothing_in_common_is_not_applicable():
    frames = [dataclasses.replace(f, energy=None) for f in toy_frames()]
    with pytest.raises(NotApplicable, match="no frame has a label of a kind that the method predicts"):
        Forces().evaluate(EnergiesOnly(), frames)
