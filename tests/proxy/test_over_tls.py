"""Routes that ask for HTTPS and for fixed fields in answers, and for nothing else: over TLS they pass no gate."""

import pytest

from ingressd.policy.policies import RoutePolicies
from ingressd.policy.redirects import HttpsRedirect
from ingressd.policy.response_fields import Hsts, ResponseEdits
from ingressd.policy.rewrite import Rewrite
from ingressd.proxy.forward import Forwarding
from tests.proxy.gated import APP, gated, get, snapshot_of
from tests.support.memory import MemoryPath

HSTS = b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
TLS_ONLY = RoutePolicies(https_redirect=HttpsRedirect(), response=ResponseEdits(hsts=Hsts()))
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: inner\r\nStrict-Transport-Security: max-age=1\r\n"
    b"Date: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok"
)


def test_plain_http_is_redirected() -> None:
    path = gated(TLS_ONLY)
    path.send(get(target="/x"))
    path.close()
    assert path.statuses == [308]
    assert b"Location: https://a.example/x\r\n" in path.received
    assert not path.forwarded


@pytest.mark.parametrize("others", [RoutePolicies(), RoutePolicies(rewrite=Rewrite("/never", "/x"))])
def test_over_tls_answers_differ_in_nothing_from_those_of_a_gate(others: RoutePolicies) -> None:
    policies = RoutePolicies(https_redirect=TLS_ONLY.https_redirect, response=TLS_ONLY.response, rewrite=others.rewrite)
    path = gated(policies, scheme=b"https")
    path.answer = ANSWER
    for _ in range(2):
        path.send(get())
    path.close()
    assert path.statuses == [200, 200]
    assert path.received.count(HSTS) == 2
    assert b"max-age=1\r\n" not in path.received
    assert b"Server:" not in path.received
    assert b"X-Forwarded-Proto: https\r\n" in path.forwarded


@pytest.mark.parametrize(
    ("policies", "scheme", "added"),
    [
        (TLS_ONLY, b"https", HSTS),
        (RoutePolicies(response=TLS_ONLY.response), b"http", b""),
        (RoutePolicies(response=ResponseEdits(fields=(("X-A", "b"),))), b"http", b"X-A: b\r\n"),
    ],
)
def test_no_gate_is_passed(
    policies: RoutePolicies, scheme: bytes, added: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = gated(policies, scheme=scheme)
    taken: list[type] = []
    start = Forwarding.start

    def noted(self: Forwarding, rest: bytes) -> None:
        taken.append(type(self))
        start(self, rest)

    monkeypatch.setattr(Forwarding, "start", noted)
    path.send(get())
    path.close()
    assert taken == [Forwarding]
    assert path.statuses == [200]
    assert added in path.received
    assert (b"Strict-" in path.received) is (scheme == b"https")


def test_without_endpoints_the_answer_is_ours_and_has_the_fields() -> None:
    path = MemoryPath(snapshot_of(TLS_ONLY, backends={APP: ()}), scheme=b"https")
    path.send(get())
    path.close()
    assert path.statuses == [503]
    assert HSTS in path.received


def test_equal_routes_share_a_gate() -> None:
    one, other = gated(TLS_ONLY), gated(TLS_ONLY)
    first = one.gateway.state.find("a.example", "/").gate
    assert first is one.gateway.state.find("a.example", "/other").gate
    assert other.gateway.state.find("a.example", "/").gate is not first  # each worker has its own
    assert len(one.gateway.gates) == 1
    one.close()
    other.close()
