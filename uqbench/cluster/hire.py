"""Crews for a run: processes of this machine, or the workers of a scheduler that is there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, fields

from uqbench.atomic import write_atomically
from uqbench.cluster.connect import local_client, remote_client
from uqbench.cluster.crew import DaskCrew, Taken
from uqbench.suite.execute import Display
from uqbench.suite.graph import Settings

TIMES = "times.csv"
"""What each piece of work took, in the folder of results; see uqbench.cluster.schedule."""


@contextmanager
def local_crew(jobs: int, settings: Settings, display: Display) -> Iterator[DaskCrew]:
    """Workers of this machine, with its cache; see local_client."""
    with local_client(jobs) as client:
        yield from _writing_times(DaskCrew(client, settings, display, settings.cache))


@contextmanager
def remote_crew(address: str, settings: Settings, display: Display) -> Iterator[DaskCrew]:
    """Workers of a scheduler, each with the cache of its machine; see remote_client."""
    with remote_client(address, display.note) as client:
        yield from _writing_times(DaskCrew(client, settings, display, None))


def _writing_times(crew: DaskCrew) -> Iterator[DaskCrew]:
    try:
        yield crew
    finally:
        if crew.taken:
            text = io.StringIO()
            rows = csv.writer(text)
            rows.writerow(f.name for f in fields(Taken))
            rows.writerows(astuple(taken) for taken in crew.taken)
            write_atomically(crew.settings.out / TIMES, text.getvalue().encode())
