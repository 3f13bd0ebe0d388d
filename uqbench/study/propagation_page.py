"""The study of propagation as a page: a table a cell, and cost against size as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.atomic import write_atomically
from uqbench.report.figures import figure_files
from uqbench.report.markdown import number, percent, table
from uqbench.report.styles import new_figure
from uqbench.study.propagation import Size, Way

if TYPE_CHECKING:
    from rich.console import Console

STEM = "propagation"
HOW_TO_READ = """\
The vacancy of aluminium with a SNAP (2J = 8) fitted to the embedded set, carried for samples of POPS's exact box at the
mean's lattice constant, cell fixed; and lattice and elastic constants. Error: rms against real computations of the same
samples, over the standard deviation of these. Accepted: share of samples that the way could take; the others of the
gated way were really relaxed, in its time. Times are processor time of one process and thread; real: of a real
computation. Pays from: number of samples from which the way is cheaper with its set-up.
"""
HEADER = (
    "property",
    "atoms",
    "way",
    "set-up (s)",
    "a sample (ms)",
    "real (ms)",
    "times faster",
    "pays from",
    "error / spread",
    "accepted (%)",
)


def run_propagation_study(n_samples: int, wanted: dict[int, int], out: Path, console: Console) -> int:
    """Run, print and write out/propagation.md and its figure; gives 0."""
    from threadpoolctl import threadpool_limits

    from uqbench.study.propagation import aluminium, sizes

    console.print("fitting POPS to the embedded aluminium")
    found: list[Size] = []
    carried = aluminium(n_samples)
    # Threads that wait count as processor time.
    with threadpool_limits(1):
        for size in sizes(carried, wanted):
            found.append(size)
            for way in size.ways:
                console.print(
                    f"{size.what}, {size.n_atoms} atoms, {way.name}: {size.per_real / way.per_sample:.0f} times "
                    f"faster, error / spread {way.error:.1e}",
                    soft_wrap=True,
                )
    for name, content in figure_files(lambda: _draw(found), STEM).items():
        write_atomically(out / "figures" / name, content)
    page = out / f"{STEM}.md"
    write_atomically(page, _page(found).encode())
    console.print(f"Study: {page}", markup=False, soft_wrap=True)
    return 0


def _page(found: Sequence[Size]) -> str:
    rows = [_row(size, way) for size in found for way in size.ways]
    return (
        f"# Propagation beside real relaxations\n\n{HOW_TO_READ}\n{table(HEADER, rows, text_columns=1)}\n"
        f"![Processor time a sample against the size of the cell](figures/{STEM}.svg)\n"
    )


def _row(size: Size, way: Way) -> list[str]:
    saved = size.per_real - way.per_sample
    return [
        size.what,
        str(size.n_atoms),
        way.name,
        number(way.set_up),
        number(1e3 * way.per_sample),
        number(1e3 * size.per_real),
        number(size.per_real / way.per_sample),
        str(ceil(way.set_up / saved)) if saved > 0 else "never",
        f"{way.error:.1e}",
        percent(way.accepted),
    ]


def _draw(found: Sequence[Size]):
    several = [size for size in found if len(size.ways) > 1]
    figure = new_figure(6.0, 4.0)
    axis = figure.subplots()
    atoms = [size.n_atoms for size in several]
    axis.plot(atoms, [1e3 * s.per_real for s in several], "s-", color="#333333", label="real relaxation")
    for k, (colour, marker) in enumerate((("#0072B2", "o"), ("#D55E00", "^"))):
        ways = [size.ways[k] for size in several]
        axis.plot(
            atoms,
            [1e3 * w.per_sample for w in ways],
            f"{marker}-",
            color=colour,
            label=f"{ways[0].name}, a sample",
        )
    axis.plot(
        atoms,
        [1e3 * s.ways[0].set_up for s in several],
        "D:",
        color="#777777",
        label="set-up of the tables, once",
    )
    axis.set(xscale="log", yscale="log", xlabel="atoms", ylabel="processor time (ms)")
    axis.set_xticks(atoms, [str(n) for n in atoms])
    axis.minorticks_off()
    axis.legend()
    return figure
