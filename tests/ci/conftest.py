"""The toy project's records, made once: they cost a run."""

import pytest
from toy_project import run_suite, write_project


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def project(tmp_path_factory, cache):
    """A folder with suite, method, backbone and data, and the results of a run in `results`."""
    folder = tmp_path_factory.mktemp("toy") / "project"
    write_project(folder)
    run_suite(folder, cache, "results")
    return folder
