"""How long a client connection is waited for: one deadline at a time, in the worker's timer wheel."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from ingressd.proxy.timers import NEVER

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway

_NOT_SEEN = 1 << 62  # more than any buffer holds


class Patience:
    """The part of ``Downstream`` that minds the time.

    The deadline is for what the connection waits for: a head, a body, the next request, or a client that takes what was
    written. ``write_paused`` is true while that last one is overdue.
    """

    __slots__ = (
        "_body_base",
        "_body_bytes",
        "_body_since",
        "_unsent",
        "_waiting_for_body",
        "beside_bytes",
        "deadline",
        "gateway",
        "transport",
        "wake_at",
        "write_paused",
    )

    transport: asyncio.Transport

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.deadline = NEVER
        self.wake_at = NEVER
        self.write_paused = False
        self._unsent = _NOT_SEEN  # bytes that waited when the client's time to take some began
        self.beside_bytes = 0  # that wait for the client, and not in the transport's buffer
        self._waiting_for_body = False
        self._body_since = 0.0  # when the client's time to send began, with how many bytes it had sent
        self._body_base = self._body_bytes = 0

    def on_deadline(self, now: float) -> None:
        """The deadline has come."""
        raise NotImplementedError

    def abort(self) -> None:
        """Cut the connection."""
        raise NotImplementedError

    def arm(self, deadline: float) -> None:
        """Act when nothing has moved the deadline until ``deadline`` (monotonic seconds)."""
        self.deadline = deadline
        if deadline < self.wake_at:
            self.gateway.wheel.schedule(self)

    def await_body(self, bytes_in: int) -> None:
        """The next body bytes are due; ``bytes_in`` came so far. Bytes buy time, as much as ``min_rate`` grants."""
        now, limits = monotonic(), self.gateway.limits
        if not self._waiting_for_body:
            self._waiting_for_body = True
            self._body_since = now
            self._body_base = bytes_in
        self._body_bytes = bytes_in
        if not self.write_paused:
            granted_s = (bytes_in - self._body_base) / limits.min_rate
            self.arm(min(now, self._body_since + granted_s) + limits.body_gap_s)

    def await_body_anew(self) -> None:
        """If a body is waited for: the time for it begins anew, the client was not the one who waited."""
        if self._waiting_for_body:
            self._waiting_for_body = False
            self.await_body(self._body_bytes)

    def stop_waiting(self) -> None:
        """The request is read whole, or its reading is held back by us."""
        self._waiting_for_body = False
        if not self.write_paused:
            self.deadline = NEVER

    def await_reader(self) -> None:
        """The client is to take what waits for it."""
        self._unsent = self.transport.get_write_buffer_size() + self.beside_bytes
        self.arm(monotonic() + self.gateway.limits.client_write_gap_s)

    def forget_unsent(self) -> None:
        """The client's time to take what waits for it begins with the next deadline."""
        self._unsent = _NOT_SEEN

    def abort_unless_taking(self, now: float) -> None:
        """A slow reader is not a stuck one: as long as it takes ``min_rate`` it gets more time."""
        unsent = self.transport.get_write_buffer_size() + self.beside_bytes
        limits = self.gateway.limits
        if 0 < unsent <= self._unsent - limits.min_rate * limits.client_write_gap_s:
            self._unsent = unsent
            self.arm(now + limits.client_write_gap_s)
        else:
            self.abort()
