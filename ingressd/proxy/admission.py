"""How many connections there may be: in all, and of one client address.

At the limit the listeners are closed and opened again when there is room: who comes meanwhile waits in the kernel's
queue, which the parent keeps open. Nothing spins, and no descriptor is missing for those who are in.
"""

from __future__ import annotations

import logging
from typing import Protocol

log = logging.getLogger(__name__)

_ROOM = 0.95
"""Accepting goes on when this share of the limit is in use, so that it does not flap at the edge."""
_RESERVE_SHARE = 4
_OTHER_DESCRIPTORS = 64
MAX_BACKLOG = 4096


class Listening(Protocol):
    """What can stop accepting and begin again."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...


def backlog_of(max_descriptors: int) -> int:
    """Length of each listening queue. One turn of the loop accepts a whole queue, so descriptors are kept for one."""
    return max(16, min(MAX_BACKLOG, max_descriptors // 32))


def connections_of(max_descriptors: int, listeners: int) -> int:
    """Client connections a worker with so many descriptors may hold; some are kept for endpoints and full queues."""
    reserved = max_descriptors // _RESERVE_SHARE + backlog_of(max_descriptors) * listeners + _OTHER_DESCRIPTORS
    return max(16, max_descriptors - reserved)


class Admission:
    """Counts for one worker. ``max_per_client`` 0: no limit."""

    __slots__ = ("_clients", "_count", "_is_paused", "_max_connections", "_max_per_client", "listening")

    def __init__(self, max_connections: int, max_per_client: int) -> None:
        self._max_connections = max_connections
        self._max_per_client = max_per_client
        self._clients: dict[str, int] = {}
        self._count = 0
        self._is_paused = False
        self.listening: Listening | None = None

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    def opened(self) -> None:
        """A connection was accepted."""
        self._count += 1
        if self._count >= self._max_connections and not self._is_paused and self.listening is not None:
            self._is_paused = True
            log.warning("%d connections are open: accepting no more until some close", self._count)
            self.listening.pause()

    def closed(self) -> None:
        """A connection is gone."""
        self._count -= 1
        if self._is_paused and self._count <= self._max_connections * _ROOM and self.listening is not None:
            self._is_paused = False
            log.info("accepting again")
            self.listening.resume()

    def enter(self, client: str) -> bool:
        """A connection of ``client`` is there; False when it has too many already. Pair with ``leave``."""
        if not self._max_per_client:
            return True
        held = self._clients.get(client, 0) + 1
        self._clients[client] = held
        return held <= self._max_per_client

    def leave(self, client: str) -> None:
        """A connection that entered is gone."""
        if not self._max_per_client:
            return
        held = self._clients.get(client, 0) - 1
        if held > 0:
            self._clients[client] = held
        else:
            self._clients.pop(client, None)
