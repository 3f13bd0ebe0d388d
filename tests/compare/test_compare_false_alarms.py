"""Does noise cry wolf, and is a change seen? Simulated comparisons whose truth is known, at the level of 1 %."""

import numpy as np
import pytest
from simulated import RATIO, Effect, alarmed, alarms, caught, simulate

from uqbench.compare.accuracy import WIDTH


def test_five_hundred_comparisons_of_like_with_like_rarely_find_anything():
    found = simulate(500, 60, Effect(), np.random.default_rng(1))
    assert alarms(found) <= 0.03, alarmed(found)


def test_wider_bounds_and_a_slowdown_are_caught():
    found = simulate(200, 60, Effect(widened=1.2, slowed=1.5), np.random.default_rng(2))
    assert caught(found, WIDTH) >= 0.95
    assert caught(found, RATIO) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("n_clusters", "least"), [(12, 0.6), (30, 0.9), (200, 0.99)])
def test_other_numbers_of_clusters(n_clusters, least):
    """With a dozen clusters of unequal weight no test of a few points can be both honest and sure."""
    assert alarms(simulate(500, n_clusters, Effect(), np.random.default_rng(3))) <= 0.03
    found = simulate(200, n_clusters, Effect(widened=1.2), np.random.default_rng(4))
    assert caught(found, WIDTH) >= least
