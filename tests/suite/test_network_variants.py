"""Networks of other kinds in a run: started from the plain ones, stored and paid for as these are."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from suite.test_network_runs import NETWORK, networks, place, run  # noqa: F401 (place is a fixture)

from uqbench.api import NetworkRequest, NoiseHead, Readouts
from uqbench.check.toy_data import ELEMENTS, toy_frames
from uqbench.check.toy_network import ToyNoisy, toy_training, toy_variant
from uqbench.suite.networks import NetworkStore, network_key

VARIANTS = '''

from uqbench.api import NoiseHead, Readouts
from uqbench.check.toy_network import ToyCommittee, ToyNoisy, toy_variant


def keep(self, path):
    values = vars(self) | {"weights": self.weights.tolist(), "kind": type(self).__name__}
    if "others" in values:
        values["others"] = [w.tolist() for w in self.others]
    path.write_text(json.dumps(values))


KINDS = {
    "KeptNoisy": type("KeptNoisy", (ToyNoisy,), {"save": keep}),
    "KeptCommittee": type("KeptCommittee", (ToyCommittee,), {"save": keep}),
}


@dataclass(frozen=True)
class ToyVariants(ToyNet):
    """A toy network of any kind; a variant takes a second."""

    variants = (NoiseHead, Readouts)

    def train(self, request):
        variant, start, references = request.variant, request.start, request.references
        if variant is None:
            return super().train(request)
        if variant.from_plain != (start is not None):
            raise UqbenchError("no start, or one too many")
        plain = start or toy_training(request.frames, references, request.seed)
        made = toy_variant(plain, variant, request.seed)
        cls = KINDS["Kept" + type(made).__name__.removeprefix("Toy")]
        more = {"others": made.others} if hasattr(made, "others") else {"law": made.law}
        return cls(made.weights, references, [{"epoch": 1.0, "seconds": 2.0, "cpu_seconds": 1.0}], **more)

    def load(self, path):
        content = json.loads(path.read_text())
        if "kind" not in content:
            return super().load(path)
        content["weights"] = np.array(content["weights"])
        if "others" in content:
            content["others"] = tuple(np.array(w) for w in content["others"])
        return KINDS[content.pop("kind")](**content)


del ToyNet
'''
METHODS = (
    "constant",
    "correlated_noise",
    "correlated_noise:schedule=joint",
    "correlated_noise_ensemble:members=2",
    "shallow_ensemble:members=4",
    "mean_variance",
)


@pytest.fixture(scope="module")
def folder(place):  # noqa: F811
    (place / "toy_net.py").write_text(NETWORK + VARIANTS)
    yield place
    (place / "toy_net.py").write_text(NETWORK)


@pytest.fixture(scope="module")
def found(folder):
    done, records = run(folder, folder / "cache2", folder / "out2", "toy_net", "--method", *METHODS)
    assert done.returncode == 0, done.stdout + done.stderr
    return records


def test_variants_start_from_the_shared_network_and_each_is_paid_for_once(folder, found):
    """Plain ones: 15 s a run of three folds; a head: 3 s; a second member: a plain one and a head more."""
    assert {m: r["status"] for m, r in found.items()} == dict.fromkeys(METHODS, "ok")
    # Three folds: two plain members, heads on both, one from scratch, white ones, readouts.
    assert len(networks(folder / "cache2")) == 3 * 7
    backbone = {m: r["cost"]["backbone"]["train_network_cpu_s"] for m, r in found.items()}
    assert backbone.pop("correlated_noise:schedule=joint") == 0.0
    assert set(backbone.values()) == {15.0}
    own = {m: sum(fold["cpu_s"] for fold in r["cost"]["fit"]) for m, r in found.items()}
    for method in ("correlated_noise", "correlated_noise:schedule=joint", "mean_variance"):
        assert own[method] == pytest.approx(3.0, abs=0.5)
    assert own["correlated_noise_ensemble:members=2"] == pytest.approx(3.0 + 15.0 + 3.0, abs=0.5)
    shared = {tuple(fold["network"] for fold in r["facts"]) for m, r in found.items() if "joint" not in m}
    assert len(shared) == 1


def test_noise_alone_gives_energies_and_forces_and_its_intervals_are_gaussian(folder, found):
    for method, rules in [("correlated_noise", {"gaussian"}), ("shallow_ensemble:members=4", {"student"})]:
        raw = np.load(folder / "out2" / "records" / found[method]["raw"]["file"])
        assert set(np.unique(raw["forces.rule"])) == rules
    assert set(found["correlated_noise"]["scores"]["raw"]["test"]) == {"energy", "forces"}
    assert set(found["correlated_noise_ensemble:members=2"]["scores"]["raw"]["test"]) == {
        "energy",
        "forces",
        "stress",
    }


def test_a_backbone_that_does_not_know_the_variant_says_so(folder, tmp_path):
    (tmp_path / "toy_linear.py").write_text((folder / "toy_linear.py").read_text())
    (tmp_path / "alloy.xyz").write_text((folder / "alloy.xyz").read_text())
    (tmp_path / "toy_net.py").write_text(NETWORK)
    done, records = run(
        tmp_path, tmp_path / "cache", tmp_path / "out", "toy_net", "--method", "correlated_noise"
    )
    assert done.returncode == 0, done.stdout
    record = records["correlated_noise"]
    assert record["status"] == "not applicable"
    assert record["failure"]["reason"] == (
        "correlated_noise needs networks with NoiseHead, which toy_net cannot train (it knows plain ones only)."
    )


class Backbone:
    """What a store needs of one that trains variants."""

    distributions = ()

    def __init__(self):
        self.starts = []

    def train(self, request):
        self.starts.append(request.start)
        made = toy_variant(request.start, request.variant, request.seed)
        cls = type("Kept", (ToyNoisy,), {"save": lambda self, path: path.write_text("weights")})
        return cls(made.weights, request.references, law=made.law)

    def origins(self):
        return ()

    def load(self, path):
        return path.read_text()

    def __repr__(self):
        return "Backbone()"


def test_a_store_hands_over_the_start_and_keeps_variants_apart(tmp_path):
    backbone, references = Backbone(), {"Au": 0.0, "Cu": 0.0}
    store = NetworkStore(tmp_path, backbone, "cpu", lambda text: None)
    start = toy_training(toy_frames(), references, 0)
    head = NoiseHead()

    def request(variant, start=None):
        return NetworkRequest(toy_frames(), ELEMENTS, references, 0, variant=variant, start=start)

    def asked(variant):
        return store.network(request(variant, start), "a network")

    assert asked(head).key == asked(NoiseHead()).key
    assert asked(dataclasses.replace(head, energy_weight=2.0)).key != asked(head).key
    assert backbone.starts == [start, start]
    keys = [
        network_key(backbone, request(variant))
        for variant in (None, head, NoiseHead("white"), NoiseHead(nuggets=True), Readouts(4), Readouts(5))
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.slow
def test_real_heads_through_the_command_line_to_the_vacancy(tmp_path):
    """MACE on the embedded aluminium: scored frames, a vacancy with the head's noise, reasons where there is none."""
    pytest.importorskip("torch", reason="needs torch")
    methods = (
        "correlated_noise",
        "correlated_noise:site_local=true",
        "mean_variance",
        "correlated_noise_ensemble:members=2",
        "shallow_ensemble:members=4",
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "uqbench", "run", "--dataset", "al", "--backbone", "mace:epochs=20"),
            *("--method", *methods, "--task", "forces", "vacancy", "elastic", "--device", "cpu"),
            *("--out", str(tmp_path / "out")),
        ],
        env={**os.environ, "UQBENCH_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for path in (tmp_path / "out" / "records").glob("*.json"):
        record = json.loads(path.read_text())
        found[record["cell"]["method"], record["cell"]["task"]] = record
    for method in methods:
        assert found[method, "forces"]["status"] == "ok", found[method, "forces"]["failure"]
        assert found[method, "vacancy"]["status"] == "ok", found[method, "vacancy"]["failure"]
        row = found[method, "vacancy"]["properties"][0]
        assert row["std"] is None or row["std"] > 0
        carried = "ensemble" in method
        assert ("independent" in row["route"]) != carried
        assert found[method, "elastic"]["status"] == ("ok" if carried else "not applicable")
    assert "strain" in found["correlated_noise", "elastic"]["failure"]["reason"]
