"""The contract test: every method, task and backbone that is installed, on the toy structures."""

import pytest

from uqbench.api import FrameTask, NetworkBackbone
from uqbench.check.backbone import check_backbone
from uqbench.check.method import check_method, method_specs
from uqbench.check.run import run_check
from uqbench.check.task import check_task
from uqbench.errors import UqbenchError
from uqbench.registry import Registry, discover
from uqbench.suite.plan import missing_packages

REGISTRY = discover()
SPECS = [spec for name in sorted(REGISTRY.methods) for spec in method_specs(name, REGISTRY)]


def failures(findings):
    return [f"{f.what}: {f.words}" for f in findings if f.status == "failed"]


def test_something_is_installed_and_nothing_is_broken():
    assert {"constant", "bayesian_linear", "pops", "bootstrap"} <= set(REGISTRY.methods)
    assert "forces" in REGISTRY.tasks
    assert not REGISTRY.broken


@pytest.mark.parametrize("spec", SPECS)
def test_method_keeps_its_contract_and_carries_every_task(spec):
    findings = check_method(spec, REGISTRY)
    assert failures(findings) == []
    frame_tasks = {f"task {n}" for n, cls in REGISTRY.tasks.items() if issubclass(cls, FrameTask)}
    assert frame_tasks <= {f.what for f in findings}
    assert next(f for f in findings if f.what == "task forces").status == "ok"


@pytest.mark.parametrize("name", sorted(REGISTRY.tasks))
def test_task_keeps_its_contract(name):
    assert failures(check_task(name, REGISTRY)) == []


@pytest.mark.parametrize("name", sorted(REGISTRY.backbones))
def test_backbone_keeps_its_contract(name):
    if missing := missing_packages(REGISTRY.backbones[name]):
        pytest.skip(f"{', '.join(missing)}: not installed")
    quick = issubclass(REGISTRY.backbones[name], NetworkBackbone)
    assert failures(check_backbone(f"{name}:epochs=1" if quick else name, REGISTRY)) == []


def test_the_toy_backbone_is_not_on_offer():
    assert not any("toy" in name for name in REGISTRY.backbones)


def test_a_name_alone_is_checked_with_its_variants():
    lines = []
    assert run_check(["bayesian_linear"], REGISTRY, lines.append) == 0
    assert [line for line in lines if not line.startswith(" ")] == [
        "bayesian_linear",
        "bayesian_linear:noise=false",
    ]


def test_an_unknown_name_is_an_error_and_a_broken_one_a_failure():
    with pytest.raises(
        UqbenchError, match=r"no method, task or backbone is called 'popps'. Did you mean pops"
    ):
        run_check(["popps"], REGISTRY, print)
    lines = []
    broken = Registry({}, {}, {}, {"mine": "mine: ImportError: no module named torch"})
    assert run_check(["mine"], broken, lines.append) == 1
    assert "  FAILED   import: mine: ImportError: no module named torch" in lines
