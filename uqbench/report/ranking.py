"""Who is better, and who cannot be told apart: one paired cluster bootstrap for all rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uqbench.api import Array
from uqbench.scores.bootstrap import LEAST_CLUSTERS, Score, percentile_score, ratio
from uqbench.scores.comparison import BLOCK_NUMBERS, PAIRED_RESAMPLES, bootstrap_p, holm
from uqbench.scores.jackknife import p_of_difference
from uqbench.scores.recalibrated import SHARES, FoldScores
from uqbench.suite.scoring import BOOTSTRAP_SEED

if TYPE_CHECKING:
    from uqbench.report.evidence import Row

FAMILY_ERROR = 0.05
BASELINE = "constant"


@dataclass(frozen=True)
class Standing:
    """A row's place; rows of one rank tie (tied_ranks).

    rank is None where nothing can be compared. relative: interval score over that of the calibrated baseline,
    with its paired interval. pareto: no other row of known cost is both tighter and cheaper.
    """

    row: Row
    rank: int | None
    relative: Score | None
    pareto: bool = False


@dataclass(frozen=True)
class Ranking:
    """Rows of one table, best interval score first, those without one last.

    has_baseline: whether calibrated `constant` is among them. n_clusters: of the sample; under 10 there are
    no ranks and no intervals. strangers: rows scored on other observations than the rest.
    """

    standings: list[Standing]
    has_baseline: bool
    n_clusters: int
    strangers: list[Row]


def rank_rows(rows: Sequence[Row]) -> Ranking:
    """Order the rows (at least one) of one part and kind by interval score at 95 %, and rank them.

    All pairs are compared by the difference of mean interval scores, clusters resampled alike for all rows, those that
    calibrate too, with Student's t behind the bootstrap; Holm's adjustment over all pairs of the table, family-wise
    error 5 %. Deterministic.
    """
    baseline = next((r for r in rows if r.sums is not None and _is_baseline(r)), None)
    common = Counter(r.sample for r in rows).most_common(1)[0][0]
    sample = baseline.sample if baseline else common
    paired = [r for r in rows if r.sample == sample and r.sums is not None]
    unpaired = [r for r in rows if r.sample == sample and r.sums is None]
    strangers = [r for r in rows if r.sample != sample]
    paired.sort(key=lambda r: (_mean_score(r), *_name(r)))
    n_clusters = len(next(r for r in rows if r.sample == sample).counts)
    standings = _standings(paired, baseline, n_clusters)
    standings += [Standing(row, None, None) for row in sorted(unpaired, key=_name)]
    return Ranking(standings, baseline is not None, n_clusters, strangers)


def _standings(paired: list[Row], baseline: Row | None, n_clusters: int) -> list[Standing]:
    if not paired:
        return []
    sums = np.stack([r.sums for r in paired if r.sums is not None], axis=1)
    enough = n_clusters >= LEAST_CLUSTERS
    recalibrated = {i: row.recalibrated for i, row in enumerate(paired) if row.recalibrated}
    draws = resampled_means(sums, paired[0].counts, enough, paired[0].clusters, recalibrated)
    ranks: list[int | None] = (
        list(tied_ranks(draws, sums, paired[0].counts)) if enough else [None] * len(paired)
    )
    relative: list[Score | None] = [None] * len(paired)
    if baseline is not None:
        bottom = draws[:, next(i for i, r in enumerate(paired) if r is baseline)]
        relative = [percentile_score(ratio(column, bottom)) for column in draws.T]
    return _mark_pareto([Standing(*entry) for entry in zip(paired, ranks, relative, strict=True)])


def resampled_means(
    sums: Array,
    counts: Array,
    resample: bool = True,
    clusters: NDArray[np.int64] | None = None,
    recalibrated: Mapping[int, Sequence[FoldScores]] = MappingProxyType({}),
) -> Array:
    """Mean scores on the sample (row 0) and on resamples of its clusters, (1 + n_resamples, n_rows).

    sums: (n_clusters, n_rows), scores summed over clusters. counts: (n_clusters,). 20,000 resamples, and more
    where there are so many pairs that no p-value would survive Holm's adjustment. recalibrated: columns whose scores
    depend on calibration clusters, with the folds that make them up; clusters: the numbers (n_clusters,) by which these
    name clusters. Calibration clusters that are not in the sample are drawn among themselves.
    """
    n_clusters, n_rows = sums.shape
    table = np.column_stack([sums, counts])
    pairs = n_rows * (n_rows - 1) // 2
    n_resamples = max(PAIRED_RESAMPLES, round(5.0 / FAMILY_ERROR) * pairs) if resample else 0
    own = np.arange(n_clusters) if clusters is None else clusters
    folds = [(column, fold) for column, parts in recalibrated.items() for fold in parts]
    others = np.setdiff1d(np.concatenate([own[:0], *(fold.calibrating for _, fold in folds)]), own)
    place = {int(name): i for i, name in enumerate([*own, *others])}
    where = [
        tuple(np.array([place[int(name)] for name in names]) for names in (fold.tested, fold.calibrating))
        for _, fold in folds
    ]
    rng, rng_of_others = np.random.default_rng(BOOTSTRAP_SEED), np.random.default_rng([BOOTSTRAP_SEED, 1])
    # Blocks hold times drawn, and scores at each factor.
    step = max(1, BLOCK_NUMBERS // max(n_clusters + len(others), len(SHARES)))
    totals = [table.sum(axis=0, keepdims=True)]
    for first in range(0, n_resamples, step):
        size = min(step, n_resamples - first)
        times = _drawn(rng, size, n_clusters)
        total = times @ table
        total[:, list(recalibrated)] = 0.0
        every = np.concatenate([times, _drawn(rng_of_others, size, len(others))], axis=1)
        for (column, fold), (tested, calibrating) in zip(folds, where, strict=True):
            total[:, column] += fold.totals(every[:, tested], every[:, calibrating])
        totals.append(total)
    total = np.concatenate(totals)
    return total[:, :-1] / total[:, -1:]


def _drawn(rng: Generator, size: int, n: int) -> Array:
    """(size, n) how often each of n was drawn in n draws with replacement."""
    drawn = rng.integers(max(n, 1), size=(size, n)) + n * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def tied_ranks(draws: Array, sums: Array, counts: Array) -> list[int]:
    """Ranks of columns of draws (1 + n_resamples, n_rows) that are in order of their values (lower is better).

    sums, counts: what they were drawn from, see resampled_means. Going down, a row shares the rank of the group above
    it unless it is significantly worse than the first row of that group; then it is the first of a new group, ranked
    by its place. Significant: Holm's adjustment of the two-sided p-values of all pairs, the larger of the bootstrap's
    and of Student's t (scores/jackknife.py), is below 5 %.
    """
    n_rows = draws.shape[1]
    pairs = list(combinations(range(n_rows), 2))
    p_values = np.empty(len(pairs))
    for number, (i, j) in enumerate(pairs):
        difference = draws[1:, i] - draws[1:, j]
        # Equal columns may differ by rounding, which must not be taken for a difference.
        difference[np.abs(difference) <= 1e-12 * np.abs(draws[1:, i])] = 0.0
        p_values[number] = max(bootstrap_p(difference), p_of_difference(sums[:, i], sums[:, j], counts))
    adjusted = dict(zip(pairs, holm(p_values), strict=True)) if pairs else {}
    ranks, first = [1], 0
    for place in range(1, n_rows):
        if adjusted[first, place] < FAMILY_ERROR:
            first = place
        ranks.append(first + 1)
    return ranks


def cost_ratio(row: Row) -> float | None:
    """Prediction time over the bare potential's, where it was measured."""
    return row.record.cost.get("predict", {}).get("ratio_to_bare")


