"""Performs one exchange: leases a connection, sends the request, relays the response, retries what may be retried.

``exchange.Exchange`` decides; this file does. It is the meeting of a ``Downstream`` and an ``UpstreamConnection``: each
tells it what it read, and it pauses one while the other cannot keep up.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from ingressd.errors import OUT_OF_DESCRIPTORS, BadRequest, ProxyError, UpstreamError
from ingressd.http import hops
from ingressd.http.framing import encode_chunk, encode_end
from ingressd.http.head import RequestHead
from ingressd.http.response import CHUNKED, LENGTH, NO_BODY, ResponseHead
from ingressd.proxy.exchange import STALE, Exchange, Happening, State, Verdict
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.records import record_exchange
from ingressd.proxy.request_body import RequestBody
from ingressd.proxy.respond import own_body_bytes, status_of
from ingressd.proxy.serving import LiveRoute
from ingressd.proxy.timers import NEVER
from ingressd.proxy.tunnel import Tunnel
from ingressd.proxy.upstream import UpstreamConnection, open_connection

if TYPE_CHECKING:
    from ingressd.policy.response_fields import FixedEdit
    from ingressd.proxy.choosing import Picks
    from ingressd.proxy.downstream import Downstream

log = logging.getLogger(__name__)

# Looking into an enum costs more than a comparison: once is enough.
_CONNECTING, _ENDED = State.CONNECTING, State.ENDED
_LEASED, _HEAD, _COMPLETE = Happening.LEASED, Happening.HEAD, Happening.COMPLETE

_CLOSE_AND_END = b"Connection: close\r\n\r\n"

CLIENT_GONE = 499
"""What log and metrics show, as nginx does, when the client left before any response began."""


class Forwarding(Exchange):
    """One request on its way; see the module's text."""

    __slots__ = (
        "_body",
        "_chunk_response",
        "_expects",
        "_head",
        "_offered",
        "_out_head",
        "_spare",
        "_tried",
        "backend",
        "bytes_in",
        "bytes_out",
        "close_after",
        "down",
        "edit",
        "endpoint",
        "gateway",
        "request",
        "request_id",
        "route",
        "started",
        "status",
        "up",
        "upstream_started",
    )

    def __init__(
        self, down: Downstream, request: RequestHead, route: LiveRoute, backend: Picks, request_id: bytes = b""
    ) -> None:
        """``request_id``: one that was made already."""
        fields = request.fields
        self.state = _CONNECTING  # what Exchange.__init__ does, without a call
        self.attempts = 0
        self.idempotent = request.line.idempotent
        self.replayable = True
        gateway = self.gateway = down.gateway
        self.down = down
        self.request = request
        self.route = route
        self.backend = backend
        self.up: UpstreamConnection | None = None
        self.endpoint: LiveEndpoint | None = None
        self.started = monotonic()
        self.upstream_started = 0.0
        self.status = 0
        self.bytes_in = 0  # of the request body
        self.bytes_out = 0  # of the response body
        self.edit: FixedEdit | None = None  # what the route does to every answer to such a request
        self.close_after = False  # the response's head told the client that the connection ends
        self.request_id = request_id or (gateway.keeps_request_id and fields.request_id) or gateway.new_request_id()
        self._tried: tuple[LiveEndpoint, ...] = ()
        self._head = b""  # the onward request head, the same for every attempt
        self._out_head = b""  # a response head that waits for the first body bytes
        self._chunk_response = False
        self._offered = fields.upgrade if request.line.minor else b""
        self._body: RequestBody | None = None
        self._spare = False  # the connection ends with this exchange
        self._expects = False  # the client holds its body back until the endpoint has said something
        if fields.chunked or fields.content_length > 0:
            max_bytes, max_kept_bytes = route.max_body_bytes, gateway.limits.replay_bytes
            self._body = RequestBody(fields, max_bytes=max_bytes, max_kept_bytes=max_kept_bytes)
            self._expects = fields.expects_continue and request.line.minor == 1

    # -- the request

    @property
    def body_done(self) -> bool:
        """Whether the last byte of the request was read."""
        return self._body is None or self._body.done

    def start(self, rest: bytes, head: bytes = b"") -> None:
        """Begin; ``rest`` is what the client sent after the head. ``head``: an onward head that was made already."""
        gateway = self.gateway
        gateway.active += 1
        gateway.retries.requests += 1
        self._head = head or self._onward_head()
        if rest:
            self._take(rest)
            if self.state is _ENDED:
                return
        if self._body is not None and self.down.is_half_closed and not self._body.done:
            self._abort()  # the rest of the body will never come
        else:
            self._attempt(self.started)

    def _onward_head(self) -> bytes:
        request = self.request
        line, fields = request.line, request.fields
        added = self.down.forwarded_fields(fields)
        if line.minor and self.request_id and self.down.seen_authority == fields.host_field:
            return hops.identified_head(line, fields, self.request_id, added)
        if self.request_id:
            added = b"X-Request-ID: %b\r\n%b" % (self.request_id, added)
        return hops.request_head(line, fields, added, authority=self.down.seen_authority)

    def _attempt(self, now: float) -> None:
        self.attempts += 1
        endpoint = self.backend.pick(self._tried, now)
        if endpoint is None:
            self.on_upstream_failed(UpstreamError("no_endpoints", self.backend.key, unheard=True))
            return
        self.endpoint = endpoint
        self.upstream_started = now
        gateway = self.gateway
        # What closed one idle connection may have closed them all: a second attempt gets a new one. So does what must
        # not be sent twice: an endpoint may close a kept connection at any moment, and by its end nobody can always
        # tell whether it acted on what had just arrived (proxy/unheard says when).
        fresh = self.attempts > 1 or not (self.idempotent or gateway.limits.reuse_for_all)
        connection = gateway.pool.lease(endpoint, fresh=fresh)
        if connection is not None:
            self._send(connection, now)
            return
        if fresh and self.attempts == 1 and endpoint.idle and b"\r\nConnection: " not in self._head:
            # Connections idle already: this one is not kept beside them, and the endpoint is told so.
            self._spare = True
            self._head = self._head[:-2] + _CLOSE_AND_END
        if not self.body_done:
            self.down.stop_waiting()
            self.down.hold_reading(True)
        self.gateway.spawn(self._connect(endpoint))

    async def _connect(self, endpoint: LiveEndpoint) -> None:
        try:
            connection = await open_connection(self.gateway, endpoint, self.route.connect_s)
        except UpstreamError as error:
            self.gateway.pool.release(endpoint, None, reusable=False)
            if self.state is _CONNECTING:
                self._without_connection(endpoint, error)
            return
        if self.state is not _CONNECTING:
            # The client left meanwhile; the next request may have the connection.
            self._give_back(endpoint, connection, monotonic())
        elif not connection.is_open():
            self._give_back(endpoint, connection, monotonic())
            self.on_upstream_failed(UpstreamError("connect_failed", f"{endpoint.label} closed at once", unheard=True))
        else:
            self._send(connection, monotonic())

    def _without_connection(self, endpoint: LiveEndpoint, error: UpstreamError) -> None:
        """None could be opened. When that is for want of descriptors, a kept one is better than none."""
        kept = self.gateway.pool.lease(endpoint) if error.reason == OUT_OF_DESCRIPTORS and endpoint.idle else None
        if kept is None:
            self.on_upstream_failed(error)
            return
        if self._spare:
            self._spare = False
            self._head = self._head.removesuffix(_CLOSE_AND_END) + b"\r\n"
        self._send(kept, monotonic())

    def _give_back(self, endpoint: LiveEndpoint, connection: UpstreamConnection, now: float) -> None:
        if self.gateway.pool.release(endpoint, connection, reusable=connection.may_be_kept(now)):
            connection.rest(now)
        elif not connection.closed:
            connection.close()

    def _send(self, connection: UpstreamConnection, now: float) -> None:
        self.up = connection
        self.move(_LEASED)
        route, body, down = self.route, self._body, self.down
        connection.begin(self, self.request.line.method, self._offered, route.read_s, route.send_s)
        if down.write_paused:
            connection.hold_reading(True)
        if self._spare:
            connection.reusable = False
        if body is None:
            connection.write(self._head)
            connection.arm(now + route.read_s)
            return
        down.hold_reading(False)  # before writing, which may hold it again
        connection.write(self._head + b"".join(body.kept or ()))
        body.forget_if_large()
        self.replayable = body.kept is not None
        self._await_next(connection, body)

    def _await_next(self, connection: UpstreamConnection, body: RequestBody) -> None:
        """Somebody's turn has come: the endpoint's to take what is written or to answer, or the client's to go on."""
        if connection.write_paused:
            self.down.stop_waiting()
        elif body.done or self._expects:
            self.down.stop_waiting()
            connection.await_response()
        else:
            self.down.await_body(self.bytes_in)

    def on_downstream_data(self, data: bytes) -> None:
        """More bytes from the client: body, or the requests after this one."""
        body = self._body
        if body is None or body.done:
            self.down.read_ahead(data)
            return
        framed = self._take(data)
        up = self.up
        if up is None:
            return
        if self._expects:
            self._stop_expecting(up)
        if framed:
            up.write(framed)
            body.forget_if_large()
            self.replayable = body.kept is not None
        self._await_next(up, body)

    def _take(self, data: bytes) -> bytes:
        """Body bytes of ``data``, framed for the endpoint; what follows the body is read ahead."""
        body = self._body
        if body is None:
            self.down.read_ahead(data)
            return b""
        try:
            framed = body.take(data)
        except BadRequest as error:
            self.bytes_in = body.bytes_in
            self._refuse(error)
            return b""
        self.bytes_in = body.bytes_in
        if body.rest:
            rest, body.rest = body.rest, b""
            self.down.read_ahead(rest)
        return framed

    def _stop_expecting(self, up: UpstreamConnection) -> None:
        """The client sends its body after all; the endpoint's time to answer begins when it has it."""
        self._expects = False
        if not up.write_paused:
            up.deadline = NEVER

    # -- what an attempt can come to

    def on_upstream_failed(self, error: UpstreamError) -> None:
        """The attempt failed: try the next endpoint, tell the client, or cut it off when it is too late to tell."""
        gateway = self.gateway
        verdict = self.decide(error, max_attempts=gateway.limits.attempts, budget=gateway.retries)
        self._blame(error)
        self._let_go()
        if verdict is Verdict.RETRY:
            gateway.stats.retried(error.reason)
            self.move(Happening.RETRY)
            if self.endpoint is not None:
                self._tried = (*self._tried, self.endpoint)
            self._attempt(monotonic())
        elif verdict is Verdict.REPLY:
            self._reply(error)
        else:
            self._abort()

    def _blame(self, error: UpstreamError) -> None:
        """Note what the failure says of the endpoint. That an idle connection had ended says nothing."""
        endpoint = self.endpoint
        if endpoint is None or error.reason in ("no_endpoints", STALE, OUT_OF_DESCRIPTORS):
            return
        if endpoint.health.failed(monotonic()):
            log.warning("endpoint %s is set aside: %s", endpoint.label, error)

    def _refuse(self, error: BadRequest) -> None:
        """The client's own message turned out to be bad."""
        if self.state in (_CONNECTING, State.WAITING):
            self._let_go()
            self._reply(error)
        elif self.state is not _ENDED:
            self._let_go()
            self._abort()

    def on_body_timeout(self) -> None:
        """The client stopped sending its body."""
        self._refuse(BadRequest("body_timeout", "the request body did not arrive in time"))

    def _reply(self, error: ProxyError) -> None:
        self.status = status_of(error)
        self.bytes_out = own_body_bytes(
            self.status, self.request.fields.accept, head_only=self.request.method == b"HEAD"
        )
        self.move(Happening.REPLIED)
        self.close_after = not self.body_done or not self._may_keep_alive()
        self._end(monotonic())
        self.down.reply(
            self.status,
            self.request,
            close=self.close_after,
            unread=not self.body_done,
            reason=error.reason,
            fields=self._own_fields(),
        )

    def _own_fields(self) -> bytes:
        """Field lines that this route adds to an answer of ours."""
        return b"" if self.edit is None else self.edit.lines

    def _abort(self) -> None:
        self._let_go()
        self.status = self.status or CLIENT_GONE
        self.move(Happening.ABORTED)
        self._end(monotonic())
        self.down.abort()

    def on_downstream_lost(self) -> None:
        """The client is gone; whatever the endpoint would still say is for nobody."""
        if self.state is _ENDED:
            return
        self.status = self.status or CLIENT_GONE
        self.move(Happening.ABORTED)
        self._let_go()
        self._end(monotonic())

    def on_downstream_eof(self) -> bool:
        """The client has half-closed. True keeps its connection open for the answer (RFC 9112 §9.6)."""
        if self.body_done:
            self.down.no_more_requests()
            return True
        return False

    def _let_go(self) -> None:
        """Give up the connection of this attempt; its exchange is not complete, so it cannot be used again.

        Nor can what was made of its answer: a head that nobody got yet, the framing of the body that it announced.
        """
        self._out_head, self._chunk_response = b"", False
        connection, self.up = self.up, None
        if connection is not None and self.endpoint is not None:
            self.gateway.pool.release(self.endpoint, None, reusable=False)
            if not connection.closed:
                connection.close()
            connection.sink = None

    # -- the response

    def on_interim(self, head: ResponseHead) -> None:
        """1xx other than 101: relayed to clients that can take it (RFC 9110 §15.2)."""
        if head.status == 100:
            if not self._expects or self.up is None:
                return
            self._stop_expecting(self.up)
            self.down.await_body(self.bytes_in)
        if self.request.line.minor:
            self.down.transport.write(b"HTTP/1.1 %d %b\r\n%b\r\n" % (head.status, head.reason, head.fields.onward))

    def on_response_head(self, head: ResponseHead, framing: int) -> None:
        """A final head: word ours; it is written together with the first body bytes."""
        endpoint = self.endpoint
        if endpoint is not None and endpoint.health.has_failed:
            endpoint.health.succeeded()
        self.status = head.status
        if self.edit is not None:
            head = head.edited(self.edit)
        if not (head.onward and framing == head.framing and self.request.line.minor and self.body_done):
            self._out_head = self._worded(head, framing)
            return
        self._chunk_response = framing == CHUNKED
        if self._may_keep_alive():
            self._out_head = head.onward
        else:
            self.close_after = True
            self._out_head = head.closing()

    def _worded(self, head: ResponseHead, framing: int) -> bytes:
        line, connection = self._framing_lines(head, framing)
        return head.worded(line, connection, self.gateway.date)

    def _framing_lines(self, head: ResponseHead, framing: int) -> tuple[bytes, bytes]:
        """How the body is framed for the client, and whether its connection goes on."""
        request, fields = self.request, head.fields
        line = b""
        if framing in (LENGTH, NO_BODY):
            line = head.framing_line(framing)
        elif request.line.minor == 1:
            self._chunk_response = True
            line = b"Transfer-Encoding: chunked\r\n"
            if fields.trailer and request.fields.te_trailers:
                line += b"Trailer: " + fields.trailer + b"\r\n"
        else:
            self.close_after = True
            self.down.end_with_answer()
        if not self._may_keep_alive() or not self.body_done:
            self.close_after = True
        connection = b""
        if self.close_after:
            connection = b"Connection: close\r\n"
        elif request.line.minor == 0:
            connection = b"Connection: keep-alive\r\n"
        return line, connection

    def _may_keep_alive(self) -> bool:
        # Bytes after a request to switch protocols may be in another protocol: never read as a request, not even when
        # nobody was told of the offer.
        request = self.request
        if self.close_after or (request.fields.upgrade and request.line.minor):
            return False
        return self.down.may_keep_alive(request)

    def _take_out_head(self) -> bytes:
        """The response's head, to be written now."""
        head, self._out_head = self._out_head, b""
        self.move(_HEAD)
        return head

    def on_response_body(self, data: bytes) -> None:
        """Body bytes as read, without framing."""
        self.bytes_out += len(data)
        if self._chunk_response:
            data = encode_chunk([data])
        if self._out_head:
            data = self._take_out_head() + data
        self.down.transport.write(data)

    def on_long_body(self, left: int) -> None:
        """So many bytes of the body are still to come, and they are many: the kernel passes them on where it can."""
        self.on_response_read()
        if not self._chunk_response and self.body_done and self.up is not None and not self.up.has_unsent():
            self.gateway.services.splices.begin(self, left)

    def on_unsent(self, count: int) -> None:
        """The client is gone: so many bytes of the body were read for it, and are not in ``bytes_out``."""

    def on_response_read(self) -> None:
        """The read that brought the head is used up: do not keep the head waiting for a body that is not there yet."""
        if self._out_head:
            self.down.transport.write(self._take_out_head())

    def on_response_end(self, trailers: bytes) -> None:
        """The last byte was read: the connection may serve another request."""
        if self._out_head or self._chunk_response:
            tail = self._take_out_head() if self._out_head else b""
            if self._chunk_response:
                tail += encode_end(trailers if self.request.fields.te_trailers else b"")
            self.down.transport.write(tail)
        self.move(_COMPLETE)
        now = monotonic()
        connection, body = self.up, self._body
        self.up = None
        if connection is not None and self.endpoint is not None:
            if body is not None and (not body.done or connection.has_unsent()):
                connection.reusable = False
            self._give_back(self.endpoint, connection, now)
        self._end(now)
        self.down.on_exchange_done(now, close=self.close_after, unread=body is not None and not body.done)

    def on_switched(self, head: ResponseHead) -> None:
        """101: from here on it is bytes both ways."""
        self.move(Happening.SWITCHED)
        self.status = 101
        if self.endpoint is not None:
            self.endpoint.health.succeeded()
        connection = self.up
        assert connection is not None  # noqa: S101 - it has just spoken
        self.down.transport.write(
            b"HTTP/1.1 101 %b\r\n%bConnection: upgrade\r\nUpgrade: %b\r\n\r\n"
            % (head.reason, self._switched_lines(head), head.fields.upgrade)
        )
        tunnel = Tunnel(self, self.down, connection)
        connection.sink = tunnel
        self.down.begin_tunnel(tunnel)

    def _switched_lines(self, head: ResponseHead) -> bytes:
        """The end-to-end field lines of a 101."""
        return head.fields.onward if self.edit is None else self.edit.apply(head.fields.onward)

    def end_tunnel(self) -> None:
        """The tunnel is closed: what was said in it still arrives."""
        self.move(Happening.COMPLETE)
        connection, self.up = self.up, None
        if connection is not None and self.endpoint is not None:
            self.gateway.pool.release(self.endpoint, None, reusable=False)
            if not connection.closed:
                connection.finish()
        self._end(monotonic())
        self.down.on_tunnel_done()

    def on_upstream_data(self, data: bytes) -> None:
        """Only a tunnel gets raw bytes; the connection has switched its sink by then."""

    def on_upstream_eof(self) -> bool:
        return False

    # -- back-pressure

    def on_upstream_writable(self, writable: bool) -> None:
        """The endpoint cannot keep up with the request body, or can again."""
        self.down.hold_reading(not writable)
        if not writable:
            self.down.stop_waiting()
        elif self.up is not None and self._body is not None:
            self._await_next(self.up, self._body)

    def on_downstream_writable(self, writable: bool) -> None:
        """The client cannot keep up with the response, or can again."""
        up = self.up
        if up is None:
            return
        up.hold_reading(not writable)
        if up.write_paused:
            return
        if writable:
            up.await_response()
        else:
            up.deadline = NEVER

    # -- the end

    def _end(self, now: float) -> None:
        """Count and log; happens exactly once in every exchange."""
        self.gateway.active -= 1
        upstream_s = now - self.upstream_started if self.upstream_started else -1.0
        record_exchange(self, now - self.started, upstream_s)
