"""Splits: what must hold for any data and seed, and what must be refused."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from uqbench.api import Frame
from uqbench.data.dataset import Dataset
from uqbench.data.split import make_split
from uqbench.errors import UqbenchError


@dataclass(frozen=True)
class HoldOut:
    """The one field of a card that a split reads."""

    held_out: tuple[str, ...]


def dataset(types, clusters, symbols=None, held_out=(), test=()):
    frames = []
    for i, (kind, cluster) in enumerate(zip(types, clusters, strict=True)):
        atoms = Atoms(symbols[i] if symbols else "Cu")
        masks = np.ones((1, 3), bool), np.ones(6, bool)
        frames.append(Frame(atoms, 0.0, None, None, kind, int(cluster), *masks, f"f.xyz, frame {i}"))
    card = HoldOut(tuple(held_out)) if held_out else None
    elements = tuple(sorted(set(symbols or ["Cu"])))
    return Dataset("d", elements, tuple(frames), card, "", (), tuple(test))  # pyright: ignore[reportArgumentType]


def random_dataset(seed, n, held_out=()):
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, n // 2, n)
    kind_of = rng.choice(["bulk", "surface", "liquid"], n, p=[0.6, 0.3, 0.1])
    kind_of[clusters[:3]] = ["bulk", "surface", "liquid"]
    return dataset([str(kind_of[c]) for c in clusters], clusters, held_out=held_out)


def clusters_of(data, index):
    return {data.frames[i].cluster for i in index}


def clusters_by_type(data, index):
    return Counter({data.frames[i].cluster: data.frames[i].config_type for i in index}.values())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(80, 900), st.booleans())
def test_no_cluster_is_split_and_every_frame_is_predicted_once(seed, n, hold):
    data = random_dataset(seed, n, ("liquid",) if hold else ())
    split = make_split(data, seed=seed)
    assert split.scheme == ("holdout" if n >= 500 else "3-fold")
    tested = Counter()
    for fold in split.folds:
        parts = [fold.train, fold.calibration, fold.test, fold.held_out]
        groups = [clusters_of(data, part) for part in parts]
        for a in range(4):
            for b in range(a):
                assert not groups[a] & groups[b]
        for part in parts[:3]:
            assert all(data.frames[i].config_type != "liquid" for i in part) or not hold
        tested.update(fold.test.tolist())
        tested.update(fold.held_out.tolist())
        assert sum(map(len, parts[:3])) == n - (hold and sum(f.config_type == "liquid" for f in data.frames))
    assert set(tested.values()) == {1}
    if split.scheme == "3-fold":
        assert len(tested) == n


@pytest.mark.parametrize(("trajectories", "length"), [(4, 15), (3, 7), (10, 60), (3, 200)])
def test_trajectories_of_a_type_each_reach_every_part_whole(trajectories, length):
    """Stratified, each would go to the largest part."""
    cluster = np.repeat(np.arange(trajectories), length)
    data = dataset([f"traj_{c}" for c in cluster], cluster)
    splits = [make_split(data, seed) for seed in range(5)]
    assert len({split.hash for split in splits}) > 1
    assert splits[0].hash == make_split(data, 0).hash
    for fold in [fold for split in splits for fold in split.folds]:
        parts = [clusters_of(data, part) for part in (fold.train, fold.calibration, fold.test)]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts)) == trajectories
        if (trajectories, length) == (10, 60):
            assert [len(part) for part in parts] == [6, 2, 2]


def test_two_trajectories_are_too_few():
    with pytest.raises(UqbenchError, match=r"part of the 3-fold split is empty .* in 2 clusters"):
        make_split(dataset(["a"] * 9 + ["b"] * 9, [0] * 9 + [1] * 9))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_shares_hold_for_every_type(seed):
    data = random_dataset(seed, 800)
    (fold,) = make_split(data, seed=seed).folds
    for kind in ("bulk", "surface", "liquid"):
        n = sum(f.config_type == kind for f in data.frames)
        for part, share in ((fold.train, 0.6), (fold.calibration, 0.2), (fold.test, 0.2)):
            here = sum(data.frames[i].config_type == kind for i in part)
            # No cluster has more than a dozen frames, so no part is further off than that.
            assert abs(here - share * n) <= 12


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_smaller_training_sets_are_within_larger_ones(seed):
    data = random_dataset(seed, 600)
    folds = [make_split(data, seed=3, train_size=share).folds[0] for share in (0.1, 0.3, 1.0)]
    for small, large in pairwise(folds):
        assert set(small.train) < set(large.train)
        np.testing.assert_array_equal(small.test, large.test)
        np.testing.assert_array_equal(small.calibration, large.calibration)
    assert len(folds[0].train) == pytest.approx(0.1 * len(folds[2].train), abs=12)
    # The same share of the clusters of every type, to the nearest cluster.
    kept, whole = [clusters_by_type(data, fold.train) for fold in folds[1:]]
    shares = {kind: kept[kind] / n for kind, n in whole.items()}
    for kind, n in whole.items():
        assert all(abs(shares[kind] - shares[other]) <= 1 / n + 1 / whole[other] for other in whole)


def test_hash_is_of_the_membership():
    data = random_dataset(0, 300)
    assert make_split(data, seed=1).hash == make_split(data, seed=1).hash
    hashes = {make_split(data, seed=s, train_size=t).hash for s in (1, 2) for t in (0.5, 1.0)}
    assert len(hashes) == 4
    assert all(len(h) == 64 for h in hashes)


def test_given_test_set_is_kept_and_its_clusters_leave_train():
    n = 60
    clusters = [*range(n), 0, 1, *range(n, n + 8)]
    data = dataset(["all"] * (n + 10), clusters, test=range(n, n + 10))
    split = make_split(data)
    assert split.scheme == "given test"
    (fold,) = split.folds
    assert fold.test.tolist() == list(range(n, n + 10))
    assert not {0, 1} & {*fold.train.tolist(), *fold.calibration.tolist()}
    assert len(fold.train) + len(fold.calibration) == n - 2


def test_what_shares_a_cluster_with_a_held_out_frame_is_neither_trained_on_nor_scored():
    """Frame 5, bulk, has a slab for a near-duplicate: learning from it would leak, and it is no slab itself."""
    data = dataset(["bulk"] * 60 + ["slab"] * 3, [*range(60), 60, 61, 5], held_out=("slab",))
    folds = make_split(data).folds
    assert sorted(np.concatenate([fold.held_out for fold in folds]).tolist()) == [60, 61, 62]
    used = [index for fold in folds for index in (*fold.train, *fold.calibration, *fold.test)]
    assert 5 not in used
    assert set(range(5)) <= set(used)


def test_a_small_type_is_tested_too():
    """Three clusters of a type: one in each fold's test."""
    data = dataset(["bulk"] * 90 + ["rare"] * 3, range(93))
    for fold in make_split(data).folds:
        assert sum(data.frames[i].config_type == "rare" for i in fold.test) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_size": 0.0}, "train_size is 0"),
        ({"train_size": 1.5}, "train_size is 1.5"),
        ({"held_out": ["plasma"]}, '"plasma"; there are bulk'),
        ({"held_out": ["bulk"]}, "part of the 3-fold split is empty"),
        ({"n_folds": 1}, "n_folds is 1"),
    ],
)
def test_bad_requests(change, message):
    with pytest.raises(UqbenchError, match=message):
        make_split(dataset(["bulk"] * 30, range(30)), **change)


def test_empty_parts_and_lonely_elements_are_refused():
    with pytest.raises(UqbenchError, match=r"split is empty \(30 frames in 1 clusters"):
        make_split(dataset(["bulk"] * 30, [0] * 30))
    symbols = ["Cu"] * 29 + ["Au"]
    with pytest.raises(
        UqbenchError, match=r"f\.xyz, frame 29: Au is in the test part and has no example in train"
    ):
        make_split(dataset(["bulk"] * 30, range(30), symbols))
    with pytest.raises(UqbenchError, match="Au is in the held_out part"):
        make_split(dataset(["bulk"] * 29 + ["slab"], range(30), symbols, held_out=("slab",)))