def common_machine(rows: Sequence[Row]) -> str:
    """The machine class of most of the rows (at least one), the one within which times are ranked."""
    counts = Counter(r.record.machine_class for r in rows)
    return min(counts, key=lambda name: (-counts[name], name))


def time_counts(row: Row, machine: str) -> bool:
    """Whether a row's times are ranked: measured on this machine class, with nothing else running."""
    record = row.record
    return (
        cost_ratio(row) is not None and not record.cost.get("contended") and record.machine_class == machine
    )


def _mark_pareto(standings: list[Standing]) -> list[Standing]:
    machine = common_machine([s.row for s in standings])
    places = [
        (s.relative.value, cost_ratio(s.row) or np.inf)
        if s.relative and time_counts(s.row, machine)
        else None
        for s in standings
    ]

    def best(place: tuple[float, float] | None) -> bool:
        return place is not None and not any(
            p is not None and p != place and p[0] <= place[0] and p[1] <= place[1] for p in places
        )

    return [replace(s, pareto=best(place)) for s, place in zip(standings, places, strict=True)]


def _is_baseline(row: Row) -> bool:
    return row.variant == "calibrated" and row.record.cell.method == BASELINE


def _mean_score(row: Row) -> float:
    return float(np.sum(row.sums) / row.counts.sum()) if row.sums is not None else np.inf


def _name(row: Row) -> tuple[str, str]:
    return row.record.cell.method, row.variant
