"""A linear backbone without LAMMPS, importable by worker processes, that can be told to misbehave."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from uqbench.api import LinearBackbone


@dataclass(frozen=True)
class Toy(LinearBackbone):
    """Rows are powers of the coordinates. bad: what happens at the structure with `at` atoms."""

    power: int = 2
    bad: str = ""
    at: int = 0
    nap: float = 0.0

    def n_features(self, elements):
        return len(elements) + 1

    def rows(self, structures, elements):
        for atoms in structures:
            time.sleep(self.nap)
            n = 1 + 3 * len(atoms) + (6 if atoms.pbc.all() else 0)
            rows = np.resize(atoms.positions.ravel() ** self.power, (n, self.n_features(elements)))
            if self.bad and len(atoms) == self.at:
                if self.bad == "raise":
                    raise RuntimeError("no convergence")
                if self.bad == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                if self.bad == "stop":
                    return
                rows = {"nan": rows * np.nan, "short": rows[1:], "single": rows.astype(np.float32)}[self.bad]
            yield rows

    def potential(self, coefficients, elements):
        raise NotImplementedError


def chains(n: int) -> list[Atoms]:
    """Structures of 1, 2, ... n atoms, every third one periodic, no two alike."""
    rng = np.random.default_rng(n)
    return [
        Atoms(f"Cu{k}", rng.uniform(0, 5, (k, 3)), cell=[5, 6, 7], pbc=k % 3 == 0) for k in range(1, n + 1)
    ]
