"""Programs of the machine that tests drive. A missing one is a failure that says how to get it: nothing is skipped."""

import shutil

import pytest


def find_tool(name: str) -> str:
    """Absolute path of a program. Fails the test when it is not there."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")  # where Debian puts services
    if path is None:
        pytest.fail(f"{name} is not on PATH; on Debian, as root: make tools", pytrace=False)
    return path
