"""What every test gets."""

import os
from pathlib import Path

import hypothesis
import pytest

from tests.support.tools import find_tool

ROOT = Path(__file__).parent.parent

# No deadline: a shared machine may be slow, and no test here is about time. In CI the examples are the same each run,
# so that a red run is the change's doing; people at their desks look for new ones.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout, for tests of files outside the package."""
    return ROOT


@pytest.fixture(scope="session")
def curl() -> str:
    """Path of curl."""
    return find_tool("curl")


@pytest.fixture(scope="session")
def openssl() -> str:
    """Path of the openssl program."""
    return find_tool("openssl")


@pytest.fixture(autouse=True)
def _no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every flag is also an environment variable, and so is the kubeconfig; keep the developer's out of tests."""
    for name in os.environ:
        if name.startswith("INGRESSD_") or name == "KUBECONFIG":
            monkeypatch.delenv(name)
    # aiohttp and curl would send loopback traffic to the developer's proxy. It stays set for what fetches tools.
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The only skip there is: tests for a real API server, where there is none. It is listed in pytest's summary."""
    if os.environ.get("KUBEBUILDER_ASSETS"):
        return
    for item in items:
        if item.get_closest_marker("real_apiserver"):
            item.add_marker(pytest.mark.skip(reason="KUBEBUILDER_ASSETS names no kube-apiserver"))
