"""What clients get on routes with policies: edited heads, compressed and paced bodies, somebody else's error pages."""

import asyncio
import os
import zlib
from typing import Any

import pytest

from ingressd.policy.address_list import AddressLists
from ingressd.policy.affinity import Affinity
from ingressd.policy.compression import CodingSettings, Compression
from ingressd.policy.cookies import CookieRewrite
from ingressd.policy.cors import Cors
from ingressd.policy.error_pages import ErrorPages
from ingressd.policy.location_fields import LocationRewrite
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import Bandwidth, RateLimits
from ingressd.policy.response_fields import ResponseEdits
from ingressd.proxy.observed import Observed
from ingressd.proxy.pool import Pool
from ingressd.telemetry.log_format import LogFormat
from tests.proxy.gated import alone, fields_of, gated, get
from tests.support.gateway import one_host
from tests.support.memory import MemoryPath, statuses_of

PAGES = "default/pages:80"
GZIP = Compression(gzip=CodingSettings(5, 20, ("text/plain",)))


def body_of(received: bytes) -> bytes:
    return received.partition(b"\r\n\r\n")[2]


def unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return whole


def answered(policies: RoutePolicies, answer: bytes, request: bytes | None = None, **settings: Any) -> MemoryPath:
    path = gated(policies, **settings)
    path.answer = answer
    path.send(request or get())
    return path


# -- heads


@pytest.mark.parametrize("date", [b"", b"Date: Sat, 21 Nov 2026 00:00:00 GMT\r\n"])
def test_edits_are_made_in_order(date: bytes) -> None:
    policies = RoutePolicies(
        cookies=CookieRewrite(path="/", new_path="/app/"),
        location=LocationRewrite("http://inner/", "https://a.example/"),
        response=ResponseEdits(fields=(("X-A", "1"),), hide=("x-secret",)),
        cors=Cors(("https://b",)),
        affinity=Affinity("default-app-80"),
    )
    answer = (
        b"HTTP/1.1 302 Found\r\nServer: origin\r\nX-Secret: 1\r\nX-A: 2\r\nSet-Cookie: a=b; Path=/\r\n"
        b"Location: http://inner/x\r\nAccess-Control-Allow-Origin: *\r\n" + date + b"Content-Length: 2\r\n\r\nok"
    )
    path = answered(policies, answer, get("Origin: https://b"))
    fields = fields_of(path.received)
    assert fields[""] == "HTTP/1.1 302 Found"
    assert fields["location"] == "https://a.example/x"
    assert fields["x-a"] == "1"
    assert fields["access-control-allow-origin"] == "https://b"
    assert fields["set-cookie"].startswith("a=b; Path=/app/, INGRESSCOOKIE=")
    assert fields["date"] == "Sat, 21 Nov 2026 00:00:00 GMT"
    assert fields["content-length"] == "2"
    assert "server" not in fields
    assert "x-secret" not in fields
    assert body_of(path.received) == b"ok"
    path.close()


def test_a_101_is_edited_too() -> None:
    path = gated(RoutePolicies(affinity=Affinity("default-app-80"), response=ResponseEdits(fields=(("X-A", "1"),))))
    path.origins[0].is_scripted = True
    path.send(get("Connection: upgrade", "Upgrade: websocket"))
    path.origins[0].connection.data_received(
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi"
    )
    fields = fields_of(path.received)
    assert (fields["upgrade"], fields["x-a"]) == ("websocket", "1")
    assert fields["set-cookie"].startswith("INGRESSCOOKIE=")
    assert body_of(path.received) == b"hi"
    path.close()


def test_a_response_head_may_have_a_bound_of_the_routes() -> None:
    answer = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500 + b"\r\nContent-Length: 0\r\n\r\n"
    path = answered(RoutePolicies(max_response_header_bytes=400), answer)
    assert path.local.rejected() == {"response_header_too_large": 1}
    path.close()
    path = answered(RoutePolicies(max_response_header_bytes=600), answer)
    assert path.statuses == [200]
    assert path.origins[0].connection.max_head_bytes == path.gateway.limits.response_header_bytes
    path.close()


