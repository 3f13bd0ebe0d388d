"""The score table against the single functions, brute-force resampling, and its promises on odd input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from uqbench.errors import UqbenchError
from uqbench.scores.bootstrap import draw_resamples
from uqbench.scores.gaussian import crps_gaussian, nll_gaussian, zms
from uqbench.scores.intervals import interval_score, matched_coverage_width
from uqbench.scores.ranking import spearman
from uqbench.scores.reliability import ence, miscalibration_area
from uqbench.scores.summary import score_table

NAMES = {
    *("n", "n_clusters", "rmse", "mae", "crps", "nll", "zms", "miscalibration_area", "ence"),
    *("coverage_50", "coverage_68", "coverage_90", "coverage_95", "coverage_stated", "nominal_stated"),
    *("miss_stated", "width_95", "width_stated", "matched_width_95", "matched_width_stated"),
    *("interval_score_95", "spearman", "spearman_attainable"),
}


def example(seed=0, n_clusters=30, unit=1.0):
    """Clustered errors with σ that are 20 % too small, and lopsided stated bounds."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), rng.integers(3, 15, n_clusters))
    n = cluster.size
    std = unit * np.exp(rng.normal(size=n_clusters))[cluster] * rng.uniform(0.5, 1.5, n)
    mean = unit * rng.normal(size=n)
    observed = mean + 1.25 * std * rng.normal(size=n)
    z = {level: norm.ppf(0.5 * (1 + level)) for level in (0.5, 0.68, 0.9, 0.95)}
    return {
        "observed": observed,
        "mean": mean,
        "cluster": cluster,
        "std": std,
        "intervals": {level: (mean - half * std, mean + half * std) for level, half in z.items()},
        "stated": (mean - std, mean + 3 * std, 1.0),
    }


def table_of(data, seed=1):
    return score_table(**data, rng=np.random.default_rng(seed))


def test_values_are_those_of_the_single_functions():
    data = example()
    observed, mean, std = data["observed"], data["mean"], data["std"]
    error, (lower, upper, _) = observed - mean, data["stated"]
    table = table_of(data)
    assert set(table.scores) == NAMES
    assert not table.reasons
    rmse = np.sqrt(np.mean(error**2))
    outside = np.maximum(np.maximum(lower - observed, observed - upper), 0.0)
    expected = {
        "n": observed.size,
        "n_clusters": 30,
        "rmse": rmse,
        "mae": np.abs(error).mean(),
        "coverage_68": np.mean(np.abs(error) <= norm.ppf(0.84) * std),
        "coverage_stated": np.mean((lower <= observed) & (observed <= upper)),
        "nominal_stated": 1.0,
        "miss_stated": outside[outside > 0].mean() / rmse,
        "width_95": 2 * norm.ppf(0.975) * std.mean() / rmse,
        "width_stated": 4 * std.mean() / rmse,
        "matched_width_95": matched_coverage_width(std, std, error, 0.95) / rmse,
        "matched_width_stated": matched_coverage_width(std, 3 * std, error, 0.95) / rmse,
        "interval_score_95": interval_score(*data["intervals"][0.95], observed=observed, level=0.95).mean(),
        "crps": crps_gaussian(mean, std, observed).mean(),
        "nll": nll_gaussian(mean, std, observed).mean(),
        "zms": zms(mean, std, observed),
        "miscalibration_area": miscalibration_area(mean, std, observed),
        "ence": ence(mean, std, observed),
        "spearman": spearman(np.abs(error), std),
    }
    for name, value in expected.items():
        assert table.scores[name].value == pytest.approx(value, rel=1e-9), name
    for name in NAMES - {"n", "n_clusters", "nominal_stated", "spearman_attainable"}:
        score = table.scores[name]
        assert np.all(np.diff(np.array([score.low, score.value, score.high], dtype=float)) > 0), name


def test_intervals_are_those_of_scores_taken_anew_on_each_resample():
    data = example()
    table, resamples = table_of(data), draw_resamples(data["cluster"], np.random.default_rng(1))
    draws = {"rmse": [], "matched_width_stated": [], "miscalibration_area": [], "zms": [], "miss_stated": []}
    for counts in resamples.counts[1:].astype(int):
        i = np.repeat(np.arange(data["mean"].size), counts[resamples.index])
        observed, mean, std = (data[name][i] for name in ("observed", "mean", "std"))
        lower, upper = data["stated"][0][i], data["stated"][1][i]
        rmse = np.sqrt(np.mean((observed - mean) ** 2))
        outside = np.maximum(np.maximum(lower - observed, observed - upper), 0.0)
        draws["rmse"].append(rmse)
        width = matched_coverage_width(mean - lower, upper - mean, observed - mean, 0.95)
        draws["matched_width_stated"].append(width / rmse)
        draws["miscalibration_area"].append(miscalibration_area(mean, std, observed))
        draws["zms"].append(zms(mean, std, observed))
        draws["miss_stated"].append(outside[outside > 0].mean() / rmse)
    for name, values in draws.items():
        low, high = np.percentile(values, [2.5, 97.5])
        assert (table.scores[name].low, table.scores[name].high) == pytest.approx((low, high), rel=1e-9), name


