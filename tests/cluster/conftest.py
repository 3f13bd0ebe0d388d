import pytest
from emt_copper import write_copper


@pytest.fixture(scope="session")
def copper(tmp_path_factory):
    return write_copper(tmp_path_factory.mktemp("data") / "copper.xyz")