# -- bodies


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n" + b"0123456789" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n"
        + b"0123456789" * 100
        + b"\r\n0\r\n\r\n",
    ],
)
def test_a_body_is_compressed_for_who_wants_it(answer: bytes) -> None:
    path = answered(RoutePolicies(compression=GZIP), answer, get("Accept-Encoding: gzip"))
    fields = fields_of(path.received)
    assert (fields["content-encoding"], fields["transfer-encoding"]) == ("gzip", "chunked")
    assert "content-length" not in fields
    body = unchunked(body_of(path.received))
    assert zlib.decompress(body, 31) == b"0123456789" * 100
    assert statuses_of(path.received, [b"GET"]) == [200]
    assert path.local.sent_bytes() == len(body) < 1000
    path.send(get())
    path.close()
    assert path.statuses == [200, 200]


def test_a_body_that_pauses_is_let_out() -> None:
    path = gated(RoutePolicies(compression=GZIP))
    path.origins[0].is_scripted = True
    path.send(get("Accept-Encoding: gzip"))
    connection = path.origins[0].connection
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.data_received(b"5\r\nhello\r\n")
    chunk = body_of(path.received)
    assert zlib.decompressobj(31).decompress(unchunked(chunk)) == b"hello"
    path.close()


def test_compressors_are_given_back_however_the_answer_ends() -> None:
    for end in ("complete", "lost", "failed"):
        path = gated(RoutePolicies(compression=GZIP))
        encoders = path.gateway.services.encoders
        before = encoders._left
        path.origins[0].is_scripted = True
        path.send(get("Accept-Encoding: gzip"))
        connection = path.origins[0].connection
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhello")
        assert encoders._left < before
        if end == "complete":
            connection.data_received(b"x" * 95)
        elif end == "failed":
            connection.connection_lost(None)
        path.close()
        assert encoders._left == before


async def test_a_large_body_is_compressed_in_slices_and_its_source_pauses() -> None:
    path = gated(RoutePolicies(compression=GZIP), loop=asyncio.get_running_loop())
    path.origins[0].is_scripted = True
    path.send(get("Accept-Encoding: gzip"))
    whole = os.urandom(300_000)
    connection, transport = path.origins[0].connection, path.origins[0].transport
    connection.data_received(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 300000\r\n\r\n" + whole[:200_000]
    )
    assert not transport.is_reading()
    while not transport.is_reading():
        await asyncio.sleep(0)
    connection.data_received(whole[200_000:])
    assert path.gateway.pool.idle == 1  # the endpoint has said all, the client has not got it yet
    while path.gateway.active:
        await asyncio.sleep(0)
    assert zlib.decompress(unchunked(body_of(path.received)), 31) == whole
    path.send(get())
    path.close()


async def test_a_client_that_leaves_a_slice_behind() -> None:
    path = gated(RoutePolicies(compression=GZIP), loop=asyncio.get_running_loop())
    path.origins[0].is_scripted = True
    path.send(get("Accept-Encoding: gzip"))
    path.origins[0].connection.data_received(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 200000\r\n\r\n" + os.urandom(200_000)
    )
    path.close()
    await asyncio.sleep(0)
    assert path.statuses == [200]


