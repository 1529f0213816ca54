"""Answers of a gate: their form, what a route adds to them, and that nothing opens what cannot be checked."""

from base64 import b64encode
from typing import Any

import pytest

from ingressd.errors import UpstreamError
from ingressd.policy.address_list import AddressLists
from ingressd.policy.basic_auth import BasicAuth
from ingressd.policy.client_certificate import ClientCertificates, Verify
from ingressd.policy.cors import Cors
from ingressd.policy.external_auth import ExternalAuth
from ingressd.policy.fixed_answer import FixedAnswer
from ingressd.policy.forwarded import Forwarding, ForwardingRules
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import RateLimits
from ingressd.policy.redirects import HttpsRedirect
from ingressd.policy.response_fields import Hsts, ResponseEdits
from ingressd.policy.rewrite import Rewrite
from ingressd.proxy.downstream import Downstream
from ingressd.routing.snapshot import Material
from tests.proxy.gated import alone, fields_of, gated, get
from tests.support.memory import MemoryPath, MemoryTransport, statuses_of

NOBODY = AddressLists(deny=("0.0.0.0/0",))
USERS = {"users:default/a": Material("users:default/a", {"auth": b"jo:{PLAIN}secret\n"})}
BASIC = BasicAuth("users:default/a", "who")


def login(password: str, user: str = "jo") -> str:
    return "Authorization: Basic " + b64encode(f"{user}:{password}".encode()).decode()


def sent(policies: RoutePolicies, request: bytes | None = None, **settings: Any) -> MemoryPath:
    path = gated(policies, shared_limits=alone(), **settings)
    path.send(request or get())
    path.close()
    return path


# -- the form


