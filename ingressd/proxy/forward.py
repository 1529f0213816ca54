"""Performs one exchange: leases a connection, sends the request, relays the response, retries what may be retried.

``exchange.Exchange`` decides; this file does. It is the meeting of a ``Downstream`` and an ``UpstreamConnection``: each
tells it what it read, and it pauses one while the other cannot keep up.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from ingressd.errors import BadRequest, ProxyError, UpstreamError
from ingressd.http import hops
from ingressd.http.framing import ChunkReader, FramingError, encode_chunk, encode_end
from ingressd.http.head import RequestHead, ResponseFields
from ingressd.policy.rewrite import rewrite_path
from ingressd.proxy.exchange import Exchange, Happening, State, Verdict
from ingressd.proxy.pool import LiveEndpoint
from ingressd.proxy.respond import status_of
from ingressd.proxy.serving import LiveBackend, LiveRoute
from ingressd.proxy.timers import NEVER
from ingressd.proxy.tunnel import Tunnel
from ingressd.proxy.upstream import LENGTH, NO_BODY, UpstreamConnection, open_connection

if TYPE_CHECKING:
    from ingressd.proxy.downstream import Downstream

CLIENT_GONE = 499
"""What log and metrics show, as nginx does, when the client left before any response began."""


class Forwarding(Exchange):
    """One request on its way; see the module's text."""

    __slots__ = (
        "_body",
        "_body_chunks",
        "_body_left",
        "_chunk_response",
        "_head",
        "_kept_bytes",
        "_may_switch",
        "_out_head",
        "_tried",
        "backend",
        "bytes_in",
        "bytes_out",
        "close_after",
        "down",
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

    def __init__(self, down: Downstream, request: RequestHead, route: LiveRoute, backend: LiveBackend) -> None:
        fields = request.fields
        super().__init__(request.method)
        self.gateway = down.gateway
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
        self.close_after = False  # the response's head told the client that the connection ends
        self.request_id = fields.request_id or self.gateway.new_request_id()
        self._tried: list[LiveEndpoint] = []
        self._head = b""  # the onward request head, the same for every attempt
        self._out_head = b""  # a response head that waits for the first body bytes
        self._chunk_response = False
        self._may_switch = bool(fields.upgrade) and request.minor == 1
        self._body: list[bytes] = []  # framed body bytes that an attempt would have to send again
        self._kept_bytes = 0
        self._body_chunks = ChunkReader() if fields.chunked else None
        self._body_left = max(fields.content_length, 0)

    # -- the request

    @property
    def body_done(self) -> bool:
        """Whether the last byte of the request was read."""
        return not self._body_left and self._body_chunks is None

    def start(self, rest: bytes) -> None:
        """Begin; ``rest`` is what the client sent after the head."""
        self.gateway.active += 1
        self._head = self._onward_head()
        if rest:
            self._take(rest)
            if self.state is State.ENDED:
                return
        self._attempt()

    def _onward_head(self) -> bytes:
        request, rewrite = self.request, self.route.rewrite
        path = request.path
        added = b"X-Request-ID: " + self.request_id + b"\r\n" + self.down.forwarded_fields(request.fields)
        if rewrite is not None:
            path = rewrite_path(rewrite, path)
            added += b"X-Original-URI: " + (request.path + request.query).encode("latin-1") + b"\r\n"
        return hops.request_head(
            method=request.method,
            target=(path + request.query).encode("latin-1"),
            host_field=request.fields.host_field or self.down.local_authority(),
            fields=request.fields,
            added=added,
        )

    def _attempt(self) -> None:
        self.attempts += 1
        endpoint = self.backend.pick(self._tried)
        if endpoint is None:
            self.on_upstream_failed(UpstreamError("no_endpoints", self.backend.key, before_send=True))
            return
        self._tried.append(endpoint)
        self.endpoint = endpoint
        self.upstream_started = monotonic()
        connection = self.gateway.pool.lease(endpoint)
        if connection is not None:
            self._send(connection)
            return
        if not self.body_done:
            self.down.hold_reading(True)
        self.gateway.spawn(self._connect(endpoint))

    async def _connect(self, endpoint: LiveEndpoint) -> None:
        try:
            connection = await open_connection(self.gateway, endpoint, self.route.connect_s)
        except UpstreamError as error:
            self.gateway.pool.release(endpoint, None, reusable=False)
            if self.state is State.CONNECTING:
                self.on_upstream_failed(error)
            return
        if self.state is not State.CONNECTING:
            # The client left meanwhile; the next request may have the connection.
            self._give_back(endpoint, connection)
        elif connection.closed:
            self.gateway.pool.release(endpoint, None, reusable=False)
            self.on_upstream_failed(
                UpstreamError("connect_failed", f"{endpoint.label} closed at once", before_send=True)
            )
        else:
            self._send(connection)

    def _give_back(self, endpoint: LiveEndpoint, connection: UpstreamConnection) -> None:
        limit = self.gateway.limits.upstream_requests_per_connection
        reusable = connection.reusable and not connection.closed and connection.requests < limit
        if self.gateway.pool.release(endpoint, connection, reusable=reusable):
            connection.rest()
        elif not connection.closed:
            connection.close()

    def _send(self, connection: UpstreamConnection) -> None:
        self.up = connection
        self.move(Happening.LEASED)
        route = self.route
        connection.begin(
            self, self.request.method, switchable=self._may_switch, read_s=route.read_s, send_s=route.send_s
        )
        if self._body:
            connection.transport.write(self._head + b"".join(self._body))
            self._drop_body_if_large()
        else:
            connection.transport.write(self._head)
        if self.body_done:
            connection.await_response()
        else:
            self.down.hold_reading(False)
            self.down.await_body()

    def on_downstream_data(self, data: bytes) -> None:
        """More bytes from the client: body, or the requests after this one."""
        body = self._take(data)
        up = self.up
        if up is None or self.state is State.ENDED:
            return
        if body:
            up.transport.write(body)
            self._drop_body_if_large()
        if self.body_done:
            self.down.stop_waiting()
            up.await_response()
        else:
            self.down.await_body()

    def _take(self, data: bytes) -> bytes:
        """Split body from what follows it; returns body bytes framed for the upstream and keeps them for a retry."""
        if self.body_done:
            self.down.read_ahead(data)
            return b""
        if self._body_chunks is not None:
            framed = self._take_chunks(self._body_chunks, data)
        elif len(data) <= self._body_left:
            framed = data
            self._body_left -= len(data)
            self.bytes_in += len(data)
        else:
            framed = data[: self._body_left]
            self.down.read_ahead(data[self._body_left :])
            self.bytes_in += self._body_left
            self._body_left = 0
        if framed and self.replayable:
            self._body.append(framed)
            self._kept_bytes += len(framed)
        return framed

    def _take_chunks(self, chunks: ChunkReader, data: bytes) -> bytes:
        try:
            payload = chunks.feed(data)
        except FramingError as error:
            self._refuse(BadRequest("bad_chunk", str(error)))
            return b""
        framed = b""
        if payload:
            self.bytes_in += sum(map(len, payload))
            if self.bytes_in > self.route.max_body_bytes > 0:
                self._refuse(BadRequest("body_too_large", f"more than {self.route.max_body_bytes} bytes"))
                return b""
            framed = encode_chunk(payload)
        if chunks.done:
            self._body_chunks = None
            framed += encode_end(chunks.trailers)
            if chunks.rest:
                self.down.read_ahead(chunks.rest)
        return framed

    def _drop_body_if_large(self) -> None:
        if self._kept_bytes > self.gateway.limits.replay_bytes:
            self.replayable = False
            self._body = []
            self._kept_bytes = 0

    # -- what an attempt can come to

    def on_upstream_failed(self, error: UpstreamError) -> None:
        """The attempt failed: try the next endpoint, tell the client, or cut it off when it is too late to tell."""
        verdict = self.decide(error, max_attempts=self.gateway.limits.attempts)
        self._let_go()
        if verdict is Verdict.RETRY:
            self.gateway.stats.retried(error.reason)
            self.move(Happening.RETRY)
            self._attempt()
        elif verdict is Verdict.REPLY:
            self._reply(error)
        else:
            self._abort()

    def _refuse(self, error: BadRequest) -> None:
        """The client's own message turned out to be bad."""
        if self.state in (State.CONNECTING, State.WAITING):
            self._let_go()
            self._reply(error)
        elif self.state is not State.ENDED:
            self._let_go()
            self._abort()

    def on_body_timeout(self) -> None:
        """The client stopped sending its body."""
        self._refuse(BadRequest("body_timeout", "the request body did not arrive in time"))

    def _reply(self, error: ProxyError) -> None:
        self.status = status_of(error)
        self.move(Happening.REPLIED)
        self.close_after = not self.body_done or not self._may_keep_alive()
        self._end()
        self.down.reply(self.status, self.request, close=self.close_after, reason=error.reason)

    def _abort(self) -> None:
        self.status = self.status or CLIENT_GONE
        self.move(Happening.ABORTED)
        self._end()
        self.down.abort()

    def on_downstream_lost(self) -> None:
        """The client is gone; whatever the endpoint would still say is for nobody."""
        if self.state is State.ENDED:
            return
        self.status = self.status or CLIENT_GONE
        self.move(Happening.ABORTED)
        self._let_go()
        self._end()

    def on_downstream_eof(self) -> bool:
        """The client has half-closed. True keeps its connection open for the answer (RFC 9112 §9.6)."""
        if self.body_done:
            self.close_after = True
            self.down.no_more_requests()
            return True
        return False

    def _let_go(self) -> None:
        """Give up the connection of this attempt; its exchange is not complete, so it cannot be used again."""
        connection, self.up = self.up, None
        if connection is not None and self.endpoint is not None:
            self.gateway.pool.release(self.endpoint, None, reusable=False)
            if not connection.closed:
                connection.close()
            connection.sink = None

    # -- the response

    def on_interim(self, status: int, reason: bytes, fields: ResponseFields) -> None:
        """1xx other than 101: relayed to clients that can take it (RFC 9110 §15.2)."""
        if self.request.minor == 0 or (status == 100 and not self.request.fields.expects_continue):
            return
        self.down.transport.write(b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, fields.onward))

    def on_response_head(self, status: int, reason: bytes, fields: ResponseFields, framing: int) -> None:
        """A final head: word ours; it is written together with the first body bytes."""
        self.move(Happening.HEAD)
        self.status = status
        request = self.request
        line = b""
        if framing == LENGTH or (framing == NO_BODY and fields.content_length >= 0 and status != 204):
            line = b"Content-Length: %d\r\n" % fields.content_length
        elif framing != NO_BODY:
            if request.minor == 1:
                self._chunk_response = True
                line = b"Transfer-Encoding: chunked\r\n"
                if fields.trailer and request.fields.te_trailers:
                    line += b"Trailer: " + fields.trailer + b"\r\n"
            else:
                self.close_after = True
        if not self._may_keep_alive() or not self.body_done:
            self.close_after = True
        connection = b""
        if self.close_after:
            connection = b"Connection: close\r\n"
        elif request.minor == 0:
            connection = b"Connection: keep-alive\r\n"
        self._out_head = hops.response_head(
            status=status, reason=reason, fields=fields, framing=line, connection=connection, date=self.gateway.date
        )

    def _may_keep_alive(self) -> bool:
        fields, down = self.request.fields, self.down
        if fields.close or self.gateway.draining or down.last_request or self.close_after:
            return False
        if self._may_switch:
            return not down.has_read_ahead  # bytes after an upgrade request are never read as a request
        return self.request.minor == 1 or fields.keep_alive

    def on_response_body(self, data: bytes) -> None:
        """Body bytes as read, without framing."""
        self.bytes_out += len(data)
        if self._chunk_response:
            data = encode_chunk([data])
        head = self._out_head
        if head:
            self._out_head = b""
            data = head + data
        self.down.transport.write(data)

    def on_response_read(self) -> None:
        """The read that brought the head is used up: do not keep the head waiting for a body that is not there yet."""
        if self._out_head:
            self.down.transport.write(self._out_head)
            self._out_head = b""

    def on_response_end(self, trailers: bytes) -> None:
        """The last byte was read: the connection may serve another request."""
        tail = self._out_head
        if self._chunk_response:
            tail += encode_end(trailers if self.request.fields.te_trailers else b"")
        if tail:
            self._out_head = b""
            self.down.transport.write(tail)
        self.move(Happening.COMPLETE)
        connection, self.up = self.up, None
        if connection is not None and self.endpoint is not None:
            connection.reusable = connection.reusable and self.body_done
            self._give_back(self.endpoint, connection)
        self._end()
        self.down.on_exchange_done(close=self.close_after, unread=not self.body_done)

    def on_switched(self, reason: bytes, fields: ResponseFields) -> None:
        """101: from here on it is bytes both ways."""
        self.move(Happening.SWITCHED)
        self.status = 101
        connection = self.up
        assert connection is not None  # noqa: S101 - it has just spoken
        self.down.transport.write(
            b"HTTP/1.1 101 %b\r\n%bConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % (reason, fields.onward, fields.upgrade)
        )
        tunnel = Tunnel(self, self.down, connection)
        connection.sink = tunnel
        self.down.begin_tunnel(tunnel)

    def end_tunnel(self) -> None:
        """Both ways of the tunnel are closed."""
        self.move(Happening.COMPLETE)
        self._let_go()
        self._end()
        self.down.on_tunnel_done()

    def on_upstream_data(self, data: bytes) -> None:
        """Only a tunnel gets raw bytes; the connection has switched its sink by then."""

    def on_upstream_eof(self) -> bool:
        return False

    # -- back-pressure

    def on_upstream_writable(self, writable: bool) -> None:
        """The endpoint cannot keep up with the request body, or can again."""
        self.down.hold_reading(not writable)
        if writable and self.up is not None:
            if self.body_done:
                self.up.await_response()
            else:
                self.down.await_body()
        elif not writable:
            self.down.stop_waiting()

    def on_downstream_writable(self, writable: bool) -> None:
        """The client cannot keep up with the response, or can again."""
        up = self.up
        if up is None or up.closed:
            return
        if writable:
            up.transport.resume_reading()
            up.await_response()
        else:
            up.transport.pause_reading()
            up.arm(NEVER)

    # -- the end

    def _end(self) -> None:
        """Count and log; happens exactly once in every exchange."""
        gateway, request, route = self.gateway, self.request, self.route
        gateway.active -= 1
        now = monotonic()
        duration_s = now - self.started
        upstream_s = now - self.upstream_started if self.upstream_started else -1.0
        route.stats.observe(request.method, self.status, duration_s, upstream_s, self.bytes_in, self.bytes_out)
        self.down.log_exchange(self, duration_s, upstream_s)
