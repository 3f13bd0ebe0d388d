"""Suites that come with uqbench are found by name, valid, and plan what they say."""

import pytest

from uqbench.api import NetworkMethod
from uqbench.cli import main
from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.suite.config import find_suite, load_suite
from uqbench.suite.run import plan_suite


def test_the_linear_study_plans_every_method_at_every_size():
    suite = load_suite(find_suite("linear-study"))
    plan = plan_suite(suite, discover())
    methods = {str(fit.method) for fit in plan}
    assert {"constant", "pops", "pops_calibrated", "bayesian_linear:noise=false"} <= methods
    assert {fit.train_size for fit in plan} == {0.1, 0.2, 0.4, 0.7, 1.0}
    assert {fit.dataset for fit in plan} == {"al", *(f"zuo2020_{e}" for e in ("cu", "mo", "si", "li"))}
    assert len(plan) == 5 * 5 * len(methods)
    cutoffs = {fit.dataset: fit.backbone.parameters for fit in plan}
    assert cutoffs["zuo2020_cu"] != cutoffs["zuo2020_li"]


def test_a_name_or_a_path(tmp_path):
    path = tmp_path / "mine"
    path.write_text("seeds: [3]\n")
    assert load_suite(find_suite(str(path))).seeds == (3,)
    assert find_suite("some/where.yaml").name == "where.yaml"
    with pytest.raises(UqbenchError, match=r"no suite is called 'linear-stud'\. Did you mean linear-study"):
        find_suite("linear-stud")


def test_the_command_line_takes_the_name(capsys):
    asked = ["run", "--suite", "linear-study", "--dataset", "al", "--method", "constant", "--dry-run"]
    assert main(asked) == 0
    assert "5 fits" in capsys.readouterr().out


def test_the_suite_for_gpus_has_both_backbones_and_every_method():
    plan = plan_suite(load_suite(find_suite("gpu")), discover())
    assert {fit.device for fit in plan} == {"cuda"}
    assert {str(fit.backbone).split(":")[0] for fit in plan} == {"snap", "mace"}
    assert {"pops_calibrated", "correlated_noise", "deep_ensemble"} <= {fit.method.name for fit in plan}


def test_the_full_suite_has_every_method_on_either_backbone_and_every_task():
    registry = discover()
    plan = plan_suite(load_suite(find_suite("full")), registry)
    for backbone, left_out in (("snap", NetworkMethod), ("mace", ())):
        methods = {fit.method.name for fit in plan if str(fit.backbone) == backbone}
        needed = {name for name, kind in registry.methods.items() if not issubclass(kind, left_out)}
        assert needed - methods <= {"external", "cqr"}  # calculators of one's own; a package of its own
    assert {task for fit in plan for task in fit.tasks} == set(registry.tasks)


def test_splits_of_the_zuo2020_suite_hold_no_group_out():
    suite = load_suite(find_suite("zuo2020"))
    plan = plan_suite(suite, discover())
    assert suite.held_out == ()
    assert len(plan) == 4 * 5 * len(suite.methods)


@pytest.mark.parametrize("name", ["mace", "molecules"])
def test_suites_of_networks_have_every_method_for_networks_and_weights_that_keep_energies(name):
    registry = discover()
    suite = load_suite(find_suite(name))
    plan = plan_suite(suite, registry)
    theirs = {name for name, kind in registry.methods.items() if issubclass(kind, NetworkMethod)}
    assert theirs <= {fit.method.name for fit in plan}
    assert suite.weights == "stated"
    assert {fit.backbone.name for fit in plan} == {"mace"}
