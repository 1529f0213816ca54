"""One API-server fixture for all tests of the informer; each finds it as new."""

from collections.abc import Iterator

import pytest

from tests.support.apiserver.harness import ApiServer


@pytest.fixture(scope="session")
def running_api() -> Iterator[ApiServer]:
    with ApiServer() as api:
        yield api


@pytest.fixture
def api(running_api: ApiServer) -> ApiServer:
    """No objects, no faults, no request log; bookmarks only on demand, lists whole at version 0, streaming lists on."""
    running_api.reset()
    running_api.configure(
        bookmark_interval_s=3600.0, watch_cache=True, watch_list=True, gone_as_status=False, strict_addresses=False
    )
    return running_api
