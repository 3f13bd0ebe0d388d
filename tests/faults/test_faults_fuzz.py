"""Readers of damaged files: a UqbenchError that says what is wrong, or what is sound; nothing else, and in time."""

import io
import json
import lzma
import sqlite3
import warnings

import numpy as np
import pytest
import yaml
from damage import damaged_bytes, damaged_tree, in_time
from faults.command_runs import make_place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_records import make_record, make_table, write

from uqbench.compare.side import read_side
from uqbench.data.card import read_card
from uqbench.data.dataset import load_dataset
from uqbench.errors import UqbenchError
from uqbench.report.evidence import load_evidence
from uqbench.suite.brought import read_brought
from uqbench.suite.bundle import read_bundle
from uqbench.suite.config import load_suite
from uqbench.suite.raw import PARTS, from_npz, to_npz
from uqbench.suite.record import read_record
from uqbench.suite.scoring import score_tables

SUITE = {
    "name": "small",
    "datasets": ["al", "analytic_000-002"],
    "backbones": ["snap:cutoff=4.0", {"snap": {"twojmax": 4}}],
    "methods": ["pops", "constant"],
    "seeds": [0, 1],
    "train_sizes": [0.5, 1.0],
    "scales": {"energy": 0.005},
    "timeout": 60.0,
}
CARD = {
    "name": "tiny",
    "description": "d",
    "elements": ["Cu"],
    "licence": "l",
    "citation": "c",
    "files": [{"name": "copper.xyz", "sha256": "0" * 64, "bytes": 10, "url": "https://example.org/x"}],
    "dft": {"code": "none"},
    "groups": {"cold": "c", "warm": "w"},
    "held_out": ["warm"],
    "properties": [
        {"name": "a", "value": 3.6, "unit": "Å", "method": "m", "crystal": {"structure": "fcc", "a": 3.6}}
    ],
}
MANY, SOME = 2700, 40
"""Inputs of each reader in the long test, of which there are eight, and in the normal one."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("fuzz"), n=8)


def tables():
    """Raw predictions of one kind."""
    from uqbench.suite.raw import RawTable

    rng, n = np.random.default_rng(0), 60
    number = np.arange(n)
    mean = rng.standard_normal(n)
    return {
        "energy": RawTable(
            unit=np.array("eV/atom"),
            mean=mean,
            std=np.abs(rng.standard_normal(n)) + 0.1,
            lower=np.empty(0),
            upper=np.empty(0),
            nominal=np.array(0.0),
            level_lower=np.empty((0, 0)),
            level_upper=np.empty((0, 0)),
            rule=np.array(["gaussian"]),
            energy_score=np.empty(0),
            reference=mean + rng.standard_normal(n),
            structure=number,
            cluster=number,
            fold=np.zeros(n, dtype=np.int64),
            part=np.repeat(np.arange(2), n // 2),
            config_type=np.zeros(n, dtype=np.int64),
            config_types=np.array(["all"]),
            scored=np.ones(n, dtype=bool),
        )
    }


@pytest.fixture
def record(tmp_path):
    """A record with scores, as a tree, and its raw predictions in tmp_path."""
    tables = make_table("true", n_test=12)
    write(tmp_path, "x", make_record("good", tables), tables)
    return json.loads((tmp_path / "x.json").read_text())


def reads(examples, strategy, read):
    """Run a reader on examples of a strategy."""
    counts = {"sound": 0, "refused": 0, "without a word": 0}

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def check(content):
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(content)
                counts["sound"] += 1
            except UqbenchError as error:
                counts["refused" if str(error) else "without a word"] += 1

    check()
    print(counts)
    assert counts["refused"]
    assert not counts["without a word"]


def numbers_of():
    return [pytest.param(SOME, id="some"), pytest.param(MANY, id="many", marks=[pytest.mark.slow])]


@pytest.mark.parametrize("examples", numbers_of())
def test_structures(examples, place, tmp_path):
    text = (place / "copper.xyz").read_bytes()
    path = tmp_path / "x.xyz"

    def read(content):
        path.write_bytes(content)
        load_dataset(path)

    reads(examples, damaged_bytes(text), read)


@pytest.mark.parametrize("examples", numbers_of())
def test_packed_structures_and_databases(examples, place, tmp_path):
    from ase.db import connect
    from ase.io import read as ase_read

    text = (place / "copper.xyz").read_bytes()
    with connect(tmp_path / "sound.db") as database:
        for atoms in ase_read(place / "copper.xyz", ":"):
            database.write(atoms, data={"a": [1.0]}, config_type="x")
    sqlite3.connect(tmp_path / "sound.db").close()
    packed = {"x.xyz.xz": lzma.compress(text), "x.db": (tmp_path / "sound.db").read_bytes()}
    cases = [damaged_bytes(content).map(lambda c, n=name: (n, c)) for name, content in packed.items()]

    def read(case):
        name, content = case
        path = tmp_path / name
        path.write_bytes(content)
        load_dataset(path)

    reads(examples, st.one_of(cases), read)


@pytest.mark.parametrize("examples", numbers_of())
@pytest.mark.parametrize(("sound", "reader"), [(CARD, read_card), (SUITE, load_suite)], ids=["card", "suite"])
def test_cards_and_suites(examples, sound, reader, tmp_path):
    text = yaml.safe_dump(sound, allow_unicode=True).encode()
    path = tmp_path / "x.yaml"
    trees = damaged_tree(sound).map(lambda tree: yaml.safe_dump(tree, allow_unicode=True).encode())

    def read(content):
        path.write_bytes(content)
        reader(path)

    reads(examples, st.one_of(damaged_bytes(text), trees), read)


@pytest.mark.parametrize("examples", numbers_of())
def test_records(examples, record, tmp_path):
    """One by one, in a folder for a page, and in a folder for a comparison."""
    text = json.dumps(record).encode()
    path = tmp_path / "x.json"
    trees = damaged_tree(record).map(lambda tree: json.dumps(tree).encode())

    def read(content):
        path.write_bytes(content)
        read_side(tmp_path)
        evidence = load_evidence(tmp_path)
        assert (evidence.sections, evidence.panels) is not None
        read_record(path)

    reads(examples, st.one_of(damaged_bytes(text), trees, trees), read)


@pytest.mark.parametrize("examples", numbers_of())
def test_bundles(examples, record, tmp_path):
    (tmp_path / "x.json").unlink()
    plain = {**record, "raw": None, "scores": {}}
    lines = b"\n".join(json.dumps({**plain, "cell_id": str(i)}).encode() for i in range(3))
    path = tmp_path / "x.jsonl.xz"
    unpacked = damaged_bytes(lines).map(lzma.compress)

    def read(content):
        path.write_bytes(content)
        load_evidence(tmp_path)
        read_bundle(path)

    reads(examples, st.one_of(damaged_bytes(lzma.compress(lines)), unpacked), read)


def array_changes(arrays):
    """One or two arrays of another shape, dtype or content."""

    def changed(draws):
        found = dict(arrays)
        for name, change in draws:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[name] = CHANGES[change](found[name])
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{k: v for k, v in found.items() if v is not None})
        return buffer.getvalue()

    names, changes = sorted(arrays), sorted(CHANGES)
    pair = st.tuples(st.sampled_from(names), st.sampled_from(changes))
    return st.lists(pair, min_size=1, max_size=2).map(changed)


CHANGES = {
    "gone": lambda a: None,
    "cut": lambda a: None if a is None else a.ravel()[:-1],
    "empty": lambda a: np.empty(0),
    "scalar": lambda a: np.array(1.0),
    "tall": lambda a: None if a is None else a.reshape(-1, 1),
    "text": lambda a: None if a is None else a.astype(str),
    "complex": lambda a: np.full(np.shape(a), 1j),
    "nan": lambda a: np.full(np.shape(a), np.nan),
    "huge": lambda a: np.full(np.shape(a), 1e308),
    "negative": lambda a: np.full(np.shape(a), -3),
    "far": lambda a: np.full(np.shape(a), len(PARTS) + 10**6),
    "zero": lambda a: np.zeros(np.shape(a)),
    "flags": lambda a: np.ones(np.shape(a), dtype=bool),
    "long": lambda a: np.zeros(10**5),
}


@pytest.mark.parametrize("examples", numbers_of())
def test_raw_predictions(examples):
    """What is read can be scored, or is refused with a reason."""
    sound = to_npz(tables())
    with np.load(io.BytesIO(sound)) as archive:
        arrays = {name: archive[name] for name in archive.files}

    def read(content):
        score_tables(from_npz(content, "x.npz"))

    reads(examples, st.one_of(damaged_bytes(sound), array_changes(arrays), array_changes(arrays)), read)


@pytest.mark.parametrize("examples", numbers_of())
def test_predictions_that_are_brought(examples, place, tmp_path):
    rng, n = np.random.default_rng(0), 40
    arrays = {
        "energy_mean": rng.standard_normal(n),
        "energy_observed": rng.standard_normal(n),
        "energy_std": np.ones(n),
        "energy_samples": rng.standard_normal((5, n)),
        "energy_cluster": np.arange(n) // 2,
        "energy_unit": np.array("eV"),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    text = (place / "copper.xyz").read_bytes().replace(b"pbc=", b"energy_mean=-1.0 energy_std=0.1 pbc=")
    cases = [
        *(s.map(lambda c: ("x.npz", c)) for s in (damaged_bytes(buffer.getvalue()), array_changes(arrays))),
        damaged_bytes(text).map(lambda c: ("x.xyz", c)),
    ]

    def read(case):
        name, content = case
        path = tmp_path / name
        path.write_bytes(content)
        score_tables(read_brought(path, None, None, None))

    reads(examples, st.one_of(cases), read)
