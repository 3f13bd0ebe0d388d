"""Ranks, ties and the Pareto front, against known winners and the two-by-two comparison of uqbench.scores."""

import numpy as np
import pytest
from scipy.stats import binom
from synthetic_records import FAST, make_record, make_table, write, write_methods

from uqbench.report.evidence import load_evidence
from uqbench.report.ranking import rank_rows, resampled_means, tied_ranks
from uqbench.report.sections import make_sections
from uqbench.scores.comparison import paired_ratio
from uqbench.scores.intervals import interval_score
from uqbench.suite.scoring import calibrated_variant, fit_calibrations


def ranking(folder):
    evidence = load_evidence(folder)
    (section,) = make_sections(evidence.records, evidence.rows)
    return rank_rows(section.of("forces", "test"))


def places(found):
    return {(s.row.record.cell.method, s.row.variant): s for s in found.standings}


def test_the_better_wins_and_the_identical_tie(tmp_path):
    write_methods(tmp_path, constant="constant", good="true", twin="true", bad="shuffled")
    found = ranking(tmp_path)
    at = places(found)
    assert found.has_baseline
    assert at["good", "raw"].rank == at["twin", "raw"].rank == 1
    assert at["good", "calibrated"].relative == at["twin", "calibrated"].relative
    assert at["constant", "calibrated"].rank > 1
    assert at["constant", "calibrated"].relative.value == 1.0
    assert at["bad", "raw"].rank > at["constant", "calibrated"].rank
    values = [s.relative.value for s in found.standings]
    assert values == sorted(values)
    ranks = [s.rank for s in found.standings]
    assert ranks == sorted(ranks)


def test_relative_score_is_that_of_paired_ratio(tmp_path):
    """The same ratio; on resamples of test clusters the same interval, within their Monte Carlo error; as a page gives
    it wider, for calibration is drawn too."""
    write_methods(tmp_path, constant="constant", good="true")
    scores = []
    for scheme in ("true", "constant"):
        table = make_table(scheme)["forces"]
        variant = calibrated_variant(table, "test", fit_calibrations(table))
        scores.append(interval_score(*variant.intervals[0.95], variant.observed, 0.95))
    expected = paired_ratio(*scores, variant.cluster, np.random.default_rng(99))
    at = places(ranking(tmp_path))
    good, constant = (at[name, "calibrated"] for name in ("good", "constant"))
    assert good.relative.value == pytest.approx(expected.value, rel=1e-12)
    draws = resampled_means(np.stack([good.row.sums, constant.row.sums], axis=1), good.row.counts)
    interval = np.quantile(draws[1:, 0] / draws[1:, 1], [0.025, 0.975])
    assert interval == pytest.approx((expected.low, expected.high), rel=0.02)
    assert good.relative.low < expected.low < expected.high < 1.02 * good.relative.high


def test_a_row_ties_with_the_first_of_the_group_above_only():
    """Steps of one half, each within the noise; the third is a whole step from the first."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 1.7, size=(100, 3))
    sums, counts = np.array([10.0, 10.5, 11.0]) + noise - noise.mean(axis=0), np.ones(100)

    def ranks(*columns):
        chosen = sums[:, columns]
        return tied_ranks(resampled_means(chosen, counts), chosen, counts)

    assert ranks(0, 1, 2) == [1, 1, 3]
    assert ranks(0, 0, 0) == [1, 1, 1]
    assert ranks(0, 2, 2) == [1, 2, 2]


@pytest.mark.parametrize(("n_clusters", "n_rows", "trials"), [(40, 5, 80), (12, 12, 30)])
def test_equal_methods_are_rarely_told_apart(n_clusters, n_rows, trials):
    """Family-wise error of skewed scores with nothing between them: 5 % or less, up to the trials' noise."""
    rng, counts = np.random.default_rng(5), np.ones(n_clusters)
    wrong = 0
    for _ in range(trials):
        sums = rng.lognormal(0.0, 1.0, size=(n_clusters, n_rows))
        sums = sums[:, np.argsort(sums.sum(axis=0))]
        wrong += max(tied_ranks(resampled_means(sums, counts), sums, counts)) > 1
    assert wrong <= binom.isf(0.01, trials, 0.05)


def test_resampled_means_weigh_clusters_by_their_size():
    """Standard error of a ratio estimator, against its linearisation (Cochran, Sampling Techniques, 6.3)."""
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 9, size=200).astype(np.float64)
    sums = counts * rng.normal(3.0, 1.0, size=200)
    draws = resampled_means(sums[:, None], counts)
    mean = sums.sum() / counts.sum()
    expected = np.sqrt(np.sum((sums - mean * counts) ** 2)) / counts.sum()
    assert draws[0, 0] == pytest.approx(mean, rel=1e-12)
    assert draws[1:, 0].std() == pytest.approx(expected, rel=0.03)


def test_there_are_enough_resamples_for_every_pair_to_be_told_apart():
    """Forty clearly different rows, 780 pairs: each is ranked on its own."""
    rng = np.random.default_rng(2)
    sums = np.arange(40.0) + rng.normal(0.0, 0.01, size=(12, 40))
    counts = np.ones(12)
    assert tied_ranks(resampled_means(sums, counts), sums, counts) == list(range(1, 41))


def test_fewer_than_ten_clusters_give_no_rank_and_no_interval(tmp_path):
    for method, scheme in {"constant": "constant", "good": "true"}.items():
        tables = make_table(scheme, n_test=9)
        write(tmp_path, method, make_record(method, tables), tables)
    found = ranking(tmp_path)
    assert found.n_clusters == 9
    assert {s.rank for s in found.standings} == {None}
    assert {s.relative.low for s in found.standings} == {None}
    assert places(found)["good", "raw"].relative.value < 1.0


def test_rows_on_other_observations_are_not_compared(tmp_path):
    write_methods(tmp_path, constant="constant", good="true")
    tables = make_table("true", n_test=50)
    write(tmp_path, "other", make_record("other", tables), tables)
    found = ranking(tmp_path)
    assert {r.record.cell.method for r in found.strangers} == {"other"}
    assert {m for m, _ in places(found)} == {"constant", "good"}


def test_pareto_front_is_of_times_that_count(tmp_path):
    """Cheap and loose, dear and tight are on the front; dear and loose is not, nor what a busy machine timed."""
    costs = {"constant": 1.0, "good": 3.0, "slow_twin": 4.0, "busy": 0.5}
    for method, ratio in costs.items():
        tables = make_table("constant" if method == "constant" else "true")
        predict = {"predict": {"ratio_to_bare": ratio, "ratio_quartiles": [ratio, ratio]}}
        cost = {**FAST, **predict, "contended": method == "busy"}
        write(tmp_path, method, make_record(method, tables, cost=cost), tables)
    front = {s.row.record.cell.method for s in ranking(tmp_path).standings if s.pareto}
    assert front == {"constant", "good"}
