from pathlib import Path

import pytest
from datasets.tiny import make_all


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Every tiny data set; not to be changed."""
    return make_all(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def fresh(tmp_path) -> Path:
    """The same to be damaged."""
    return make_all(tmp_path)