def test_a_route_adds_its_fields_to_answers_of_ours() -> None:
    edits = ResponseEdits(fields=(("X-Frame-Options", "DENY"),), hsts=Hsts())
    policies = RoutePolicies(addresses=NOBODY, cors=Cors(), response=edits)
    path = sent(policies, get("Origin: https://b"), scheme=b"https")
    fields = fields_of(path.received)
    assert fields[""] == "HTTP/1.1 403 Forbidden"
    assert fields["access-control-allow-origin"] == "*"
    assert fields["x-frame-options"] == "DENY"
    assert fields["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert "strict-transport-security" not in fields_of(sent(policies).received)


def test_so_it_does_when_an_endpoint_fails() -> None:
    path = gated(RoutePolicies(cors=Cors()))
    path.origins[0].is_scripted = True
    path.send(get("Origin: https://b"))
    path.origins[0].connection.data_received(b"nonsense\r\n\r\n")
    assert fields_of(path.received)[""] == "HTTP/1.1 502 Bad Gateway"
    assert fields_of(path.received)["access-control-allow-origin"] == "*"
    path.close()


def test_a_preflight_has_the_answer_that_browsers_want() -> None:
    path = gated(RoutePolicies(cors=Cors()))
    path.send(get("Origin: https://b", method="OPTIONS") + get())
    fields = fields_of(path.received)
    assert fields[""] == "HTTP/1.1 204 No Content"
    assert fields["content-type"] == "text/plain charset=UTF-8"
    assert fields["access-control-allow-methods"] == "GET, PUT, POST, DELETE, PATCH, OPTIONS"
    assert "content-length" not in fields
    assert statuses_of(path.received, [b"OPTIONS", b"GET"]) == [204, 200]
    path.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_fixed_answer_is_counted_as_it_was_sent(method: str) -> None:
    path = sent(RoutePolicies(respond=FixedAnswer(410, "gone for good")), get(method=method))
    body = path.received.partition(b"\r\n\r\n")[2]
    assert body == (b"" if method == "HEAD" else b"gone for good")
    assert fields_of(path.received)["content-length"] == "13"
    [record] = path.local.log.records  # type: ignore[attr-defined]
    assert (record.status, record.bytes_out, path.local.sent_bytes()) == (410, len(body), len(body))


def test_the_log_tells_the_request_id_that_everybody_is_told() -> None:
    path = sent(RoutePolicies(addresses=AddressLists()))
    [record] = path.local.log.records  # type: ignore[attr-defined]
    assert f"X-Request-ID: {record.request_id}\r\n".encode() in path.forwarded


def test_a_body_nobody_reads_ends_the_connection() -> None:
    path = sent(RoutePolicies(addresses=NOBODY), get(method="POST", body=b"x"))
    assert fields_of(path.received)["connection"] == "close"
    assert path.transport.ended


def test_what_follows_an_offer_to_switch_is_no_request() -> None:
    path = sent(RoutePolicies(addresses=NOBODY), get("Connection: upgrade", "Upgrade: websocket") + get())
    assert path.statuses == [403]
    assert fields_of(path.received)["connection"] == "close"


@pytest.mark.parametrize("request_bytes", [get(), get() + get()])
def test_answers_keep_the_connection_otherwise(request_bytes: bytes) -> None:
    path = gated(RoutePolicies(addresses=NOBODY))
    path.send(request_bytes)
    assert set(path.statuses) == {403}
    assert not path.transport.is_done()
    path.close()


@pytest.mark.parametrize("verify", [Verify.REQUIRED, Verify.OPTIONAL])
def test_client_certificates_are_asked_for_before_all_and_their_refusal_ends_the_connection(verify: Verify) -> None:
    policies = RoutePolicies(client_certificates=ClientCertificates("trust:default/ca", verify))
    path = gated(policies, scheme=b"https")
    path.send(get())
    assert path.statuses == [403]  # nobody could set the host up
    assert path.transport.is_done()
    path.close()
    path = gated(policies, scheme=b"https")
    path.gateway.client_trust = {"a.example": "authorities"}
    path.send(get())
    assert path.statuses == [421]  # this connection was not asked
    assert path.transport.is_done()
    path.close()


def test_a_route_that_demands_certificates_is_not_had_in_the_clear() -> None:
    path = gated(RoutePolicies(client_certificates=ClientCertificates("trust:default/ca")))
    path.gateway.client_trust = {"a.example": "authorities"}
    path.send(get())
    assert path.local.rejected() == {"client_certificate_needs_tls": 1}
    path.close()


def test_a_route_without_a_backend_has_a_gate_too() -> None:
    path = sent(RoutePolicies(https_redirect=HttpsRedirect()), backend="", status=404)
    assert fields_of(path.received)["location"] == "https://a.example"
    path = sent(RoutePolicies(https_redirect=HttpsRedirect()), backend="", status=404, scheme=b"https")
    assert path.statuses == [404]


# -- who comes in


@pytest.mark.parametrize(
    ("fields", "status"),
    [((), 401), ((login("wrong"),), 401), ((login("secret", "jim"),), 401), ((login("secret"),), 200)],
)
async def test_passwords(fields: tuple[str, ...], status: int) -> None:
    path = sent(RoutePolicies(basic_auth=BASIC), get(*fields), materials=USERS)
    assert path.statuses == [status]
    if status == 401:
        assert fields_of(path.received)["www-authenticate"] == 'Basic realm="who"'
        assert path.forwarded == b""


async def test_a_secret_that_changes_counts_at_once() -> None:
    path = gated(RoutePolicies(basic_auth=BASIC), materials=USERS)
    path.send(get(login("secret")))
    material = Material("users:default/a", {"auth": b"jo:{PLAIN}other\n"})
    path.gateway.materials.stage(material)
    path.gateway.materials.commit()
    path.send(get(login("secret")) + get(login("other")))
    path.gateway.materials.commit(removed=[material.key])
    path.send(get(login("other")))
    assert path.statuses == [200, 401, 200, 503]
    path.close()


async def test_any_of_them_is_enough_when_the_route_says_so() -> None:
    either = RoutePolicies(basic_auth=BASIC, addresses=AddressLists(allow=("192.0.2.7/32",)), satisfy_any=True)
    assert sent(either, materials=USERS).statuses == [200]
    elsewhere = RoutePolicies(basic_auth=BASIC, addresses=AddressLists(allow=("10.0.0.1/32",)), satisfy_any=True)
    assert sent(elsewhere, materials=USERS).statuses == [401]
    assert sent(elsewhere, get(login("secret")), materials=USERS).statuses == [200]


def test_a_limit_of_connections_counts_what_is_under_way() -> None:
    path = gated(RoutePolicies(limits=RateLimits("all", connections=1)), shared_limits=alone())
    path.origins[0].is_scripted = True
    path.send(get())
    shared = path.gateway.shared_limits
    assert shared is not None
    assert sum(shared._cells) == 1
    assert on_another_connection(path).startswith(b"HTTP/1.1 503 ")
    path.origins[0].connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert sum(shared._cells) == 0
    assert path.statuses == [503, 200]
    path.close()


def on_another_connection(path: MemoryPath) -> bytes:
    """What the same client is answered there."""
    down = Downstream(path.gateway, b"http", b"80")
    transport = MemoryTransport(down)
    down.connection_made(transport)
    down.data_received(get())
    transport.abort()
    down.connection_lost(None)
    return transport.written


@pytest.mark.parametrize("end", ["refused", "failed", "lost"])
def test_however_a_request_ends_it_counts_no_longer(end: str) -> None:
    limits = RateLimits("all", connections=1)
    addresses = NOBODY if end == "refused" else None
    path = gated(RoutePolicies(limits=limits, addresses=addresses), shared_limits=alone())
    path.origins[0].is_scripted = True
    path.send(get())
    if end == "failed":
        path.origins[0].connection.sink.on_upstream_failed(UpstreamError("read_timeout"))  # type: ignore[union-attr]
    path.close()
    shared = path.gateway.shared_limits
    assert shared is not None
    assert sum(shared._cells) == 0
    assert path.statuses == [{"refused": 403, "failed": 504, "lost": 499}[end]]


# -- where a request came from


def test_a_proxy_in_front_that_is_trusted_is_believed() -> None:
    policies = RoutePolicies(addresses=AddressLists(deny=("203.0.113.9/32",)), https_redirect=HttpsRedirect())
    path = gated(policies)
    path.gateway.forwarding = ForwardingRules(Forwarding(client_from_header=True, target_from_headers=True))
    said = "X-Forwarded-Proto: https", "X-Forwarded-Host: b.example"
    path.send(get(*said, "X-Forwarded-For: 203.0.113.9") + get(*said, "X-Forwarded-For: 203.0.113.8") + get())
    assert path.statuses == [403, 200, 308]
    assert [record.client for record in path.local.log.records] == ["203.0.113.9", "203.0.113.8", "192.0.2.7"]  # type: ignore[attr-defined]
    assert b"X-Forwarded-Host: b.example\r\n" in path.forwarded
    assert b"X-Real-IP: 203.0.113.8\r\n" in path.forwarded
    path.close()


def test_so_it_is_on_plain_routes() -> None:
    path = MemoryPath()
    path.gateway.forwarding = ForwardingRules(Forwarding(client_from_header=True))
    path.send(get("X-Forwarded-For: 203.0.113.8") + get())
    path.gateway.forwarding = None
    path.send(get("X-Forwarded-For: 203.0.113.8"))
    assert [record.client for record in path.local.log.records] == ["203.0.113.8", "192.0.2.7", "192.0.2.7"]  # type: ignore[attr-defined]
    assert path.forwarded.count(b"X-Real-IP: 203.0.113.8\r\n") == 1
    assert path.forwarded.count(b"X-Real-IP: 192.0.2.7\r\n") == 2
    path.close()


@pytest.mark.parametrize("policies", [None, RoutePolicies(addresses=AddressLists())])
def test_a_request_id_of_the_clients_may_be_worth_nothing(policies: RoutePolicies | None) -> None:
    path = MemoryPath() if policies is None else gated(policies)
    path.gateway.keeps_request_id = False
    path.send(get("X-Request-ID: mine"))
    assert b"mine" not in path.forwarded
    assert b"X-Request-ID: " in path.forwarded
    path.close()


# -- what cannot be checked is closed


@pytest.mark.parametrize(
    "policies",
    [
        RoutePolicies(denied="there is no Secret default/a"),
        RoutePolicies(basic_auth=BASIC),
        RoutePolicies(basic_auth=BASIC, satisfy_any=True, addresses=AddressLists(allow=("0.0.0.0/0",))),
        RoutePolicies(external_auth=ExternalAuth("http://auth/", headers="headers:default/a")),
        RoutePolicies(external_auth=ExternalAuth("nonsense")),
        RoutePolicies(rewrite=Rewrite("/(", "/x")),
        RoutePolicies(response=ResponseEdits(fields=(("Host", "x"),))),
    ],
)
def test_denied(policies: RoutePolicies, caplog: pytest.LogCaptureFixture) -> None:
    path = gated(policies)
    path.send(get(login("secret")) + get())
    assert path.statuses == [503, 503]
    assert path.forwarded == b""
    assert caplog.text.count("is denied") <= 1
    path.close()


def test_limits_that_nobody_can_count_deny(caplog: pytest.LogCaptureFixture) -> None:
    path = gated(RoutePolicies(limits=RateLimits("all", per_second=1)))
    path.send(get())
    assert path.statuses == [503]
    assert "a.example/ of default/web is denied (503)" in caplog.text
    path.close()
