"""Does noise cry wolf, and is a change seen? Simulated comparisons whose truth is known, at the level of 1 %."""

import numpy as np
import pytest
from simulated import OVER, RATIO, Effect, alarmed, alarms, caught, simulate

from uqbench.compare.accuracy import COVERAGE, WIDTH
from uqbench.compare.benchmarks import Benchmarks
from uqbench.compare.comparison import compare_files


def test_five_hundred_comparisons_of_like_with_like_rarely_find_anything():
    found = simulate(500, 60, Effect(), np.random.default_rng(1))
    assert alarms(found) <= 0.03, alarmed(found)


def test_wider_bounds_and_a_slowdown_are_caught():
    found = simulate(200, 60, Effect(widened=1.2, slowed=1.5), np.random.default_rng(2))
    assert caught(found, WIDTH) >= 0.95
    assert caught(found, RATIO) >= 0.95


def test_narrower_bounds_of_a_method_that_covered_too_much_are_caught_once_they_miss():
    """From 98 % to 87 % of 95 % claimed: the part above the claim must not hide the part below it."""
    found = simulate(100, 60, Effect(widened=0.6, cell=OVER), np.random.default_rng(7))
    assert caught(found, COVERAGE, OVER) >= 0.95


def test_files_of_benchmarks_cry_wolf_rarely_and_tell_one_slowdown():
    """Eight benchmarks on a machine whose pace is steady, whose processes scatter by 5 % with heavy tails."""
    rng = np.random.default_rng(8)
    verdicts = {slowed: [_verdict(slowed, rng) for _ in range(300)] for slowed in (1.0, 1.5, 2.0)}
    assert verdicts[1.0].count(1) <= 0.03 * 300
    assert verdicts[1.5].count(1) >= 0.8 * 300
    assert verdicts[2.0].count(1) >= 0.95 * 300


def _verdict(slowed: float, rng) -> int:
    sides = []
    for factor in (1.0, slowed):
        pace = np.exp(0.05 * rng.standard_normal())
        median = pace * np.exp(0.05 * rng.standard_t(4, 8) / np.sqrt(2.0))
        median[0] *= factor
        stats = [{"median": m, "q1": 0.97 * m, "q3": 1.04 * m, "rounds": 9} for m in median]
        sides.append(Benchmarks("one", {str(k): {"stats": s} for k, s in enumerate(stats)}))
    return compare_files(*sides).exit_code


@pytest.mark.slow
@pytest.mark.parametrize(("n_clusters", "least"), [(12, 0.6), (30, 0.9), (200, 0.99)])
def test_other_numbers_of_clusters(n_clusters, least):
    """With a dozen clusters of unequal weight no test of a few points can be both honest and sure."""
    assert alarms(simulate(500, n_clusters, Effect(), np.random.default_rng(3))) <= 0.03
    found = simulate(200, n_clusters, Effect(widened=1.2), np.random.default_rng(4))
    assert caught(found, WIDTH) >= least
