"""The contract of a method, checked on a few toy structures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from uqbench.api import CommitteeMethod, FrameTask, LinearMethod, NetworkMethod
from uqbench.check import committee_method, fitting, network_method, parameters, potential
from uqbench.check.committee_method import CommitteeTrial
from uqbench.check.finding import Broken, Finding, examine
from uqbench.check.network_method import NetworkTrial
from uqbench.check.task import check_tables
from uqbench.check.toy_data import toy_frames
from uqbench.check.trial import Trial
from uqbench.registry import Registry, source_file
from uqbench.spec import describe_fields, make_spec, parse_spec

AnyMethod = LinearMethod | NetworkMethod | CommitteeMethod
AnyTrial = Trial | NetworkTrial | CommitteeTrial

CHECKS: dict[str, Callable[[Trial], str | None]] = {
    "mean coefficients": parameters.check_mean,
    "facts": parameters.check_facts,
    "predictions of rows": parameters.check_rows,
    "draws of coefficients": parameters.check_samples,
    "bounds of coefficients": parameters.check_support,
    "ends of the bounds": parameters.check_extremes,
    "inputs left alone": fitting.check_inputs,
    "same seed, same result": fitting.check_seed,
    "global random state left alone": fitting.check_global_state,
    "energies alone": fitting.check_energies_only,
    "one training structure": fitting.check_one_structure,
    "units": potential.check_units,
    "energy, forces and stress of one potential": potential.check_one_potential,
    "none, one or many structures": potential.check_any_number,
    "unseen element": potential.check_unseen_element,
}


def check_method(text: str, registry: Registry) -> list[Finding]:
    """Fit NAME or NAME:field=value to toy structures, check all that the contract promises, evaluate all tasks.

    A method for networks meets toy networks, which need no torch and take no time; one for committees such toys as
    finished calculators.
    Property tasks see a method through its draws and bounds of coefficients only, which are checked.

    Raises UqbenchError only for a name that is not there; whatever the plugin raises is a finding.
    """
    name = text.partition(":")[0]
    sources = [source_file(registry.find("methods", name))]
    built: list[AnyMethod] = []
    trials: list[AnyTrial] = []
    findings = [examine("parameters", sources, _build, text, registry, built)]
    if built:
        findings.append(examine("fit", sources, _fit, built[0], trials))
    for trial in trials:
        if isinstance(trial, NetworkTrial):
            checks = network_method.CHECKS.items()
            findings += [examine(what, sources, check, trial) for what, check in checks]
        elif isinstance(trial, CommitteeTrial):
            checks = committee_method.CHECKS.items()
            findings += [examine(what, sources, check, trial) for what, check in checks]
        else:
            findings += [examine(what, sources, check, trial) for what, check in CHECKS.items()]
        findings += [
            examine(f"task {name}", [*sources, source_file(task)], _carry, task, trial)
            for name, task in sorted(registry.tasks.items())
            if issubclass(task, FrameTask)
        ]
    return findings


def method_specs(name: str, registry: Registry) -> list[str]:
    """The method as it is and its variants, as text. Raises UqbenchError if a variant is not allowed."""
    variants = registry.find("methods", name).variants  # pyright: ignore[reportAttributeAccessIssue]
    return list(dict.fromkeys([name, *(str(make_spec(name, v, registry, "methods")) for v in variants)]))


def _build(text: str, registry: Registry, built: list[AnyMethod]) -> None:
    """A frozen dataclass whose fields have defaults, and whose variants are allowed."""
    name = text.partition(":")[0]
    cls: Any = registry.find("methods", name)
    describe_fields(cls)
    if not cls.__dataclass_params__.frozen:
        raise Broken(f"{cls.__name__} can be changed; decorate it with @dataclass(frozen=True).")
    demanding = [
        f.name for f in dataclasses.fields(cls) if f.default is f.default_factory is dataclasses.MISSING
    ]
    if demanding:
        raise Broken(f"{cls.__name__}.{demanding[0]} has no default; a run with no parameters needs one.")
    method_specs(name, registry)
    method = parse_spec(text, registry, "methods").build(registry, "methods")
    if not isinstance(method, AnyMethod):
        raise Broken(
            f"{cls.__name__} is no LinearMethod, NetworkMethod or CommitteeMethod; subclass one of them."
        )
    built.append(method)


def _fit(method: AnyMethod, trials: list[AnyTrial]) -> None:
    if isinstance(method, NetworkMethod):
        trials.append(NetworkTrial.of(method))
    elif isinstance(method, CommitteeMethod):
        trials.append(CommitteeTrial.of(method))
    else:
        trials.append(Trial.of(method))


def _carry(task: type[FrameTask], trial: AnyTrial) -> None:
    check_tables(task(), trial.potential, toy_frames())
