"""The one way in which tests wait for something that tells nobody when it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal, TypeVar

T = TypeVar("T")

_PAUSE_S = 0.02


def eventually(check: Callable[[], T | Literal[False] | None], *, within_s: float = 10.0) -> T:
    """What ``check`` returns once that is true. An assertion or a refused connection in it means: not yet.

    Raises:
        AssertionError: it was not so in time; what the last look saw is told.
    """
    deadline = time.monotonic() + within_s
    while True:
        trouble: Exception | None = None
        try:
            seen = check()
        except (AssertionError, OSError) as error:
            trouble = error
        else:
            if seen:
                return seen
        if time.monotonic() > deadline:
            last = repr(trouble) if trouble is not None else repr(seen)
            raise AssertionError(f"not within {within_s:g} s; at last: {last}") from trouble
        time.sleep(_PAUSE_S)


async def soon(check: Callable[[], T | Literal[False] | None], *, within_s: float = 10.0) -> T:
    """``eventually`` for tests with an event loop of their own, which goes on meanwhile."""
    return await asyncio.to_thread(eventually, check, within_s=within_s)
