"""Atomic units in eV and Å (CODATA 2018, as pw.x has them)."""

HARTREE = 27.211386245988
"""eV."""
RYDBERG = HARTREE / 2
"""eV."""
BOHR = 0.529177210903
"""Å."""
GPA = 160.21766208
"""GPa in an eV/Å³."""
