"""What endpoints get on routes with policies: which endpoint, and what it is told."""

import asyncio
from typing import Any

import pytest

from ingressd.errors import UpstreamError
from ingressd.policy.affinity import Affinity
from ingressd.policy.canary import Canary
from ingressd.policy.client_certificate import ClientCertificates, Verify
from ingressd.policy.error_pages import ErrorPages
from ingressd.policy.hashing import HashBy
from ingressd.policy.mirror import Mirror
from ingressd.policy.next_upstream import NextUpstream
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.request_fields import RequestEdits
from ingressd.policy.rewrite import Rewrite
from ingressd.proxy.limits import Limits
from ingressd.proxy.mirroring import MAX_UNDER_WAY
from ingressd.proxy.pool import Pool
from tests.proxy.gated import APP, fields_of, gated, get
from tests.support.memory import MemoryPath, statuses_of
from tests.support.origin import origin

SEVERAL = {APP: (1, 2, 3)}


def sent(policies: RoutePolicies, request: bytes | None = None, **settings: Any) -> tuple[str, dict[str, str]]:
    """Request line and fields that the endpoint got."""
    path = gated(policies, **settings)
    path.send(request or get())
    path.close()
    assert path.statuses == [200]
    fields = fields_of(path.forwarded)
    return fields.pop(""), fields


def asked(path: MemoryPath) -> list[int]:
    """Ports of the endpoints in the order of requests: one for each connection."""
    return [one.endpoint.port for one in path.origins for _ in one.requests]


# -- the head


def test_fields_are_set_removed_and_the_host_is_another() -> None:
    edits = RequestEdits(
        fields=(("X-A", "1"), ("X-B", "$namespace/$service_name:$service_port"), ("X-Real-IP", "hidden")),
        remove=("Cookie", "X-Forwarded-Port"),
        host="inner.example",
    )
    request = get("Cookie: a=1", "X-A: 2", "X-Keep: 3", "X-Request-ID: abc")
    line, fields = sent(RoutePolicies(request=edits), request)
    assert line == "GET / HTTP/1.1"
    assert fields == {
        "host": "inner.example",
        "x-keep": "3",
        "x-request-id": "abc",
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-host": "a.example",
        "x-forwarded-proto": "http",
        "x-forwarded-scheme": "http",
        "x-scheme": "http",
        "x-a": "1",
        "x-b": "default/app:80",
        "x-real-ip": "hidden",
    }


def test_what_an_endpoint_may_offer_and_wait_for_passes() -> None:
    edits = RoutePolicies(request=RequestEdits(fields=(("X-A", "1"),)))
    _, fields = sent(edits, get("Connection: Upgrade", "Upgrade: websocket"))
    assert (fields["connection"], fields["upgrade"]) == ("upgrade", "websocket")
    _, fields = sent(edits, get("Connection: TE", "TE: trailers"))
    assert (fields["connection"], fields["te"]) == ("TE", "trailers")


def test_a_rewritten_target_is_told_with_its_prefix() -> None:
    rewrite = Rewrite("/v1/(.*)", "/$1", "/v1")
    line, fields = sent(RoutePolicies(rewrite=rewrite), get(target="/v1/x?q"))
    assert line == "GET /x?q HTTP/1.1"
    assert (fields["x-forwarded-prefix"], fields["x-original-uri"]) == ("/v1", "/v1/x?q")


@pytest.mark.parametrize(("connection", "is_kept"), [("keep-alive", True), ("close", False)])
def test_a_fixed_connection_field_leaves_no_room_for_an_offer(connection: str, is_kept: bool) -> None:
    path = gated(RoutePolicies(request=RequestEdits(connection=connection)))
    path.send(get("Connection: upgrade", "Upgrade: websocket"))
    fields = fields_of(path.forwarded)
    assert fields["connection"] == connection
    assert "upgrade" not in fields
    assert path.origins[0].connection.closed is not is_kept
    path.close()


