"""Thermal displacements by a classical potential, without long dynamics.

Solids: draws from the harmonic crystal, u = √(kT) H^(-1/2) ξ with H the Hessian at the potential's own minimum and ξ
normal. The symmetric root is unique where eigenvectors are not, so a seed gives the same structure everywhere.
Liquids: short dynamics from disordered atoms.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from uqbench.api import Array

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

STEP = 0.01
"""Å, of central differences."""
SOFTEST = 0.5
"""eV/Å²; modes softer than this, and unstable ones, move as if they had it: no cell falls apart."""
DISORDER = 1.0
"""Å rms, before a melt's dynamics."""
MELT_STEPS, TIMESTEP, FRICTION = 160, 2.5, 0.05
"""Number and length (fs) of steps, and friction (1/fs)."""


def root_compliance(atoms: Atoms, calculator: Calculator) -> Array:
    """(3N, 3N) H^(-1/2) without translations, Å/√eV, of atoms where they are.

    The structure should be near a minimum of the potential: curvatures below SOFTEST are taken as SOFTEST.
    """
    n = len(atoms)
    moving = atoms.copy()
    moving.calc = calculator
    hessian = np.empty((3 * n, 3 * n))
    for k in range(3 * n):
        forces = []
        for sign in (1.0, -1.0):
            moving.positions = atoms.positions
            moving.positions[k // 3, k % 3] += sign * STEP
            forces.append(moving.get_forces().ravel())
        hessian[k] = (forces[1] - forces[0]) / (2 * STEP)
    curvatures, modes = np.linalg.eigh(0.5 * (hessian + hessian.T))
    root = (modes / np.sqrt(np.maximum(curvatures, SOFTEST))) @ modes.T
    still = np.eye(3 * n) - np.kron(np.full((n, n), 1.0 / n), np.eye(3))
    return still @ root @ still


def displaced(atoms: Atoms, root: Array, temperature: float, rng: Generator) -> Atoms:
    """A draw at a temperature in K. root: from root_compliance."""
    from ase.units import kB

    moved = atoms.copy()
    noise = rng.standard_normal(3 * len(atoms))
    moved.positions += np.sqrt(kB * temperature) * (root @ noise).reshape(-1, 3)
    return moved


def relaxed(atoms: Atoms, calculator: Calculator) -> Atoms:
    """Positions at the potential's minimum, cell fixed, or on the way there."""
    from ase.optimize import FIRE

    moving = atoms.copy()
    moving.calc = calculator
    FIRE(moving, logfile=os.devnull).run(fmax=0.02, steps=60)
    return _bare(moving)


def melted(atoms: Atoms, calculator: Calculator, temperature: float, rng: Generator) -> Atoms:
    """Disordered atoms after a short Langevin dynamics at a temperature in K."""
    from ase.md.langevin import Langevin
    from ase.units import fs, kB

    moving = atoms.copy()
    moving.positions += rng.normal(0.0, DISORDER, moving.positions.shape)
    moving.calc = calculator
    noise = rng.standard_normal(moving.positions.shape)
    moving.set_momenta(np.sqrt(moving.get_masses() * kB * temperature)[:, None] * noise)
    dynamics = Langevin(
        moving, TIMESTEP * fs, temperature_K=temperature, friction=FRICTION / fs, rng=rng, fixcm=False
    )
    dynamics.run(MELT_STEPS)
    moving.wrap()
    return _bare(moving)


def _bare(atoms: Atoms) -> Atoms:
    from ase import Atoms

    return Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=True)
