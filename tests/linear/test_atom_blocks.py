"""Corrections of whole atoms: what they reproduce, what rotations change, what trimming leaves."""

import numpy as np
import pytest
from atomic_problem import atomic_problem, stacked
from dense_problems import dense_problem
from scipy.optimize import minimize

from uqbench.errors import UqbenchError
from uqbench.linear.atom_blocks import AtomBlockCorrections
from uqbench.linear.evidence import fit_ridge
from uqbench_methods.pops_hull import PopsHull

NO_FLOOR = {"energy": 1e-30, "forces": 1e-30}
NO_TRIM = {"energy": np.inf, "forces": np.inf}


def unfloored(problem):
    ridge = fit_ridge(problem)
    n = problem.counts["energy"] + problem.counts["forces"] // 3
    return AtomBlockCorrections(problem, ridge, NO_FLOOR, NO_TRIM, n)


def changes(corrections):
    """All Δθ, (n, P)."""
    return np.concatenate(list(corrections.whitened())) @ corrections.ridge.whitener.T


def owners(problem):
    """Row numbers (in the order of stacked) of each atom and of each energy."""
    rows = stacked(problem)
    keys = np.stack([rows.structure, rows.atom], axis=1)
    return [np.flatnonzero((keys == key).all(axis=1)) for key in np.unique(keys, axis=0)]


def test_without_a_floor_every_atom_and_every_energy_is_reproduced_by_a_correction():
    problem = atomic_problem()
    corrections = unfloored(problem)
    rows = stacked(problem)
    fitted = rows.rows @ (corrections.ridge.mean + changes(corrections)).T
    groups = owners(problem)
    assert len(groups) == len(corrections) == fitted.shape[1]
    used = set()
    for group in groups:
        missed = np.abs(fitted[group] - rows.labels[group][:, None]).max(axis=0)
        assert missed.min() < 1e-9
        used.add(int(missed.argmin()))
    assert len(used) == len(groups)


