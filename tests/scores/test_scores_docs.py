"""Every example in a docstring of uqbench.scores, and of what it stands on, runs as printed."""

import doctest
import importlib
import pkgutil

import pytest

import uqbench.scores

MODULES = [
    "uqbench.normal_quantile",
    *(f"uqbench.scores.{module.name}" for module in pkgutil.iter_modules(uqbench.scores.__path__)),
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs={"np": importlib.import_module("numpy")})
    assert result.failed == 0


def test_most_public_scores_have_an_example():
    attempted = sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES)
    assert attempted >= 25