class PacedLoop:
    """Timers that a test lets come."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._work: list[Any] = []

    def call_later(self, seconds: float, work: Any) -> "PacedLoop":
        self.waits.append(seconds)
        self._work.append(work)
        return self

    def call_soon(self, work: Any) -> "PacedLoop":
        self._work.append(work)
        return self

    def cancel(self) -> None:
        self._work.clear()

    def go_on(self) -> None:
        work, self._work = self._work, []
        for one in work:
            one()


def test_a_body_goes_no_faster_than_its_route_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("ingressd.proxy.outlet.monotonic", lambda: now[0])
    loop: Any = PacedLoop()
    path = gated(RoutePolicies(bandwidth=Bandwidth(1000, after_bytes=500)), loop=loop)
    path.origins[0].is_scripted = True
    path.send(get())
    whole = bytes(range(256)) * 20
    path.origins[0].connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 5120\r\n\r\n" + whole)
    assert len(body_of(path.received)) == 1500
    assert path.gateway.pool.idle == 1
    while path.gateway.active:
        before, then = len(body_of(path.received)), now[0]
        now[0] += loop.waits[-1]
        loop.go_on()
        assert len(body_of(path.received)) - before <= 1000 * (now[0] - then) + 1
    assert body_of(path.received) == whole
    assert now[0] - 100.0 >= 3.6
    assert path.statuses == [200]
    path.close()


def test_a_slow_client_of_a_paced_body_is_waited_for() -> None:
    loop: Any = PacedLoop()
    path = gated(RoutePolicies(bandwidth=Bandwidth(1 << 30)), loop=loop)
    path.origins[0].is_scripted = True
    path.send(get())
    path.transport.stop_taking()
    connection = path.origins[0].connection
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"x" * 200_000)
    assert not path.origins[0].transport.is_reading()
    assert len(body_of(path.received)) == 65536
    for _ in range(3):
        path.transport.take(1 << 20)
        loop.go_on()
    assert path.origins[0].transport.is_reading()
    connection.data_received(b"x" * 200_000)
    for _ in range(4):
        path.transport.take(1 << 20)
        loop.go_on()
    assert len(body_of(path.received)) == 400_000
    assert path.statuses == [200]
    path.close()


# -- answers of somebody else

PAGE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\npage"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:

    lease = Pool.lease
    monkeypatch.setattr(Pool, "lease", lambda self, live, *, fresh=False: lease(self, live))


def with_pages(statuses: tuple[int, ...], **policies: Any) -> MemoryPath:
    pages = ErrorPages(PAGES, statuses, namespace="default", service="app")
    return gated(RoutePolicies(error_pages=pages, **policies), backends={PAGES: (9,)}, shared_limits=alone())


def page_origin(path: MemoryPath) -> Any:
    return next(one for one in path.origins if one.endpoint.port == 9)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n\r\nwrong", b"Content-Length: 0\r\n\r\n", b"\r\nwro"])
def test_an_error_is_shown_by_somebody_else(framing: bytes) -> None:
    path = with_pages((404,))
    path.origins[0].is_scripted = True
    path.answer = PAGE
    path.send(get("Accept: text/css", "Cookie: a=1", target="/x?q"))
    path.origins[0].connection.data_received(b"HTTP/1.1 404 Not Found\r\n" + framing)
    path.pump()
    fields = fields_of(page_origin(path).transport.written)
    assert fields[""] == "GET /?q HTTP/1.1"
    assert (fields["x-code"], fields["x-original-uri"], fields["x-format"]) == ("404", "/x?q", "text/css")
    assert (fields["cookie"], fields["x-forwarded-for"], fields["x-service-name"]) == ("a=1", "192.0.2.7", "app")
    assert body_of(path.received) == b"page"
    assert path.statuses == [404]
    assert path.origins[0].transport.is_closing()
    path.seed(path.origins[0].endpoint)
    path.send(get())
    assert path.statuses == [404, 404]
    path.close()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("policies", [{}, {"compression": GZIP}, {"bandwidth": Bandwidth(100)}])
def test_nothing_of_an_answer_that_broke_off_is_left_to_the_page(policies: dict[str, Any]) -> None:
    """Its body would be framed as the first answer's was, and end where the client does not see it."""
    path = with_pages((502,), **policies)
    path.origins[0].is_scripted = True
    page = page_origin(path)
    page.is_scripted = True
    path.send(get("Accept-Encoding: gzip"))
    path.origins[0].connection.data_received(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\nz\r\n"
    )
    page.connection.data_received(PAGE[:20])
    assert path.received == b""
    page.connection.data_received(PAGE[20:])
    assert path.received.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert fields_of(path.received)["content-length"] == "4"
    assert body_of(path.received) == b"page"
    assert path.statuses == [404]
    path.close()