def test_order_of_observations_does_not_matter():
    data = example()
    shuffled = np.random.default_rng(2).permutation(data["mean"].size)
    moved = {name: data[name][shuffled] for name in ("observed", "mean", "cluster", "std")}
    moved["intervals"] = {p: (lo[shuffled], up[shuffled]) for p, (lo, up) in data["intervals"].items()}
    moved["stated"] = (data["stated"][0][shuffled], data["stated"][1][shuffled], 1.0)
    one, other = table_of(data).scores, table_of(moved).scores
    for name in NAMES - {"n", "n_clusters", "nominal_stated", "spearman_attainable"}:
        assert other[name].value == pytest.approx(one[name].value, rel=1e-9), name
        assert other[name].low == pytest.approx(one[name].low, rel=1e-9), name


def test_scores_follow_the_unit():
    """A power of two, so that rounding is the same."""
    one, other = table_of(example()).scores, table_of(example(unit=2.0**-10)).scores
    for name in NAMES:
        factor = 2.0**-10 if name in ("rmse", "mae", "interval_score_95", "crps") else 1.0
        shift = np.log(2.0**-10) if name == "nll" else 0.0
        assert other[name].value == pytest.approx(factor * one[name].value + shift, rel=1e-9), name


def test_same_clusters_and_seed_give_the_same_resamples_to_every_method():
    data = example()
    bare = {name: data[name] for name in ("observed", "mean", "cluster")}
    assert table_of(bare).scores["rmse"] == table_of(data).scores["rmse"]


def test_what_a_method_does_not_give_is_absent_with_its_reason():
    data = example()
    table = score_table(data["observed"], data["mean"], data["cluster"], np.random.default_rng(0))
    assert set(table.scores) == {"n", "n_clusters", "rmse", "mae"}
    assert set(table.reasons) == NAMES - set(table.scores)
    assert table.reasons["crps"] == "The method gives no std."
    assert table.reasons["coverage_90"] == "There is no interval at 90%."
    assert table.reasons["width_stated"] == "The method states no bounds."


def test_few_clusters_give_values_without_intervals():
    table = table_of(example(n_clusters=9))
    assert all(score.low is None and score.high is None for score in table.scores.values())
    assert table.scores["rmse"].value > 0
    assert "100 in all" in table_of(example(n_clusters=5)).reasons["ence"]


def test_degenerate_predictions_end_in_reasons():
    data = example()
    perfect = table_of({**data, "observed": data["mean"]})
    assert "All errors are zero" in perfect.reasons["width_95"]
    assert "constant" in perfect.reasons["spearman"]
    assert "No observation lies outside" in perfect.reasons["miss_stated"]
    assert perfect.scores["coverage_95"].value == 1.0
    flat = table_of({**data, "std": np.zeros_like(data["std"]), "stated": (data["mean"], data["mean"], 1.0)})
    for name in ("crps", "nll", "zms", "miscalibration_area", "ence"):
        assert "std is 0 at entry 0" in flat.reasons[name]
    for name in ("coverage_stated", "width_stated", "matched_width_stated", "miss_stated"):
        assert "width is 0 at entry 0" in flat.reasons[name]
    constant = table_of({**data, "std": np.full_like(data["std"], 0.3)})
    assert "std is constant" in constant.reasons["spearman_attainable"]


def test_a_rare_miss_has_a_value_and_no_interval():
    data = example()
    lower, upper = np.full_like(data["mean"], -1e3), np.full_like(data["mean"], 1e3)
    lower[0] = max(data["mean"][0] - 1e-3, data["observed"][0] + 1e-6)
    table = table_of({**data, "mean": np.maximum(data["mean"], lower), "stated": (lower, upper, 1.0)})
    miss = table.scores["miss_stated"]
    assert (miss.low, miss.high) == (None, None)
    assert miss.value > 0


def test_means_outside_an_interval_cost_the_matched_width_only():
    data = example()
    table = table_of({**data, "stated": (data["mean"] + 0.1, data["mean"] + 1.0, 0.9)})
    assert "enclose the mean" in table.reasons["matched_width_stated"]
    assert set(table.reasons) == {"matched_width_stated"}


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    n_clusters=st.integers(1, 15),
    seed=st.integers(0, 10_000),
    decimals=st.integers(0, 2),
)
def test_no_score_is_ever_nan(n, n_clusters, seed, decimals):
    """Coarsely rounded values: zeros, ties and constants abound."""
    rng = np.random.default_rng(seed)
    mean, observed, std = (np.round(rng.normal(size=n), decimals) for _ in range(3))
    table = score_table(
        observed,
        mean,
        rng.integers(n_clusters, size=n),
        rng,
        std=np.abs(std),
        intervals={0.95: (mean - np.abs(std), mean + 1.0)},
        stated=(mean - 1.0, mean + np.abs(std), 1.0),
    )
    assert set(table.scores) | set(table.reasons) == NAMES
    for score in table.scores.values():
        assert np.isfinite([v for v in (score.value, score.low, score.high) if v is not None]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observed": np.full(3, np.nan)}, "observed is nan"),
        ({"mean": np.zeros(2)}, "mean has shape"),
        ({"cluster": [0, 1]}, "cluster has"),
        ({"std": np.ones(2)}, "std has shape"),
        ({"intervals": {0.9: (np.zeros(3), np.full(3, np.inf))}}, "upper is inf"),
        ({"stated": (np.zeros(4), np.ones(4), 1.0)}, "lower has shape"),
    ],
)
def test_malformed_input_is_an_error(change, message):
    data = {"observed": np.ones(3), "mean": np.zeros(3), "cluster": [0, 1, 2]}
    with pytest.raises(UqbenchError, match=message):
        score_table(**{**data, **change}, rng=np.random.default_rng(0))
