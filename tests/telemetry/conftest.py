"""Loops to run on: the transports of asyncio and uvloop differ in type, so what touches them runs on both."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