@pytest.mark.usefixtures("kept")
def test_its_own_error_is_shown_as_it_is() -> None:
    path = with_pages((404,))
    path.origins[0].is_scripted = True
    page = page_origin(path)
    page.is_scripted = True
    path.send(get())
    path.origins[0].connection.data_received(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    page.connection.data_received(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nmy")
    assert body_of(path.received) == b"my"
    path.close()


@pytest.mark.usefixtures("kept")
def test_a_body_under_way_is_left_behind() -> None:
    path = with_pages((413,))
    path.origins[0].is_scripted = True
    path.answer = PAGE
    path.send(get(method="POST", body=b"x" * 1000)[:-500])
    path.origins[0].connection.data_received(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
    path.pump()
    assert [(request.method, body) for request, body in path.requests] == [(b"POST", b"")]
    assert fields_of(path.received)["connection"] == "close"
    assert path.transport.ended
    path.send(b"x" * 500 + get())
    assert path.statuses == [404]
    path.close()


@pytest.mark.usefixtures("kept")
def test_the_end_of_a_body_left_behind_is_found() -> None:
    path = with_pages((413,))
    path.origins[0].is_scripted = True
    page = page_origin(path)
    page.is_scripted = True
    path.send(get(method="POST", body=b"x" * 1000)[:-500])
    path.origins[0].connection.data_received(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
    path.send(b"x" * 500 + get(target="/after"))
    assert page.transport.written.count(b"HTTP/1.1\r\n") == 1
    assert b"xx" not in page.transport.written
    path.seed(path.origins[0].endpoint).is_scripted = True
    page.connection.data_received(PAGE)
    assert b"GET /after " in path.origins[-1].transport.written
    assert b"Connection: close" not in path.received
    assert not path.transport.is_done()
    path.close()


def test_what_is_denied_has_no_page() -> None:
    path = with_pages((503,), denied="for a reason")
    path.send(get())
    assert (path.statuses, page_origin(path).transport.written) == ([503], b"")
    path.close()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("status", [403, 502, 503])
def test_so_it_is_with_answers_of_ours(status: int) -> None:
    addresses = AddressLists(deny=("0.0.0.0/0",)) if status == 403 else None
    limits = RateLimits("pages", per_second=1, burst_multiplier=-1) if status == 503 else None
    path = with_pages((status,), addresses=addresses, limits=limits)
    path.origins[0].is_scripted = True
    path.answer = PAGE
    path.send(get())
    if status == 502:
        path.origins[0].connection.data_received(b"nonsense\r\n\r\n")
        path.pump()
    assert fields_of(page_origin(path).transport.written)["x-code"] == str(status)
    assert body_of(path.received) == b"page"
    assert path.statuses == [404]
    path.close()


@pytest.mark.usefixtures("kept")
def test_nobody_to_show_it_leaves_the_answer() -> None:
    pages = ErrorPages(PAGES, (404, 403))
    path = gated(RoutePolicies(error_pages=pages), backends={PAGES: ()})
    path.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nwrong"
    path.send(get())
    assert body_of(path.received) == b"wrong"
    path.close()


# -- the log


def test_a_route_may_have_no_log() -> None:
    path = gated(RoutePolicies(access_log=False))
    path.send(get())
    assert path.statuses == []
    assert path.local.counted() == 1
    path.lose()


@pytest.mark.parametrize("policies", [None, RoutePolicies(affinity=Affinity("default-app-80"))])
def test_a_format_of_its_own_gets_its_facts(policies: RoutePolicies | None) -> None:
    lines: list[bytes] = []
    path = MemoryPath(one_host([1])) if policies is None else gated(policies)
    log = path.gateway.log
    log.format = LogFormat(
        "$remote_addr $status $body_bytes_sent $upstream_addr $upstream_status $upstream_response_length "
        "$sent_http_x_a $proxy_upstream_name $request_length"
    )
    log.record_facts = lambda facts: lines.append(log.format.line(facts))  # type: ignore[method-assign, union-attr]
    path.gateway.exchange_type = Observed
    path.answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok"
    path.send(get())
    path.send(b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n")
    assert lines == [
        b"192.0.2.7 200 2 127.0.0.1:1 200 2 1 default-app-80 35\n",
        b"192.0.2.7 404 14 - - - -  35\n",
    ]
    assert path.local.counted() == 2
    path.lose()
