"""pops_calibrated as it is, in five folds by cluster and with each group left out: what weights of energies do to it.

    python -m tools.five_folds zuo2020_cu zuo2020_mo zuo2020_si zuo2020_li

prints a line of a markdown table for each set, weights and test part. Scores are interval scores at 95 % over those of
one width for all: the best one in the folds, that of cross-validation on train for a group left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, Array, Kind, LinearMethod, LinearProblem, ParameterPosterior, Weights
from uqbench.data.dataset import Dataset, load_dataset
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import leave_folds_out
from uqbench.linear.problem import build_problem
from uqbench.linear.references import fit_references
from uqbench.registry import discover
from uqbench.scores.intervals import interval_score
from uqbench.spec import make_spec
from uqbench.suite.config import Scales

SETTINGS: tuple[tuple[str, Weights, float], ...] = (
    ("evidence", "evidence", 0.005),
    ("5 meV/atom", "stated", 0.005),
    ("1 meV/atom", "stated", 0.001),
)
"""Name, weights and scale of energies, eV/atom."""
LEVEL = 0.95
REGISTRY = discover()
METHOD: LinearMethod = make_spec("pops_calibrated", {}, REGISTRY, "methods").build(REGISTRY, "methods")
SCORED: tuple[Kind, ...] = ("energy", "forces")
FOLDS = 5


@dataclass(frozen=True)
class Rows:
    """The frames of a set and their design rows."""

    dataset: Dataset
    rows: Sequence[Array]

    @classmethod
    def of(cls, name: str) -> Rows:
        """With SNAP as the card suggests it."""
        dataset = load_dataset(name)
        suggested = dataset.card.suggested.get("snap", {}) if dataset.card else {}
        atoms = [frame.atoms for frame in dataset.frames]
        snap = make_spec("snap", suggested, REGISTRY, "backbones").build(REGISTRY, "backbones")
        return cls(dataset, list(snap.rows(atoms, dataset.elements)))

    def problem(
        self, which: NDArray[np.int64], weights: Weights, energy: float
    ) -> tuple[LinearProblem, dict[str, float]]:
        """The regression on some of the frames, and their reference energies."""
        frames = [self.dataset.frames[i] for i in which]
        references = fit_references(frames, self.dataset.elements)
        scales = Scales(energy=energy).by_kind()
        return build_problem(
            frames, lambda i: self.rows[which[i]], scales, references, weights=weights
        ), references

    def labelled(
        self, which: NDArray[np.int64], kind: Kind, references: dict[str, float]
    ) -> tuple[Array, Array]:
        """Free rows of a kind and their labels."""
        frames = [self.dataset.frames[i] for i in which]
        problem = build_problem(frames, lambda i: self.rows[which[i]], dict.fromkeys(KINDS, 1.0), references)
        rows, labels = [np.empty((0, problem.n_features))], [np.empty(0)]
        for block in problem.blocks():
            for k, where in block.parts():
                if k == kind:
                    rows.append(block.rows[where])
                    labels.append(block.labels[where])
        return np.concatenate(rows), np.concatenate(labels)


def errors(posterior: ParameterPosterior, rows: Array, labels: Array, kind: Kind) -> Array:
    """Errors and half-widths, (n, 2)."""
    found = posterior.predict_rows(rows, kind)
    if found.lower is None or found.upper is None:
        raise ValueError("the method states no bounds.")
    return np.column_stack([labels - found.mean, 0.5 * (found.upper - found.lower)])


def cells(found: Array, constant: float, unit: float = 1e3) -> list[str]:
    """RMSE, coverage and width, score of errors and half-widths (n, 2) beside one half-width for all."""
    error, half = found.T
    rmse = float(np.sqrt(np.mean(error**2)))
    score, plain = (
        float(interval_score(-h, h, error, LEVEL).mean()) for h in (half, np.full_like(half, constant))
    )
    inside = 100.0 * float(np.mean(np.abs(error) <= half))
    return [f"{unit * rmse:.1f}", f"{inside:.1f}, {2.0 * half.mean() / rmse:.2f}", f"{score / plain:.2f}"]


def in_folds(data: Rows, weights: Weights, energy: float) -> list[str]:
    """Cells of energies and forces, all frames predicted by the fit to the other folds."""
    clusters = np.unique([frame.cluster for frame in data.dataset.frames])
    np.random.default_rng(0).shuffle(clusters)
    fold_of = dict(zip(clusters.tolist(), np.arange(len(clusters)) % FOLDS, strict=True))
    fold = np.array([fold_of[frame.cluster] for frame in data.dataset.frames])
    found: dict[Kind, list[Array]] = {kind: [] for kind in SCORED}
    for f in range(FOLDS):
        problem, references = data.problem(np.flatnonzero(fold != f), weights, energy)
        posterior = METHOD.fit(problem, np.random.default_rng([0, f]))
        for kind in SCORED:
            rows, labels = data.labelled(np.flatnonzero(fold == f), kind, references)
            found[kind].append(errors(posterior, rows, labels, kind))
    every = {kind: np.concatenate(parts) for kind, parts in found.items()}
    return [text for e in every.values() for text in cells(e, _quantile(e[:, 0]))]


def left_out(data: Rows, weights: Weights, energy: float) -> Iterator[list[str]]:
    """The group, and cells of energies and forces where its frames were not trained on."""
    group = np.array([frame.config_type for frame in data.dataset.frames])
    for name in np.unique(group):
        problem, references = data.problem(np.flatnonzero(group != name), weights, energy)
        posterior = METHOD.fit(problem, np.random.default_rng(0))
        inside = leave_folds_out(problem, fit_ridge(problem), 10, np.random.default_rng(0))
        row = [str(name)]
        for kind in SCORED:
            seen = np.concatenate([error for _, k, _, error in inside.held_out() if k == kind])
            rows, labels = data.labelled(np.flatnonzero(group == name), kind, references)
            constant = _quantile(seen) * problem.scales[kind]
            row += cells(errors(posterior, rows, labels, kind), constant) if len(labels) else ["–"] * 3
        yield row


def _quantile(error: Array) -> float:
    return float(np.quantile(np.abs(error), LEVEL, method="higher"))


def main() -> None:
    """Print both tables, as they come."""
    parser = argparse.ArgumentParser(prog="python -m tools.five_folds", description=__doc__)
    parser.add_argument("datasets", nargs="+")
    columns = [
        f"{kind}: {what}" for kind in SCORED for what in ("RMSE", "coverage (%), width / RMSE", "score")
    ]
    print("| set | weights | test | " + " | ".join(columns) + " |")
    print("| :--- | :--- | :--- |" + " ---: |" * len(columns))
    for name in parser.parse_args().datasets:
        data = Rows.of(name)
        for title, weights, energy in SETTINGS:
            for row in [["five folds", *in_folds(data, weights, energy)], *left_out(data, weights, energy)]:
                print("| " + " | ".join([name, title, *row]) + " |", flush=True)


if __name__ == "__main__":
    main()
