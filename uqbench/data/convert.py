"""A selection of a publisher's file as a dataset of one's own: a card and a pool of structures."""

from __future__ import annotations

import hashlib
import lzma
from collections import Counter
from io import StringIO
from pathlib import Path

import yaml

from uqbench.atomic import write_atomically
from uqbench.checksum import file_sha256
from uqbench.data.card import read_card
from uqbench.data.hdf5 import Layout, Selection, read_hdf5
from uqbench.errors import UqbenchError

SOURCES: dict[Layout, dict[str, str]] = {
    "ani1x": {
        "title": "ANI-1x",
        "url": "https://springernature.figshare.com/ndownloader/files/18112775",
        "licence": "that of the publisher: https://doi.org/10.6084/m9.figshare.c.4712477",
        "citation": "J. S. Smith et al., The ANI-1ccx and ANI-1x data sets, coupled-cluster and density functional "
        "theory properties for molecules, Sci. Data 7, 134 (2020), doi:10.1038/s41597-020-0473-z",
        "dft": "ωB97x/6-31G*",
        "cluster": "molecule",
    },
    "transition1x": {
        "title": "Transition1x",
        "url": "https://figshare.com/ndownloader/files/36035789",
        "licence": "that of the publisher: https://doi.org/10.6084/m9.figshare.19614657",
        "citation": "M. Schreiner, A. Bhowmik, T. Vegge, J. Busk, O. Winther, Transition1x - a dataset for building "
        "generalizable reactive machine learning potentials, Sci. Data 9, 779 (2022), doi:10.1038/s41597-022-01870-w",
        "dft": "ωB97x/6-31G(d)",
        "cluster": "reaction",
    },
}


def convert(path: Path, layout: Layout, selection: Selection, folder: Path) -> Path:
    """Write card.yaml and pool.xyz.xz into a new folder; gives the path of the card.

    Structures of one composition (ANI-1x) or reaction (Transition1x) are one cluster, and stay on one side of a split.
    Raises UqbenchError if the folder holds something, or nothing is selected.
    """
    from ase.io.extxyz import write_extxyz

    if folder.exists() and any(folder.iterdir()):
        raise UqbenchError(f"{folder}: there is something in it; give a new folder.")
    source = SOURCES[layout]
    groups: Counter[str] = Counter()
    elements: set[str] = set()
    packed, packer = [], lzma.LZMACompressor()
    for atoms in read_hdf5(path, layout, selection):
        groups[atoms.info["config_type"]] += 1
        elements |= set(atoms.get_chemical_symbols())
        text = StringIO()
        write_extxyz(text, [atoms])
        packed.append(packer.compress(text.getvalue().encode()))
    if not groups:
        raise UqbenchError(f"{path}: no structure is selected ({selection}); select more.")
    pool = b"".join(packed) + packer.flush()
    content = {
        "name": f"{layout}_selection",
        "description": f"{sum(groups.values())} structures of {source['title']}: {selection}",
        "elements": sorted(elements),
        "licence": source["licence"],
        "citation": source["citation"],
        "files": [{"name": "pool.xyz.xz", "sha256": hashlib.sha256(pool).hexdigest(), "bytes": len(pool)}],
        "upstream": [{"url": source["url"], "sha256": file_sha256(path), "bytes": path.stat().st_size}],
        "dft": {"summary": source["dft"]},
        "groups": {name: f"{n} structures" for name, n in sorted(groups.items())},
        "cluster_by": {"*": source["cluster"]},
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "pool.xyz.xz", pool)
    card = folder / "card.yaml"
    write_atomically(card, yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())
    read_card(card)
    return card
