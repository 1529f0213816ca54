"""Compiling survives faults of ours; here they must not go unseen."""

import logging
from collections.abc import Callable, Iterator

import pytest

Faults = Callable[[], list[str]]
"""What was logged as a fault of ours so far, which is then as expected."""


@pytest.fixture(autouse=True)
def faults() -> Iterator[Faults]:
    found: list[str] = []

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    def taken() -> list[str]:
        seen = found.copy()
        found.clear()
        return seen

    handler, logger = Seen(logging.ERROR), logging.getLogger("ingressd.routing")
    logger.addHandler(handler)
    yield taken
    logger.removeHandler(handler)
    assert found == []
