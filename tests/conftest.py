"""Data that many tests share."""

import numpy as np
import pytest


def pytest_runtest_setup(item):
    """Tests marked gpu are skipped where torch finds no CUDA device."""
    if item.get_closest_marker("gpu"):
        torch = pytest.importorskip("torch", reason="needs torch")
        if not torch.cuda.is_available():
            pytest.skip("torch finds no CUDA device")


@pytest.fixture
def misspecified():
    """300 × 8 rows whose labels hold a curved part that no coefficients reach: (rows, labels)."""
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((300, 8)) * np.geomspace(0.5, 2.0, 8)
    labels = rows @ rng.standard_normal(8) + 0.3 * np.sin(3.0 * rows[:, 0]) + 0.2 * rows[:, 1] ** 2
    return rows, labels
