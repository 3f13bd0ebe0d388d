"""Paired changes against Student's test, closed forms, and the bootstrap's known failures."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from uqbench.compare import accuracy, paired
from uqbench.compare.findings import judge
from uqbench.compare.paired import Paired, paired_changes
from uqbench.errors import UqbenchError

TOLERANCE = math.log(1.05)


def test_without_luck_and_with_equal_clusters_it_is_students_paired_test(monkeypatch):
    """The p-value of a mean difference: ln(after/before) is linear for small changes."""
    monkeypatch.setattr(paired, "LUCK", 1e-9)
    rng = np.random.default_rng(0)
    for shift in (0.001, 0.002, 0.004):
        before = np.full(50, 10.0) + 1e-2 * rng.standard_normal(50)
        after = before + 10.0 * shift * (0.5 + rng.standard_normal(50))
        (found,) = paired_changes([Paired(before, after, np.full(50, 5.0), TOLERANCE)])
        expected = ttest_rel(after, before).pvalue
        assert found.p_value == pytest.approx(expected, rel=0.25, abs=2e-3)
        assert found.value == pytest.approx(np.log(after.sum() / before.sum()), rel=1e-12)
        half = 2.68 * np.std(after - before, ddof=1) / math.sqrt(50) / before.mean()
        assert found.high - found.low == pytest.approx(2 * half, rel=0.15)


def test_every_width_times_a_factor_is_that_factor_with_no_doubt():
    before = np.exp(np.random.default_rng(0).standard_normal(40))
    (found,) = paired_changes([Paired(before, 1.2 * before, np.ones(40), TOLERANCE)])
    assert (found.value, found.low, found.high) == pytest.approx((math.log(1.2),) * 3)
    assert found.p_value < 1e-9


def test_nothing_changed_is_certain():
    sums = np.arange(1.0, 21.0)
    (found,) = paired_changes([Paired(sums, sums, np.ones(20), TOLERANCE)])
    assert (found.value, found.p_value) == (0.0, 1.0)


def test_swapping_before_and_after_flips_the_sign():
    rng = np.random.default_rng(2)
    a, b = np.exp(0.3 * rng.standard_normal((2, 30)))
    forth, back = paired_changes([Paired(x, y, np.ones(30), TOLERANCE) for x, y in ((a, b), (b, a))])
    assert (back.value, back.low, back.high, back.p_value) == pytest.approx(
        (-forth.value, -forth.high, -forth.low, forth.p_value)
    )


def test_ten_clusters_that_agree_in_sign_are_not_proof():
    """No resample of them lies beyond zero, yet by chance it happens once in 512 times."""
    rng = np.random.default_rng(3)
    before = np.ones(10)
    after = 1.0 + np.abs(0.1 * rng.standard_normal(10)) + 1e-3
    (found,) = paired_changes([Paired(before, after, np.ones(10), TOLERANCE)])
    assert found.low > 0.0
    assert found.p_value > 1e-3


def test_one_heavy_cluster_leaves_few_degrees_of_freedom():
    """Forty clusters of which one carries nearly all: its change is one observation."""
    before = np.ones(40)
    before[0] = 4000.0
    after = before * np.exp(0.02 * np.random.default_rng(4).standard_normal(40))
    after[0] = 1.1 * before[0]
    heavy = Paired(before, after, np.ones(40), TOLERANCE)
    assert heavy.error()[1] < 2.0
    equal = Paired(np.ones(40), after / before, np.ones(40), TOLERANCE)
    assert equal.error()[1] > 30.0


def test_the_coverage_lost_is_tested_whole_and_counted_below_the_claim():
    """95 % claimed: lost from above the claim to below it, above it, below it; and gained below it."""
    counts = np.full(100, 20.0)
    shares = [(0.99, 0.91), (0.99, 0.95), (0.95, 0.85), (0.85, 0.99)]
    tests = [Paired(counts * was, counts * now, counts, 0.02, 0.95) for was, now in shares]
    changes = accuracy.tests_of([accuracy.Asked("cell", accuracy.COVERAGE, "%", test) for test in tests])
    assert [c.change for c in changes] == pytest.approx([0.08, 0.04, 0.10, -0.14])
    assert [c.counted for c in changes] == pytest.approx([0.04, 0.0, 0.10, -0.10])
    assert [j.counts for j in judge(changes, 0.005)] == [True, False, True, True]


def test_p_values_are_uniform_under_no_change(monkeypatch):
    monkeypatch.setattr(paired, "LUCK", 1e-9)
    rng = np.random.default_rng(5)
    tests = [
        Paired(*(np.exp(0.05 * rng.standard_normal((2, 60)))), np.ones(60), TOLERANCE) for _ in range(1000)
    ]
    p = np.array([f.p_value for f in paired_changes(tests)])
    for level in (0.01, 0.05, 0.2):
        assert np.mean(p <= level) == pytest.approx(level, abs=3.5 * math.sqrt(level / 1000))


def test_cells_are_tested_as_if_each_were_alone(monkeypatch):
    """Blocks of tests and of resamples are a matter of memory, not of results."""
    rng = np.random.default_rng(6)
    tests = [Paired(*np.exp(rng.standard_normal((2, n))), np.ones(n), TOLERANCE) for n in (12, 30, 12)]
    together = paired_changes(tests)
    monkeypatch.setattr(paired, "TESTS_AT_ONCE", 1)
    assert paired_changes(tests) == together
    assert [paired_changes([t])[0] for t in tests] == together


def test_too_few_clusters_are_refused():
    with pytest.raises(UqbenchError, match="9 clusters"):
        paired_changes([Paired(np.ones(9), np.ones(9), np.ones(9), TOLERANCE)])


@pytest.mark.parametrize("kept", [0.0, 0.02])
def test_a_coverage_that_falls_to_nothing_is_as_certain_as_one_that_nearly_does(kept):
    """A standard deviation in the wrong unit covers not a single label."""
    rng = np.random.default_rng(0)
    counts = rng.integers(5, 30, size=60).astype(float)
    before = rng.binomial(counts.astype(int), 0.8).astype(float)
    lost, back = paired_changes(
        [
            Paired(before, kept * before, counts, 0.02, claim=0.95),
            Paired(kept * before, before, counts, 0.02, claim=0.95),
        ]
    )
    assert lost.value == pytest.approx(-back.value)
    assert max(lost.p_value, back.p_value) < 1e-9
