import pytest
from helpers_app import running


@pytest.fixture(scope="session")
def client():
    """One server for all tests that only ask."""
    with running() as found:
        yield found