def test_a_correction_is_the_cheapest_that_reproduces_all_three_components():
    """Against a numerical minimisation of Δθᵀ S⁻¹ Δθ under the three constraints."""
    problem = atomic_problem(n_structures=6, p=5)
    corrections = unfloored(problem)
    rows = stacked(problem)
    group = next(g for g in owners(problem) if len(g) == 3)
    x, e = rows.rows[group], rows.labels[group] - rows.rows[group] @ corrections.ridge.mean
    every = changes(corrections)
    ours = every[np.abs(every @ x.T - e).max(axis=1).argmin()]
    precision = np.linalg.inv(corrections.ridge.whitener @ corrections.ridge.whitener.T)
    precision /= np.trace(precision)
    best = minimize(
        lambda d: d @ precision @ d,
        np.linalg.lstsq(x, e, rcond=None)[0],
        jac=lambda d: 2 * precision @ d,
        constraints={"type": "eq", "fun": lambda d: x @ d - e, "jac": lambda d: x},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert ours @ precision @ ours == pytest.approx(best.fun, rel=1e-6)
    np.testing.assert_allclose(ours, best.x, atol=1e-4 * np.abs(ours).max())


def test_the_floor_is_added_to_the_leverage_of_the_atom():
    """Δθ = S Xᵀ (X S Xᵀ + εI)⁻¹ e, straight from the dense formula, and the cost it is trimmed by."""
    problem = atomic_problem(n_structures=7)
    corrections = AtomBlockCorrections.of(problem, fit_ridge(problem), trim=0.8)
    ridge = corrections.ridge
    covariance, rows = ridge.whitener @ ridge.whitener.T, stacked(problem)
    leverage = np.einsum("np,pq,nq->n", rows.rows, covariance, rows.rows)
    expected, costs = [], []
    for group in owners(problem):
        kind = "energy" if len(group) == 1 else "forces"
        x, e = rows.rows[group], rows.labels[group] - rows.rows[group] @ ridge.mean
        floor = 1e-4 * leverage[rows.kind == rows.kind[group[0]]].mean()
        solved = np.linalg.solve(x @ covariance @ x.T + floor * np.eye(len(group)), e)
        expected.append(covariance @ x.T @ solved)
        costs.append((kind, e @ solved))
    kept = []
    for kind in ("energy", "forces"):
        mine = np.array([c for k, c in costs if k == kind])
        most = np.quantile(mine, 0.8)
        kept += [d for d, (k, c) in zip(expected, costs, strict=True) if k == kind and c <= most]
    found = changes(corrections)
    assert len(found) == len(kept) == len(corrections)
    for change in kept:
        assert np.abs(found - change).max(axis=1).min() < 1e-9 * np.abs(found).max()
    w = np.concatenate(list(corrections.whitened()))
    np.testing.assert_allclose(corrections.moment, w.T @ w, rtol=1e-12)


def test_turning_the_axes_of_an_atom_changes_nothing():
    """Each atom's three rows and labels turned by its own random rotation: same fit, costs and corrections."""
    turns = np.linalg.qr(np.random.default_rng(4).standard_normal((40, 5, 3, 3)))[0]

    def turn(rows, labels, structure):
        rows[:] = turns[structure] @ rows
        labels[:] = (turns[structure] @ labels[..., None])[..., 0]

    plain, turned = (atomic_problem(change=c) for c in (None, turn))
    a, b = (PopsHull().fit(p, np.random.default_rng(0)) for p in (plain, turned))
    test = np.random.default_rng(5).standard_normal((60, 8))
    np.testing.assert_allclose(changes(a.corrections), changes(b.corrections), atol=1e-9)
    for field in ("mean", "std", "lower", "upper"):
        found = (getattr(h.predict_rows(test, "forces"), field) for h in (a, b))
        np.testing.assert_allclose(*found, rtol=1e-8, atol=1e-10)


def test_atoms_with_fewer_free_components_have_blocks_of_their_own_size():
    """Symmetry leaves some atoms one or two rows; these are reproduced too, and no atoms are merged."""

    def drop(rows, labels, structure):
        mask = np.ones(labels.shape, dtype=bool)
        mask[0, 1:] = False
        mask[1] = False
        mask[2, 0] = structure % 2 == 0
        return mask

    problem = atomic_problem(n_structures=12, change=drop)
    corrections = unfloored(problem)
    rows, every = stacked(problem), changes(corrections)
    groups = owners(problem)
    assert {len(g) for g in groups} == {1, 2, 3}
    assert len(every) == len(groups)
    for group in groups:
        missed = rows.rows[group] @ every.T + (rows.rows[group] @ corrections.ridge.mean)[:, None]
        assert np.abs(missed - rows.labels[group][:, None]).max(axis=0).min() < 1e-9


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.99, 1.0])
def test_trimming_keeps_the_stated_share_of_each_kind(keep):
    problem = atomic_problem(n_structures=100)
    hull = PopsHull(keep=keep).fit(problem, np.random.default_rng(0))
    n = problem.counts["energy"] + problem.counts["forces"] // 3
    assert abs(len(hull.corrections) - keep * n) <= 2
    assert sum(len(w) for w in hull.corrections.whitened()) == len(hull.corrections)
    assert hull.predict_rows(np.eye(8), "forces").nominal == keep


def test_kinds_that_corrections_cannot_use():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 3))
    labels = rows @ np.ones(3) + rows[:, 0] ** 2
    with pytest.raises(UqbenchError, match="only stresses"):
        PopsHull().fit(dense_problem({"stress": rows}, {"stress": labels}), rng)
    dead = dense_problem({"energy": 0 * rows, "forces": rows}, {"energy": labels, "forces": labels})
    hull = PopsHull(keep=1.0).fit(dead, rng)
    assert len(hull.corrections) == 40
    assert np.isfinite(hull.predict_rows(rows, "energy").upper).all()
