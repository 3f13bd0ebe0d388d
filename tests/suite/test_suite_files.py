"""Suite files: what is wrong is named with its line."""

import pytest

from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.suite.config import Suite, load_suite
from uqbench.suite.plan import make_plan


def write(tmp_path, text):
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return path


def test_a_suite_is_read(tmp_path):
    suite = load_suite(
        write(tmp_path, "name: mine\ndatasets: [al]\nseeds: [0, 1]\nscales: {energy: 0.002}\n")
    )
    assert suite.seeds == (0, 1)
    assert suite.scales.by_kind() == {"energy": 0.002, "forces": 0.1, "stress": 0.005}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nmethod: [pops]\n", r"line 2: there is no field method; fields are name, datasets"),
        ("name: x\n\nseeds: [0, -1]\n", r"line 3: seeds.1 is -1"),
        ("scales:\n  energy: 0.1\n  forces: -2\n", r"line 3: scales.forces is -2"),
        ("train_sizes:\n- 0.5\n- 1.5\n", r"line 3: train_sizes.1 is 1.5"),
        ("name: [\n", r"line 2: not valid YAML"),
        ("- 1\n", r"is a mapping"),
        ("devices: [tpu]\n", r"line 1: devices.0 is 'tpu'"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, text, message):
    with pytest.raises(UqbenchError, match=message):
        load_suite(write(tmp_path, text))


def test_a_missing_or_binary_file_is_said(tmp_path):
    with pytest.raises(UqbenchError, match="cannot be read"):
        load_suite(tmp_path / "none.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UqbenchError, match="cannot be read"):
        load_suite(binary)


def test_the_plan_is_the_product_and_its_ids_differ():
    suite = Suite(
        backbones=("snap",), methods=("pops", "pops:bounds=exact"), seeds=(0, 1), train_sizes=(0.5, 1)
    )
    plan = make_plan(suite, discover(), ("cpu",), lambda dataset: {})
    ids = [fit.cell("forces").cell_id for fit in plan]
    assert len(ids) == len(set(ids)) == 8
    assert len({fit.cell("forces").file_stem for fit in plan}) == 8
    assert "al/snap/pops:bounds=exact/forces/train=0.5/seed=0/cpu" in ids


def test_default_parameters_written_out_are_the_same_cell():
    suite = Suite(backbones=("snap:twojmax=8",), methods=("pops", "pops:bounds=sampled,percentile=0"))
    assert len(make_plan(suite, discover(), ("cpu",), lambda dataset: {})) == 1


def test_unknown_names_are_refused_before_anything_runs():
    with pytest.raises(UqbenchError, match="Did you mean pops"):
        make_plan(Suite(methods=("popps",)), discover(), ("cpu",), lambda dataset: {})
    with pytest.raises(UqbenchError, match="Did you mean percentile"):
        make_plan(Suite(methods=("pops:percentil=1",)), discover(), ("cpu",), lambda dataset: {})


def test_a_card_suggests_what_the_suite_leaves_open():
    def plan(*backbones):
        suggested = {"snap": {"cutoff": 4.1}}
        suite = Suite(backbones=backbones, methods=("pops",))
        return [str(f.backbone) for f in make_plan(suite, discover(), ("cpu",), lambda dataset: suggested)]

    assert plan("snap") == ["snap:cutoff=4.1"]
    assert plan("snap:twojmax=6") == ["snap:twojmax=6,cutoff=4.1"]
    assert plan("snap:cutoff=5") == ["snap"]
    assert plan({"snap": {"weights": {"Cu": 1.0, "Al": 0.7}}}) == [
        "snap:cutoff=4.1,weights={'Cu': 1.0, 'Al': 0.7}"
    ]
