from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.apiserver.watch_reader import WatchReader
from tests.support.apiserver.harness import ApiServer


@pytest.fixture(scope="session")
def _server() -> Iterator[ApiServer]:
    # One process for all tests of this folder: starting one costs more than most of the tests.
    with ApiServer(arguments=["--bookmark-interval", "600"]) as server:
        yield server


@pytest.fixture
def api(_server: ApiServer) -> Iterator[ApiServer]:
    _server.reset()
    before = _server.state()["settings"]
    yield _server
    _server.configure(**before)


@pytest.fixture
async def session(api: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(api.url, timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
def watch(session: aiohttp.ClientSession) -> WatchReader:
    return WatchReader(session)
