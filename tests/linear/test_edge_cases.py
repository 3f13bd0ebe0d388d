"""Odd regression problems, by every linear method: finite and right, or an error that names what is wrong."""

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.api import LinearMethod
from uqbench.check.method import method_specs
from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge
from uqbench.registry import discover
from uqbench.spec import parse_spec

REGISTRY = discover()
LINEAR = sorted(name for name, cls in REGISTRY.methods.items() if issubclass(cls, LinearMethod))
SPECS = [spec for name in LINEAR for spec in method_specs(name, REGISTRY)]
MEANS_OF_THEIR_OWN = ("bootstrap", "committee_subset", "pops_reference")
"""Of a committee, or by other evidence."""
FOLDED = ("llpr", "pops_calibrated", "extrapolation_grade", "cqr")
"""They keep clusters back."""


def plain(n=160, p=5):
    rng = np.random.default_rng(8)
    rows = rng.standard_normal((n, p))
    return rows, rows @ np.arange(1.0, p + 1.0) + 0.2 * np.sin(3.0 * rows[:, 0])


def with_column(column):
    rows, labels = plain()
    return np.column_stack([rows, column(rows)]), labels


def nearly_collinear():
    rows, labels = plain()
    rows[:, 1] = rows[:, 0] + 1e-7 * rows[:, 1]
    return rows, labels


CASES = {
    "duplicate column": lambda: with_column(lambda rows: rows[:, 2]),
    "column of zeros": lambda: with_column(lambda rows: np.zeros(len(rows))),
    "constant column": lambda: with_column(lambda rows: np.full(len(rows), 7.0)),
    "nearly collinear columns": nearly_collinear,
    "more columns than rows": lambda: plain(30, 45),
    "rows of zeros": lambda: tuple(np.concatenate([part, 0.0 * part[:20]]) for part in plain()),
    "float32": lambda: tuple(part.astype(np.float32) for part in plain()),
    "wild units": lambda: (plain()[0] * np.logspace(-12, 12, 5), 1e6 * plain()[1]),
    "one row": lambda: plain(1),
    "one cluster": plain,
}


def kind_of(spec):
    return "energy" if spec == "cqr" else "forces"


def posed(case, kind):
    rows, labels = CASES[case]()
    cluster = np.zeros(len(labels), dtype=int) if case == "one cluster" else np.arange(len(labels)) // 2
    rest = {k: {kind: part} for k, part in (("rows", rows), ("labels", labels), ("cluster", cluster))}
    return dense_problem(**rest, n_blocks=1 if len(labels) == 1 else 3), rows


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("spec", SPECS)
def test_a_method_is_finite_and_right_or_says_what_is_wrong(spec, case):
    """Right: the mean is the ridge fit's; and error bars of training rows are finite and not negative."""
    kind = kind_of(spec)
    problem, rows = posed(case, kind)
    method = parse_spec(spec, REGISTRY, "methods").build(REGISTRY, "methods")
    if spec.startswith(FOLDED) and case in ("one row", "one cluster"):
        with pytest.raises(UqbenchError, match=r"1 training (clusters cannot|cluster has all|energies; at)"):
            method.fit(problem, np.random.default_rng(0))
        return
    posterior = method.fit(problem, np.random.default_rng(0))
    found = posterior.predict_rows(rows, kind)
    for name in ("mean", "std", "lower", "upper", "samples"):
        values = getattr(found, name)
        assert values is None or np.isfinite(values).all(), name
    assert found.std is None or (found.std >= 0.0).all()
    assert np.isfinite(posterior.samples(3, np.random.default_rng(1))).all()
    if not spec.startswith(MEANS_OF_THEIR_OWN) and "relevance" not in spec:
        expected = rows @ fit_ridge(problem).mean
        np.testing.assert_allclose(found.mean, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("spec", [s for s in SPECS if not s.startswith("pops_reference")])
def test_predictions_know_no_units(spec):
    """To 1e-8 at condition 1e4 of the columns as they come, to which units add 24 orders of magnitude."""
    rng = np.random.default_rng(9)
    rows = (
        rng.standard_normal((200, 5)) @ np.linalg.qr(rng.standard_normal((5, 5)))[0] * np.logspace(0, -2, 5)
    )
    rows = rows @ rng.standard_normal((5, 5))
    labels = rows @ np.arange(1.0, 6.0) + 0.1 * np.sin(3.0 * rows[:, 0])
    units, energy, kind = np.logspace(-12, 12, 5), 27.2, kind_of(spec)
    method = parse_spec(spec, REGISTRY, "methods").build(REGISTRY, "methods")

    def predicted(x, y):
        problem = dense_problem({kind: x}, {kind: y}, {kind: np.arange(200) // 2})
        return method.fit(problem, np.random.default_rng(0)).predict_rows(x, kind).mean

    ours, theirs = energy * predicted(rows, labels), predicted(rows * units, energy * labels)
    np.testing.assert_allclose(theirs, ours, rtol=1e-8, atol=1e-8 * np.abs(ours).max())
