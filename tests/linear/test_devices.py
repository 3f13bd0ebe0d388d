"""The device path is the one code path: torch on the CPU gives what NumPy gives, for every method."""

from dataclasses import replace

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.api import LinearMethod
from uqbench.check.method import method_specs
from uqbench.errors import UqbenchError
from uqbench.linear.arrays import Arrays
from uqbench.registry import discover
from uqbench.spec import parse_spec

REGISTRY = discover()
LINEAR = sorted(name for name, cls in REGISTRY.methods.items() if issubclass(cls, LinearMethod))
SPECS = [spec for name in LINEAR for spec in method_specs(name, REGISTRY)]


def problem(device):
    rng = np.random.default_rng(5)
    rows = {"energy": rng.standard_normal((60, 6)), "forces": 3.0 * rng.standard_normal((300, 6))}
    theta = rng.standard_normal(6)
    labels = {
        k: x @ theta + 0.1 * np.sin(3 * x[:, 0]) + 0.01 * rng.standard_normal(len(x)) for k, x in rows.items()
    }
    cluster = {"energy": np.arange(60), "forces": np.arange(300) // 5}
    return replace(dense_problem(rows, labels, cluster), device=device), rows["forces"]


def same(spec, device, tolerance):
    method = parse_spec(spec, REGISTRY, "methods").build(REGISTRY, "methods")
    predictions = []
    for where in ("cpu", device):
        posed, rows = problem(where)
        posterior = method.fit(posed, np.random.default_rng(0))
        predictions.append(
            (posterior.predict_rows(rows, "forces"), posterior.samples(4, np.random.default_rng(1)))
        )
    (one, draws), (other, other_draws) = predictions
    for name in ("mean", "std", "lower", "upper", "samples"):
        expected, found = getattr(one, name), getattr(other, name)
        assert (expected is None) == (found is None)
        if expected is not None:
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(other_draws, draws, rtol=100 * tolerance, atol=100 * tolerance)


@pytest.mark.parametrize("spec", SPECS)
def test_torch_on_the_cpu_equals_numpy(spec):
    pytest.importorskip("torch", reason="needs torch")
    same(spec, "torch:cpu", 1e-10)


@pytest.mark.gpu
@pytest.mark.parametrize("spec", SPECS)
def test_cuda_equals_numpy(spec):
    same(spec, "cuda", 1e-10)


def test_a_device_that_is_not_there_is_said():
    torch = pytest.importorskip("torch", reason="needs torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UqbenchError, match="no CUDA device; use cpu"):
        Arrays("cuda")


@pytest.mark.parametrize("device", ["cpu", "torch:cpu"])
def test_float32_is_promoted(device):
    if device != "cpu":
        pytest.importorskip("torch", reason="needs torch")
    arrays = Arrays(device)
    values = arrays.get(arrays.put(np.ones(3, dtype=np.float32)) / 3.0)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, 1.0 / 3.0, rtol=1e-15)
