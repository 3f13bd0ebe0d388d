import pytest
from cluster.small_runs import write_copper


@pytest.fixture(scope="session")
def copper(tmp_path_factory):
    return write_copper(tmp_path_factory.mktemp("data") / "copper.xyz")
