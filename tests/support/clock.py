"""Time that passes when a test says so, for everything that the data path measures."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

from ingressd.proxy import (
    downstream,
    forward,
    held,
    limiting,
    outlet,
    patience,
    planned,
    shaped,
    splicing,
    tended,
    tunnel,
    upstream,
)


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
        for module in (
            downstream,
            forward,
            held,
            limiting,
            outlet,
            patience,
            planned,
            shaped,
            splicing,
            tended,
            tunnel,
            upstream,
        ):
            patch.setattr(module, "monotonic", clock)
        yield clock
