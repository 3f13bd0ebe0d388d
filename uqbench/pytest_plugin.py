"""`pytest --uqbench SUITE`: scores of a suite, for tests to assert. Nothing is run or imported before a test asks.

def test_bounds_hold_what_they_claim(uqbench_scores):
    coverage = uqbench_scores("my_method", task="forces").score("coverage_95", kind="forces")
    assert coverage.high >= 0.95
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from uqbench.ci.scores import SuiteScores


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, in a group of their own."""
    group = parser.getgroup("uqbench")
    group.addoption(
        "--uqbench",
        metavar="SUITE",
        help="suite whose scores the fixture uqbench_scores gives; tests that use it are skipped without this",
    )
    group.addoption(
        "--uqbench-out",
        type=Path,
        default=Path("uqbench-results"),
        metavar="FOLDER",
        help="results of the suite, used again until what they follow from changes (default: uqbench-results)",
    )
    group.addoption(
        "--uqbench-plugin",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a plugin being worked on; may be given more than once",
    )


@pytest.fixture(scope="session")
def uqbench_scores(pytestconfig: pytest.Config) -> SuiteScores:
    """Scores of one cell: uqbench_scores("my_method", task="forces").score("coverage_95", kind="forces").

    The suite of --uqbench is run when the first test asks; see uqbench.ci.scores for what it gives.
    """
    suite = pytestconfig.getoption("--uqbench")
    if suite is None:
        pytest.skip("scores are asked for by pytest --uqbench SUITE")
    from uqbench.ci.scores import run_suite
    from uqbench.errors import UqbenchError

    option = pytestconfig.option
    try:
        return run_suite(suite, option.uqbench_out, option.uqbench_plugin)
    except UqbenchError as error:
        pytest.fail(f"uqbench: {error}", pytrace=False)
