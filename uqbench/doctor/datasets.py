"""Which datasets are on this machine, and what is amiss with those that are."""

from __future__ import annotations

import os
from pathlib import Path

from uqbench.doctor.finding import Finding
from uqbench.errors import UqbenchError


def datasets() -> list[Finding]:
    """UQBENCH_DATA, the datasets found with the right content, and those that are not."""
    from uqbench.data.card import read_card
    from uqbench.data.catalog import card_path, dataset_names
    from uqbench.data.files import locate

    there, absent, wrong = [], [], []
    for name in dataset_names():
        try:
            path = card_path(name)
            locate(read_card(path), path.parent)
            there.append(name)
        except UqbenchError as error:
            if "is not there (" in str(error):
                absent.append(name)
            else:
                wrong.append(Finding(name, "broken", str(error)))
    found = [_folder(bool(absent)), Finding("found", "ok", ", ".join(there))]
    if absent:
        remedy = "uqbench data list says how each is had."
        found.append(Finding("not found", "missing", ", ".join(absent), remedy))
    return found + wrong


def _folder(wanted: bool) -> Finding:
    given = os.environ.get("UQBENCH_DATA")
    if not given:
        remedy = "export UQBENCH_DATA=FOLDER, if you have the published sets." if wanted else ""
        return Finding("UQBENCH_DATA", "missing", "not set.", remedy)
    if not Path(given).is_dir():
        remedy = "Correct or unset it."
        return Finding("UQBENCH_DATA", "broken", f"{given} is no folder.", remedy)
    return Finding("UQBENCH_DATA", "ok", given)
