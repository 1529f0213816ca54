"""An ``UpstreamConnection`` between a transport that does nothing and a sink that keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from ingressd.errors import UpstreamError
from ingressd.http.response import LENGTH, NO_BODY, ResponseHead
from ingressd.proxy.gateway import Gateway
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.upstream import UpstreamConnection
from tests.support.gateway import make_gateway, one_host
from tests.support.memory import AtOnce

_REASONS = {
    "ambiguous_response_framing", "bad_response_chunks", "bad_response_fields", "bad_status_line", "closed_in_response",
    "closed_before_response", "closed_in_head", "excess_response_body", "response_header_too_large",
    "too_many_interim_responses", "unexpected_upgrade",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that is answered."""

    method: bytes
    upgrade: bytes
    minor: int

    @staticmethod
    def chosen_by(byte: int) -> Asked:
        minor = 0 if byte & 32 else 1
        return Asked((b"GET", b"HEAD", b"POST", b"GET")[byte & 3], b"websocket" if byte & 4 and minor else b"", minor)


@cache
def _gateway() -> tuple[Gateway, LiveEndpoint]:
    gateway = make_gateway(cast("asyncio.AbstractEventLoop", AtOnce()), one_host([1])).gateway
    route = gateway.state.find("a.example", "/")
    assert route.backend is not None
    return gateway, route.backend.endpoints[0]


class EventConnection:
    """See the module's text. ``events`` has one entry for each call; after a last one nobody may call."""

    def __init__(self, asked: Asked) -> None:
        gateway, endpoint = _gateway()
        self.events: list[tuple[Any, ...]] = []
        self.is_over = False
        self.connection = UpstreamConnection(gateway, endpoint)
        self.connection.connection_made(cast("asyncio.Transport", _NoTransport()))
        self.connection.begin(self, asked.method, asked.upgrade, 60.0, 60.0)

    def hear(self, pieces: Sequence[bytes], ends: str) -> EventConnection:
        for piece in pieces:
            if piece and not self.is_over:
                self.connection.data_received(piece)
        if not self.is_over and ends:
            if ends == "eof":
                self.connection.eof_received()
            self.connection.connection_lost(ConnectionResetError() if ends == "reset" else None)
        self.connection.sink = None
        self.connection.close()
        return self

    # -- ResponseSink

    def _note(self, *event: Any) -> None:
        assert not self.is_over, event
        self.events.append(event)

    def on_interim(self, head: ResponseHead) -> None:
        self._note("interim", head.status, head.reason, head.fields.onward)

    def on_response_head(self, head: ResponseHead, framing: int) -> None:
        fields = head.fields
        self._note("head", head.status, head.reason, fields.onward, framing, fields.content_length)

    def on_response_body(self, data: bytes) -> None:
        assert data
        self._note("body", data)

    def on_long_body(self, left: int) -> None:
        assert left > 0

    def on_response_read(self) -> None:
        assert not self.is_over

    def on_response_end(self, trailers: bytes) -> None:
        self._note("end", trailers)
        self._stop()

    def on_switched(self, head: ResponseHead) -> None:
        self._note("switched", head.reason, head.fields.onward)

    def on_upstream_data(self, data: bytes) -> None:
        self._note("raw", data)

    def on_upstream_eof(self) -> bool:
        return False

    def on_upstream_failed(self, error: UpstreamError) -> None:
        assert error.reason in _REASONS, error.reason
        self._note("failed", error.reason)
        self._stop()

    def on_upstream_writable(self, writable: bool) -> None:
        raise AssertionError("nothing was written")

    def _stop(self) -> None:
        self.is_over = True
        self.connection.sink = None

    # -- what the events amount to

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [event for event in self.events if event[0] == kind]

    def payload(self, kind: str = "body") -> bytes:
        return b"".join(event[1] for event in self.of(kind))

    def summary(self) -> tuple[object, ...]:
        """What must not depend on how the bytes came in pieces; of a failed answer that is the head at most."""
        failed = bool(self.of("failed"))
        payload = b"" if failed else self.payload()
        return self.of("interim"), self.of("head"), payload, self.of("end"), self.payload("raw"), failed

    @property
    def is_excessive(self) -> bool:
        """More than the message came in the read that brought its head."""
        return ("failed", "excess_response_body") in self.events

    def check_order(self, asked: Asked) -> None:
        kinds = [event[0] for event in self.events]
        final = [kind for kind in kinds if kind != "interim"]
        if "switched" in final:
            assert asked.upgrade
            assert final[0] == "switched"
            assert set(final[1:]) <= {"raw", "failed"}
            return
        assert len(self.of("head")) <= 1
        assert not self.of("raw")
        assert not final or final[0] in ("head", "failed")
        for _, status, *_ in self.of("interim"):
            assert 100 <= status < 200
            assert status != 101
        for _, status, _, onward, framing, length in self.of("head"):
            assert 200 <= status < 600
            assert b"\r\n\r\n" not in onward
            size = len(self.payload())
            assert framing != NO_BODY or not size
            assert framing != LENGTH or (size == length if self.of("end") else size <= length)
            assert (framing == NO_BODY) >= (asked.method == b"HEAD" or status in (204, 304))


class _NoTransport:
    """Nobody is there."""

    def abort(self) -> None: ...
    def close(self) -> None: ...
    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0
