"""An upgraded connection: bytes both ways until both sides have said all (RFC 9110 §7.8)."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from ingressd.errors import UpstreamError
from ingressd.http.response import ResponseHead

if TYPE_CHECKING:
    from ingressd.proxy.downstream import Downstream
    from ingressd.proxy.forward import Forwarding
    from ingressd.proxy.upstream import UpstreamConnection


class Tunnel:
    """Joins a client connection and an endpoint connection after 101. Each direction may end before the other.

    It closes when no byte has passed either way for the route's ``read_s``, as nginx does with WebSockets.
    """

    __slots__ = ("_client_done", "_down", "_endpoint_done", "_forwarding", "_up")

    def __init__(self, forwarding: Forwarding, down: Downstream, up: UpstreamConnection) -> None:
        self._forwarding = forwarding
        self._down = down
        self._up = up
        self._client_done = False
        self._endpoint_done = False
        self._touch()

    def _touch(self) -> None:
        self._up.arm(monotonic() + self._up.read_s)

    def _finish(self) -> None:
        self._forwarding.end_tunnel()

    # -- from the client

    def on_downstream_data(self, data: bytes) -> None:
        self._touch()
        self._forwarding.bytes_in += len(data)
        self._up.transport.write(data)

    def on_downstream_eof(self) -> bool:
        self._client_done = True
        if self._endpoint_done:
            self._finish()
            return False
        if self._up.transport.can_write_eof():
            self._up.transport.write_eof()
        return True

    def on_downstream_lost(self) -> None:
        self._finish()

    def on_downstream_writable(self, writable: bool) -> None:
        self._up.hold_reading(not writable)

    def on_body_timeout(self) -> None:
        self._finish()

    # -- from the endpoint

    def on_upstream_data(self, data: bytes) -> None:
        self._touch()
        self._forwarding.bytes_out += len(data)
        self._down.transport.write(data)

    def on_upstream_eof(self) -> bool:
        self._endpoint_done = True
        if self._client_done:
            self._finish()
            return False
        if self._down.transport.can_write_eof():
            self._down.transport.write_eof()
            return True
        self._finish()
        return False

    def on_upstream_failed(self, error: UpstreamError) -> None:
        self._finish()

    def on_upstream_writable(self, writable: bool) -> None:
        self._down.hold_reading(not writable)
        if writable:
            self._touch()

    # -- a switched connection reads no more responses

    def on_interim(self, head: ResponseHead) -> None: ...

    def on_response_head(self, head: ResponseHead, framing: int) -> None: ...

    def on_response_body(self, data: bytes) -> None: ...

    def on_long_body(self, left: int) -> None: ...

    def on_response_read(self) -> None: ...

    def on_response_end(self, trailers: bytes) -> None: ...

    def on_switched(self, head: ResponseHead) -> None: ...
