"""nginx, for tests that ask it what the right answer is."""

import pytest

from tests.support.tools import find_tool


@pytest.fixture(scope="session")
def nginx_program() -> str:
    return find_tool("nginx")
