"""Real sockets on both loops: what asyncio and uvloop do differently must make no difference."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from tests.support.clock import Clock, patched_clock
from tests.wire.flow.long_answers import Kernel, watched_kernel


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def clock() -> Iterator[Clock]:
    """See ``LocalGateway.pass_time``."""
    with patched_clock() as clock:
        yield clock


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """What it passes on, from a length that suits tests."""
    with watched_kernel() as kernel:
        yield kernel
