"""Names to addresses, for the few names that routes ask beside their endpoints: auth services, mirrors.

The loop never waits: look-ups run in its threads, one at a time for each name and few at a time in all. An address
stays good for a while, and is looked up again before it is missed; when that fails the last good ones are kept.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from time import monotonic
from typing import Final

from ingressd.errors import UpstreamError

log = logging.getLogger(__name__)

MAX_NAMES: Final = 1024
MAX_ADDRESSES: Final = 16  # of one name
MAX_LOOKUPS: Final = 32
"""Under way at a time; they wait for a handful of threads, so more would only wait longer."""
FRESH_S: Final = 10.0  # as nginx without a TTL would hold a Service's name at the most, give or take
USABLE_S: Final = 300.0
"""Until then a known address is used while it is looked up again; an older one only when that has failed."""
FAILED_S: Final = 2.0  # a name that is not there is not asked for again for so long
LOOKUP_TIMEOUT_S: Final = 10.0

Lookup = Callable[[str], Awaitable[tuple[str, ...]]]


class _Known:
    """One name. ``asked_at`` is when the last look-up ended, ``good_at`` the last that found something."""

    __slots__ = ("addresses", "asked_at", "good_at", "task")

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ()
        self.asked_at = self.good_at = float("-inf")
        self.task: asyncio.Task[None] | None = None


class Resolver:
    """The names of one worker. ``lookup`` and ``clock`` (monotonic seconds) are for tests."""

    __slots__ = ("_clock", "_known", "_lookup", "_loop", "_max_names", "_under_way")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        lookup: Lookup | None = None,
        clock: Callable[[], float] = monotonic,
        max_names: int = MAX_NAMES,
    ) -> None:
        self._loop = loop
        self._lookup = lookup or self._ask_system
        self._clock = clock
        self._known: dict[str, _Known] = {}  # the one used last comes last
        self._max_names = max_names
        self._under_way: set[asyncio.Task[None]] = set()

    def known(self, name: str) -> tuple[str, ...]:
        """Addresses at hand without waiting; () when there are none, then ``await addresses(name)``."""
        if _is_address(name):
            return (name,)
        known = self._known.get(name)
        if known is None:
            return ()
        age = self._clock() - known.good_at
        if age >= FRESH_S:
            self._look_up_again(name, known)
        return known.addresses if age < USABLE_S else ()

    async def addresses(self, name: str) -> tuple[str, ...]:
        """Addresses of ``name``, or itself when it is one. Cancelling it leaves the look-up to others who wait.

        Raises:
            UpstreamError: ``name_not_resolved``; nothing was sent.
        """
        found = self.known(name)
        if found:
            return found
        known = self._place(name)
        task = self._look_up_again(name, known)
        if task is not None:
            await asyncio.wait((task,))
        if not known.addresses:
            raise UpstreamError("name_not_resolved", f"{name[:255]} has no address we can find", unheard=True)
        return known.addresses

    def close(self) -> None:
        """Forget what is under way."""
        for task in list(self._under_way):
            task.cancel()

    def _place(self, name: str) -> _Known:
        known = self._known.pop(name, None) or _Known()
        if len(self._known) >= self._max_names:
            del self._known[next(iter(self._known))]
        self._known[name] = known
        return known

    def _look_up_again(self, name: str, known: _Known) -> asyncio.Task[None] | None:
        """The look-up of this name, begun now unless one is under way or has just failed."""
        if known.task is not None:
            return known.task
        if self._clock() - known.asked_at < FAILED_S or len(self._under_way) >= MAX_LOOKUPS:
            return None
        task = known.task = self._loop.create_task(self._look_up(name, known))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _look_up(self, name: str, known: _Known) -> None:
        found: tuple[str, ...] = ()
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                found = await self._lookup(name)
        except (OSError, TimeoutError, UnicodeError) as error:
            log.warning("%s cannot be resolved: %s", name[:255], str(error) or "it took too long")
        finally:
            known.task = None
            known.asked_at = self._clock()
        if found:
            known.addresses = found[:MAX_ADDRESSES]
            known.good_at = known.asked_at

    async def _ask_system(self, name: str) -> tuple[str, ...]:
        found = await self._loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _is_address(name: str) -> bool:
    if not name[-1:].isdigit() and ":" not in name:
        return False
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
