"""An ONCVPSP pseudopotential from psp8 (ABINIT) to UPF 2.0.1 (Quantum ESPRESSO), radial functions unchanged.

Every function is copied point by point on the same linear mesh; only units change:

    psp8 (Hartree)                       UPF (Rydberg)
    v_loc(r)                             2 v_loc(r)
    r β_i(r), energy ekb_i               r β_i(r), D_ii = 2 ekb_i
    4π ρ_core(r), the model core         ρ_core(r)
    4π ρ_valence(r)                      4π r² ρ_valence(r)

psp8 has no atomic orbitals. pw.x starts its diagonalisation from them and uses them for nothing else: two functions of
Slater's form stand in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.dft.calculation import Species
from uqbench.api import Array
from uqbench.atomic import write_atomically
from uqbench.errors import UqbenchError

PBE = 11
"""pspxc of the functional."""
SLATER = {3: 3.5 / 3, 4: 4.15 / 3}
"""Exponent (1/bohr) of the third shell by valence electrons, from Slater's rules."""


@dataclass(frozen=True)
class Psp8:
    """Radial functions in psp8's units on the mesh r (n,) in bohr. projectors: (l, ekb, r β). core, valence: 4π ρ."""

    title: str
    symbol: str
    charge: float
    electrons: float
    r: Array
    local: Array
    projectors: tuple[tuple[int, float, Array], ...]
    core: Array | None
    valence: Array
    sha256: str


