"""What tests of the data path get."""

from collections.abc import Iterator

import pytest

from tests.support.clock import Clock, patched_clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    """See ``LocalGateway.pass_time``."""
    with patched_clock() as clock:
        yield clock