def test_an_http_1_0_request_has_a_host_all_the_same() -> None:
    path = gated(RoutePolicies(request=RequestEdits(fields=(("X-A", "1"),))))
    path.send(b"GET / HTTP/1.0\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    fields = fields_of(path.forwarded)
    assert (fields[""], fields["host"], fields["x-a"]) == ("GET / HTTP/1.1", "a.example", "1")
    assert "upgrade" not in fields
    path.close()


def test_nobody_but_us_speaks_of_client_certificates() -> None:
    policies = RoutePolicies(client_certificates=ClientCertificates("trust:default/ca", Verify.OPTIONAL))
    path = gated(policies)
    path.gateway.client_trust = {"a.example": "authorities"}
    path.send(get("ssl-client-verify: SUCCESS", "ssl-client-subject-dn: CN=root"))
    assert path.statuses == [200]
    assert b"ssl-client" not in path.forwarded
    path.close()


# -- which endpoint


def test_a_canary_gets_its_share_and_only_while_it_has_endpoints() -> None:
    policies = RoutePolicies(canary=Canary("default/new:80", header="X-New"))
    path = gated(policies, backends={"default/new:80": (7,)})
    path.send(get("X-New: always") + get("X-New: never"))
    assert sorted(asked(path)) == [1, 7]
    path.close()
    path = gated(policies, backends={"default/new:80": ()})
    path.send(get("X-New: always"))
    assert asked(path) == [1]
    path.close()
    path = gated(policies, backends={"default/new:80": (7,), APP: ()})
    path.send(get("X-New: always"))
    assert path.statuses == [503]
    path.close()


@pytest.mark.parametrize(("scheme", "port"), [(b"http", 1), (b"https", 7)])
def test_who_comes_over_tls_may_have_another_backend(scheme: bytes, port: int) -> None:
    policies = RoutePolicies(secure_backend="default/app:80|tls")
    path = gated(policies, scheme=scheme, backends={"default/app:80|tls": (7,)})
    path.send(get())
    assert asked(path) == [port]
    path.close()


def test_equal_keys_lead_to_one_endpoint() -> None:
    path = gated(RoutePolicies(hash_by=HashBy("$request_uri")), backends=SEVERAL)
    for target in ("/a", "/b", "/c", "/d", "/e", "/a", "/b", "/c", "/d", "/e"):
        path.send(get(target=target))
    by_target: dict[bytes, set[int]] = {}
    for one in path.origins:
        for request in one.requests:
            by_target.setdefault(bytes(request.target), set()).add(one.endpoint.port)
    assert all(len(ports) == 1 for ports in by_target.values())
    assert len({port for ports in by_target.values() for port in ports}) > 1
    path.close()


def test_a_key_belongs_to_some_of_them() -> None:
    path = gated(RoutePolicies(hash_by=HashBy("$host", subset_size=2)), backends=SEVERAL)
    for _ in range(40):
        path.send(get())
    assert len(set(asked(path))) == 2
    path.close()


@pytest.mark.parametrize("persistent", [False, True])
def test_a_cookie_leads_back(persistent: bool) -> None:
    path = gated(RoutePolicies(affinity=Affinity("default-app-80", persistent=persistent)), backends=SEVERAL)
    path.send(get())
    [first] = asked(path)
    cookie = fields_of(path.received)["set-cookie"].partition(";")[0]
    assert cookie.startswith("INGRESSCOOKIE=")
    before = len(path.received)
    for _ in range(10):
        path.send(get(f"Cookie: {cookie}"))
    assert asked(path) == [first] * 11
    assert b"Set-Cookie" not in path.received[before:]
    path.close()


def test_the_quicker_endpoint_is_preferred() -> None:
    path = gated(RoutePolicies(latency_balanced=True), backends={APP: (1, 2)})
    slow, quick = path.gateway.backends.cell(APP).endpoints
    slow.latency.observe(10.0, 1e9)
    quick.latency.observe(0.001, 1e9)
    for _ in range(20):
        path.send(get())
    assert set(asked(path)) == {2}
    path.close()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Second attempts get kept connections too: nothing can be connected to here."""
    lease = Pool.lease
    monkeypatch.setattr(Pool, "lease", lambda self, live, *, fresh=False: lease(self, live))


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    "policies",
    [
        RoutePolicies(hash_by=HashBy("$host")),
        RoutePolicies(hash_by=HashBy("$host", subset_size=2)),
        RoutePolicies(latency_balanced=True),
        RoutePolicies(affinity=Affinity("default-app-80", change_on_failure=True)),
    ],
)
def test_a_second_attempt_goes_to_somebody_else(policies: RoutePolicies) -> None:
    path = gated(policies, backends={APP: (1, 2)})
    for one in path.origins:
        one.is_scripted = True
    path.send(get())
    [first] = [one for one in path.origins if one.transport.written]
    [second] = [one for one in path.origins if one is not first]
    second.is_scripted = False
    first.connection.connection_lost(None)
    path.pump()
    assert path.statuses == [200]
    assert len(second.requests) == 1
    path.close()


def test_a_stand_in_answers_for_a_backend_without_endpoints() -> None:
    pages = ErrorPages("default/pages:80", service="app")
    path = gated(RoutePolicies(error_pages=pages), backends={APP: (), "default/pages:80": (9,)})
    path.send(get(target="/x"))
    fields = fields_of(path.forwarded)
    assert (asked(path), fields[""], fields["x-code"]) == ([9], "GET /x HTTP/1.1", "503")
    path.close()


# -- the body


async def test_copies_of_requests_are_made_and_forgotten() -> None:
    async with origin() as mirror:
        policies = RoutePolicies(mirror=Mirror(f"http://127.0.0.1:{mirror.port}$request_uri"))
        path = gated(policies, loop=asyncio.get_running_loop())
        whole = get(method="POST", target="/p?q", body=b"0123456789")
        path.send(whole[:-4])
        assert path.gateway.services.mirrors.under_way == 0
        path.send(whole[-4:])
        while mirror.received.count(b"0123456789") < 1:
            await asyncio.sleep(0)
        assert mirror.received.startswith(b"POST /p?q HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        while path.gateway.services.mirrors.under_way:
            await asyncio.sleep(0)
        assert path.statuses == [200]
        path.gateway.services.close()
        path.close()


def test_there_are_never_too_many_copies(caplog: pytest.LogCaptureFixture) -> None:
    path = gated(RoutePolicies(mirror=Mirror("http://127.0.0.1:9")))
    path.gateway.services.mirrors.under_way = MAX_UNDER_WAY
    path.send(get())
    assert path.statuses == [200]
    assert "dropped" in caplog.text
    path.close()


def test_a_body_may_be_read_before_it_is_sent() -> None:
    path = gated(RoutePolicies(buffers_request=True), limits=Limits(replay_bytes=1000))
    whole = get(method="POST", body=b"x" * 500)
    for at in range(0, len(whole) - 1, 100):
        path.send(whole[at : min(at + 100, len(whole) - 1)])
    assert path.forwarded == b""
    path.send(whole[-1:])
    assert [body for _, body in path.requests] == [b"x" * 500]
    path.send(get(method="POST", body=b"x" * 3000)[:1600])
    assert path.forwarded.count(b"POST / ") == 2  # more than is kept
    path.send(b"x" * 3000)
    path.close()


def test_who_waits_for_100_gets_it_from_us_then() -> None:
    path = gated(RoutePolicies(buffers_request=True))
    path.send(get("Expect: 100-continue", "Content-Length: 4", method="POST"))
    assert path.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    path.send(b"body")
    assert [body for _, body in path.requests] == [b"body"]
    assert b"Expect" not in path.forwarded
    path.close()


# -- attempts


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("rule", "method", "statuses"),
    [
        (NextUpstream(("error",)), "GET", [504]),
        (NextUpstream(("error", "timeout")), "GET", [200]),
        (NextUpstream(("timeout",)), "POST", [504]),
        (NextUpstream(("timeout",), non_idempotent=True), "POST", [200]),
        (NextUpstream(("timeout",), tries=1), "GET", [504]),
        (NextUpstream(()), "GET", [504]),
    ],
)
def test_which_failures_lead_to_another_attempt(rule: NextUpstream, method: str, statuses: list[int]) -> None:
    path = gated(RoutePolicies(next_upstream=rule), backends={APP: (1, 2)})
    path.gateway.backends.cell(APP).position = 0
    path.origins[0].is_scripted = True
    path.send(get(method=method))
    sink = path.origins[0].connection.sink
    assert sink is not None
    sink.on_upstream_failed(UpstreamError("read_timeout", "slow"))
    path.pump()
    assert path.statuses == statuses
    path.close()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("tries", [1, 2])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_status_may_lead_to_the_next_endpoint(tries: int, method: str) -> None:
    path = gated(RoutePolicies(next_upstream=NextUpstream(("http_503",), tries=tries)), backends={APP: (1, 2)})
    path.gateway.backends.cell(APP).position = 0
    first = path.origins[0]
    first.is_scripted = True
    path.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    path.send(get(method=method))
    first.connection.data_received(
        b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\n" + (b"busy" if method == "GET" else b"")
    )
    path.pump()
    assert statuses_of(path.received, [method.encode()]) == [200 if tries == 2 else 503]
    assert path.local.retried() == ({"http_503": 1} if tries == 2 else {})
    path.close()


@pytest.mark.parametrize("policies", [{"request": RequestEdits(connection="keep-alive")}, {}])
def test_what_follows_an_offer_is_no_request_whoever_was_told_of_it(policies: dict[str, Any]) -> None:
    pages = ErrorPages("default/pages:80", (404,))
    path = gated(RoutePolicies(error_pages=pages, **policies), backends={"default/pages:80": (9,)})
    path.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    path.send(get("Connection: upgrade", "Upgrade: websocket") + get(target="/not-a-request"))
    assert fields_of(path.received)["connection"] == "close"
    assert len(path.statuses) == 1
    assert b"/not-a-request" not in b"".join(origin.transport.written for origin in path.origins)
    assert path.transport.ended
    path.close()