def read_psp8(path: Path) -> Psp8:
    """A scalar-relativistic PBE file with valence density. Raises UqbenchError for another."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UqbenchError(
            f"{path} cannot be read: {error}. Debian packages it in abinit-data (apt-get install abinit-data)."
        ) from error
    lines = content.decode().splitlines()
    charge, electrons = (_number(word) for word in lines[1].split()[:2])
    code, functional, l_max, l_local, n = (int(word) for word in lines[2].split()[:5])
    has_core = _number(lines[3].split()[1]) > 0
    counts = [int(word) for word in lines[4].split()[:5]]
    extension = int(lines[5].split()[0])
    if (code, functional, extension) != (8, PBE, 1):
        raise UqbenchError(
            f"{path}: pspcod {code}, pspxc {functional}, extension {extension}; a scalar-relativistic psp8 file with "
            f"PBE ({PBE}) and valence density (1) is needed."
        )
    at = 6
    projectors: list[tuple[int, float, Array]] = []
    r = local = np.empty(0)
    for _ in range(sum(count > 0 for count in counts[: l_max + 1]) + (l_local > l_max)):
        head = lines[at].split()
        block = _block(lines, at + 1, n)
        at, momentum, r = at + 1 + n, int(head[0]), block[:, 1]
        if momentum == l_local:
            local = block[:, 2]
        else:
            energies = [_number(word) for word in head[1:]]
            projectors += [(momentum, energies[i], block[:, 2 + i]) for i in range(counts[momentum])]
    core = _block(lines, at, n)[:, 2] if has_core else None
    valence = _block(lines, at + n if has_core else at, n)[:, 2]
    sha256 = hashlib.sha256(content).hexdigest()
    title = lines[0].strip()
    return Psp8(
        title, title.split()[0], charge, electrons, r, local, tuple(projectors), core, valence, sha256
    )


def species_of(source: Psp8, mass: float) -> Species:
    """The species whose pseudopotential write_upf writes."""
    return Species(source.symbol, mass, int(source.electrons), f"{source.symbol}.upf", source.sha256)


def write_upf(source: Psp8, path: Path) -> None:
    """Write the file for pw.x."""
    # Simpson's rule wants an odd number of points.
    n = len(source.r) - (len(source.r) + 1) % 2
    r = source.r[:n]
    step = np.full(n, r[1] - r[0])
    density = source.valence[:n] * r**2
    density *= source.electrons / np.trapezoid(density, r)
    count = len(source.projectors)
    l_max = max(momentum for momentum, _, _ in source.projectors)
    core = "F" if source.core is None else "T"
    parts = [
        '<UPF version="2.0.1">',
        f"<PP_INFO>\n{source.title}\nfrom psp8 (sha256 {source.sha256}), radial functions unchanged.\n</PP_INFO>",
        f'<PP_HEADER generated="ONCVPSP" author="PseudoDojo" date="" comment="converted from psp8" '
        f'element="{source.symbol}" pseudo_type="NC" relativistic="scalar" is_ultrasoft="F" is_paw="F" '
        f'is_coulomb="F" has_so="F" has_wfc="F" has_gipaw="F" paw_as_gipaw="F" core_correction="{core}" '
        f'functional="PBE" z_valence="{source.electrons:.8f}" total_psenergy="0.0" wfc_cutoff="0.0" '
        f'rho_cutoff="0.0" l_max="{l_max}" l_max_rho="0" l_local="-1" mesh_size="{n}" number_of_wfc="2" '
        f'number_of_proj="{count}"/>',
        f'<PP_MESH dx="0.0" mesh="{n}" xmin="0.0" rmax="{r[-1]:.6f}" zmesh="{source.charge:.6f}">',
        _tag("PP_R", r),
        _tag("PP_RAB", step),
        "</PP_MESH>",
    ]
    if source.core is not None:
        parts.append(_tag("PP_NLCC", source.core[:n] / (4 * np.pi)))
    parts += [_tag("PP_LOCAL", 2 * source.local[:n]), "<PP_NONLOCAL>"]
    for i, (momentum, _, beta) in enumerate(source.projectors, start=1):
        last = min(n, int(np.flatnonzero(np.abs(beta[:n]) > 1e-14)[-1]) + 2)
        last = min(n, last + (last + 1) % 2)
        parts.append(
            _tag(
                f"PP_BETA.{i}",
                beta[:n],
                f' index="{i}" angular_momentum="{momentum}" cutoff_radius_index="{last}" '
                f'cutoff_radius="{r[last - 1]:.6f}"',
            )
        )
    strengths = np.diag([2 * energy for _, energy, _ in source.projectors])
    parts += [_tag("PP_DIJ", strengths.ravel()), "</PP_NONLOCAL>", "<PP_PSWFC>"]
    for momentum, occupation in ((0, 2.0), (1, source.electrons - 2.0)):
        label = f"3{'SP'[momentum]}"
        parts.append(
            _tag(
                f"PP_CHI.{momentum + 1}",
                _slater(r, SLATER[int(source.electrons)]),
                f' index="{momentum + 1}" label="{label}" l="{momentum}" occupation="{occupation:.1f}" n="3" '
                'pseudo_energy="-0.5" cutoff_radius="0.0" ultrasoft_cutoff_radius="0.0"',
            )
        )
    parts += ["</PP_PSWFC>", _tag("PP_RHOATOM", density), "</UPF>"]
    write_atomically(path, ("\n".join(parts) + "\n").encode())


def _slater(r: Array, exponent: float) -> Array:
    """Normalised, and zero at the end of the mesh."""
    orbital = r**3 * np.exp(-exponent * r) * np.cos(np.pi * r / 2 / r[-1]) ** 2
    return orbital / np.sqrt(np.trapezoid(orbital**2, r))


def _tag(name: str, values: Array, attributes: str = "") -> str:
    rows = (values[i : i + 4] for i in range(0, len(values), 4))
    text = "\n".join(" ".join(f"{value:.15e}" for value in row) for row in rows)
    return f'<{name} type="real" size="{len(values)}" columns="4"{attributes}>\n{text}\n</{name}>'


def _block(lines: list[str], start: int, n: int) -> Array:
    return np.array([[_number(word) for word in line.split()] for line in lines[start : start + n]])


def _number(word: str) -> float:
    """Fortran writes exponents with D."""
    return float(word.upper().replace("D", "E"))
