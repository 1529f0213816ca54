"""An exchange that notes what a log format may ask for: nobody else pays for it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from ingressd.http.response import ResponseHead
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.records import record_observed

if TYPE_CHECKING:
    from ingressd.http.head import RequestHead
    from ingressd.proxy.choosing import Picks
    from ingressd.proxy.downstream import Downstream
    from ingressd.proxy.serving import LiveRoute
    from ingressd.proxy.upstream import UpstreamConnection


class Observed(Forwarding):
    """Times are seconds since the attempt began, below 0 where it did not come so far."""

    __slots__ = ("alternative_name", "answered", "connect_s", "head_bytes_out", "header_s", "upstream_bytes")

    def __init__(
        self, down: Downstream, request: RequestHead, route: LiveRoute, backend: Picks, request_id: bytes = b""
    ) -> None:
        super().__init__(down, request, route, backend, request_id)
        self.answered: ResponseHead | None = None
        self.alternative_name = ""
        self.connect_s = self.header_s = -1.0
        self.head_bytes_out = 0
        self.upstream_bytes = -1  # of the answer's body; -1: as many as went to the client

    def _send(self, connection: UpstreamConnection, now: float) -> None:
        self.connect_s = now - self.upstream_started
        super()._send(connection, now)

    def on_response_head(self, head: ResponseHead, framing: int) -> None:
        edit = self.edit
        self.answered = head.with_server() if edit is not None and edit.shows_server else head
        self.header_s = monotonic() - self.upstream_started
        super().on_response_head(head, framing)

    def _take_out_head(self) -> bytes:
        self.head_bytes_out = len(self._out_head)
        return super()._take_out_head()

    def on_unsent(self, count: int) -> None:
        self.upstream_bytes = self.bytes_out + count

    def _end(self, now: float) -> None:
        self.gateway.active -= 1
        record_observed(self, now - self.started, now - self.upstream_started if self.upstream_started else -1.0)
