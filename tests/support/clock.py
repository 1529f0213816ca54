"""Time that passes when a test says so, for everything that the data path measures."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

_ASKED_BY = (
    "downstream",
    "forward",
    "held",
    "limiting",
    "outlet",
    "patience",
    "planned",
    "shaped",
    "splicing",
    "tended",
    "tunnel",
    "upstream",
)
"""Files of the data path that look at the clock."""


class Clock:
    """``monotonic`` and what has been passed over."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def __call__(self) -> float:
        return monotonic() + self.passed_s


@contextmanager
def patched_clock() -> Iterator[Clock]:
    """The data path asks this clock."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        for name in _ASKED_BY:
            patch.setattr(f"ingressd.proxy.{name}.monotonic", clock)
        yield clock
