"""Tasks that break one rule each, methods of the wrong make, and the sentence that each is told."""

import re
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from uqbench.api import FrameTask, LinearMethod, NotApplicable
from uqbench.check.method import check_method
from uqbench.check.task import check_task
from uqbench.registry import Registry
from uqbench_tasks.forces import Forces


def with_tables(change):
    """The forces task with its tables changed."""

    def evaluate(self, posterior, frames):
        return change(dict(Forces().evaluate(posterior, frames)), frames)

    return dataclass(frozen=True)(type("Bad", (FrameTask,), {"evaluate": evaluate, "__module__": __name__}))


def one(**changes):
    """Change fields of the energy table."""

    def change(tables, frames):
        table = tables["energy"]
        return tables | {"energy": replace(table, **{k: f(getattr(table, k)) for k, f in changes.items()})}

    return change


def moves_atoms(tables, frames):
    frames[0].atoms.positions[0, 0] += 1e-6
    frames[0].atoms.positions[0, 0] -= 2e-6
    return tables


def not_applicable(tables, frames):
    raise NotApplicable("no reason at all")


def statuses(change):
    return check_task("bad", Registry({}, {"bad": with_tables(change)}, {}, {}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, f: {}, "evaluate returns {}; return tables by name"),
        (lambda t, f: [t], r"return tables by name, or raise NotApplicable"),
        (lambda t, f: {"energy": t["energy"].prediction}, "'energy' is a Prediction; a Table"),
        (one(unit=lambda u: ""), "has the unit ''"),
        (one(reference=lambda r: r[:, None]), r"reference has type float64 and shape \(\d+, 1\)"),
        (one(reference=lambda r: r * np.nan), "a reference is not finite"),
        (one(structure=lambda s: s + 1000), "structure runs from 1000"),
        (one(scored=lambda s: s.astype(float)), "scored has type float64"),
        (one(prediction=lambda p: p.take(np.arange(0))), "table 'energy' is empty"),
        (moves_atoms, "evaluate writes into toy frame"),
        (lambda t, f: 1 / 0, r"ZeroDivisionError: division by zero \(test_check_broken_tasks.py"),
    ],
)
def test_a_bad_task_is_told_what_is_wrong(change, words):
    found = next(f for f in statuses(change) if f.what == "tables")
    assert found.status == "failed"
    assert re.search(words, found.words), found.words


def test_a_task_that_is_not_applicable_is_skipped_with_its_reason():
    found = statuses(not_applicable)[1:]
    assert {(f.status, f.words) for f in found} == {("skipped", "not applicable: no reason at all")}


def parameters_of(method, text="bad"):
    found = check_method(text, Registry({"bad": method}, {}, {}, {}))
    assert [f.what for f in found] == ["parameters"]
    return found[0].words


class _Fit(LinearMethod):
    def fit(self, problem, rng):
        raise NotImplementedError


def test_methods_of_the_wrong_make_are_told():
    @dataclass
    class Changeable(_Fit):
        pass

    @dataclass(frozen=True)
    class Demanding(_Fit):
        members: int

    @dataclass(frozen=True)
    class Variants(_Fit):
        variants: ClassVar = ({}, {"membrs": 3})
        members: int = 2

    class Plain(_Fit):
        pass

    @dataclass(frozen=True)
    class Sound(_Fit):
        members: int = 2

    assert "members='many' is not allowed" in parameters_of(Sound, "bad:members=many")
    assert "Changeable can be changed; decorate it with @dataclass(frozen=True)" in parameters_of(Changeable)
    assert "Demanding.members has no default" in parameters_of(Demanding)
    assert "no parameter is called 'membrs'. Did you mean members?" in parameters_of(Variants)
    assert "Plain is not a dataclass" in parameters_of(Plain)
