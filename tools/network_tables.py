"""The two tables of docs/networks.md, from the committed records: `python -m tools.network_tables`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from uqbench.suite.record import PropertyPart, Record, read_records

RECORDS = Path(__file__).parents[1] / "leaderboard/mace/records"
METHODS = {
    "pops_calibrated": "`pops_calibrated`",
    "llpr": "`llpr`",
    "bayesian_linear:noise=false": "`bayesian_linear`, epistemic",
    "bootstrap": "`bootstrap`",
    "pops_whitened": "`pops_whitened`",
    "pops": "`pops`",
    "pops_reference": "`pops_reference`",
    "deep_ensemble": "`deep_ensemble` (5)",
    "correlated_noise_ensemble": "`correlated_noise_ensemble` (5)",
    "shallow_ensemble": "`shallow_ensemble` (16)",
    "shallow_ensemble:trunk=frozen": "`shallow_ensemble:trunk=frozen` (16)",
    "mean_variance": "`mean_variance`",
    "correlated_noise": "`correlated_noise`",
    "constant": "`constant`",
    "constant_network": "`constant_network`",
}
"""In the order of the tables."""
VACANCY, ELASTIC = "vacancy_formation_energy", ("C11", "C12", "C44", "bulk_modulus", "lattice_constant")
SAME_MEMBERS = "correlated_noise_ensemble"
"""Carries its members to simulation results, as deep_ensemble does."""


def read() -> dict[tuple[str, str], Record]:
    """By method and task."""
    return {(record.cell.method, record.cell.task): record for record in read_records(RECORDS)}


def accuracy(records: Mapping[tuple[str, str], Record]) -> Iterator[str]:
    """A line a method: RMSE, raw and calibrated coverage, and score, of energies and forces."""
    baseline = records["constant", "forces"]
    for method, name in METHODS.items():
        record = records[method, "forces"]
        cells = [name]
        for kind in ("energy", "forces"):
            cells.append(f"{1e3 * _score(record, 'raw', 'test', kind, 'rmse'):.0f}")
            cells += [
                f"{100 * _score(record, v, 'test', kind, 'coverage_95'):.1f}" for v in ("raw", "calibrated")
            ]
            cells.append(f"{_relative(record, baseline, 'test', kind):.2f}")
        cells.append(f"{100 * _score(record, 'calibrated', 'held_out', 'forces', 'coverage_95'):.0f}")
        yield _line([*cells, f"{_relative(record, baseline, 'held_out', 'forces'):.2f}"])


def _score(record: Record, variant: str, part: str, kind: str, what: str) -> float:
    return record.scores[variant][part][kind][what].value


def _relative(record: Record, baseline: Record, part: str, kind: str) -> float:
    own, of_baseline = (_score(r, "calibrated", part, kind, "interval_score_95") for r in (record, baseline))
    return own / of_baseline


def simulation_results(records: Mapping[tuple[str, str], Record]) -> Iterator[str]:
    """A line a method: the vacancy, as stated and scaled by κ, elastic constants, and how many are inside."""
    for method, name in METHODS.items():
        vacancy = _by_name(records[method, "vacancy"])
        if method == SAME_MEMBERS or not vacancy:
            continue
        cells = [
            name,
            _with_bounds(vacancy[VACANCY, "raw"], 2),
            "{:.2f} to {:.2f}".format(*_bounds(vacancy[VACANCY, "kappa"])),
        ]
        elastic = _by_name(records[method, "elastic"])
        if elastic:
            cells += [_with_bounds(elastic[c, "raw"], 0) for c in ELASTIC[:3]]
            inside = (sum(_holds(elastic[c, variant]) for c in ELASTIC) for variant in ("raw", "kappa"))
            cells.append(", ".join(map(str, inside)))
        else:
            cells += ["n/a", "n/a", "n/a", ""]
        yield _line(cells)


def _by_name(record: Record) -> dict[tuple[str, str], PropertyPart]:
    return {(p.name, p.variant): p for p in record.properties or [] if p.trained_on == "pool"}


def _bounds(part: PropertyPart) -> tuple[float, float]:
    if part.lower is None or part.upper is None:
        raise ValueError(f"{part.name} has no bounds.")
    return part.lower, part.upper


def _with_bounds(part: PropertyPart, digits: int) -> str:
    low, high = _bounds(part)
    return f"{part.value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _holds(part: PropertyPart) -> bool:
    low, high = _bounds(part)
    return part.reference is not None and low <= part.reference <= high


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print both."""
    records = read()
    print("\n".join([*accuracy(records), "", *simulation_results(records)]))


if __name__ == "__main__":
    main()
