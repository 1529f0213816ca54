"""Requests that take the shortcut past a gate are forwarded and answered as the gate would have it."""

import gc
import weakref
from typing import Any

import pytest

from ingressd.policy.address_list import AddressLists
from ingressd.policy.affinity import Affinity
from ingressd.policy.cookies import CookieRewrite
from ingressd.policy.cors import Cors
from ingressd.policy.forwarded import Forwarding, ForwardingRules
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import RateLimits
from ingressd.policy.redirects import AppRoot, HttpsRedirect
from ingressd.policy.request_fields import RequestEdits
from ingressd.policy.response_fields import Hsts, ResponseEdits
from ingressd.policy.rewrite import Rewrite
from ingressd.proxy.passage import Passage
from tests.proxy.gated import APP, alone, gated, get, snapshot_of
from tests.support.memory import MemoryPath

ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: inner\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nX-Powered-By: php\r\n"
    b"Set-Cookie: a=b; Path=/\r\nAccess-Control-Allow-Origin: https://x\r\nContent-Length: 2\r\n\r\nok"
)
EDITS = RequestEdits(
    fields=(("X-A", "1"), ("X-Client", "$remote_addr $req_id"), ("X-Service", "$service_name"), ("X-Gone", "")),
    remove=("Cookie",),
)
POLICIES: dict[str, dict[str, Any]] = {
    "addresses": {"addresses": AddressLists(deny=("198.51.100.0/24",), allow=("192.0.2.0/24",))},
    "addresses that refuse": {"addresses": AddressLists(allow=("198.51.100.0/24",))},
    "any origin": {"cors": Cors()},
    "an origin": {"cors": Cors(("https://b",)), "response": ResponseEdits(fields=(("X-B", "2"),), hsts=Hsts())},
    "limited origin": {
        "limits": RateLimits("none", per_second=1, burst_multiplier=-1),
        "cors": Cors(("https://*.b", "https://b")),
    },
    "rewrite": {"rewrite": Rewrite("/old(/|$)(.*)", "/new/$2", forwarded_prefix="/old")},
    "rewrite to nowhere": {"rewrite": Rewrite("/old(.*)", "/new/$1")},
    "fields": {"request": EDITS, "response": ResponseEdits(fields=(("X-B", "2"),), hide=("x-powered-by",))},
    "fixed fields": {"request": RequestEdits(fields=(("X-A", "1"), ("X-Service", "$service_name")))},
    "our own fields": {"request": RequestEdits(fields=(("X-Forwarded-Proto", "https"),), remove=("X-Request-ID",))},
    "another host": {"request": RequestEdits(host="$service_name.$namespace.svc")},
    "server": {"response": ResponseEdits(server=True), "app_root": AppRoot("/app")},
    "TLS": {"https_redirect": HttpsRedirect(), "response": ResponseEdits(hsts=Hsts()), "rewrite": Rewrite("/o", "/")},
    "limits": {"limits": RateLimits("shortcut", per_second=1_000_000, connections=5)},
    "limited to nothing": {"limits": RateLimits("none", per_second=1, burst_multiplier=-1), "cors": Cors()},
    "cookies": {"cookies": CookieRewrite(path="/", new_path="/app/")},
    "all of them": {
        "addresses": AddressLists(allow=("192.0.2.0/24",)),
        "app_root": AppRoot("/app"),
        "cookies": CookieRewrite(path="/", new_path="/app/"),
        "cors": Cors(),
        "https_redirect": HttpsRedirect(),
        "request": EDITS,
        "response": ResponseEdits(fields=(("X-B", "2"), ("Access-Control-Max-Age", "1")), hsts=Hsts()),
        "rewrite": Rewrite("/old(/|$)(.*)", "/new/$2"),
    },
}
REFUSING = ("addresses that refuse", "limited to nothing", "limited origin")
ID = "X-Request-ID: 0123456789"
REQUESTS: dict[str, bytes] = {
    "root": get(ID),
    "path": get(ID, "Cookie: a=b", "x-a: 9", "Origin: https://b", target="/old/x?y=z"),
    "odd path": get(ID, target="/old%20x/%25%2e?y"),
    "climbing": get(ID, target="/old../x"),
    "preflight": get(ID, "Origin: https://b", target="/old/x", method="OPTIONS"),
    "body": get(ID, target="/old/x", method="POST", body=b"x" * 50),
    "large body": get(ID, target="/old/x", method="POST", body=b"x" * 200),
    "waiting": get(ID, "Expect: 100-continue", target="/old", method="PUT", body=b"x" * 50),
    "claims": get(ID, "X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: https", target="/x"),
    "HTTP/1.0": b"GET /old/x HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\nX-Request-ID: 0123456789\r\n\r\n",
    "no host": b"GET /old/x HTTP/1.0\r\nX-Request-ID: 0123456789\r\n\r\n",
}


def path_of(name: str, scheme: bytes, **settings: Any) -> MemoryPath:
    path = gated(RoutePolicies(**POLICIES[name]), scheme=scheme, max_body_bytes=100, shared_limits=alone(), **settings)
    path.answer = ANSWER
    path.gateway.date = b"Sat, 21 Nov 2026 00:00:00 GMT"
    return path


def no_shortcut(path: MemoryPath) -> None:
    gate = path.gateway.state.find("a.example", "/").gate
    assert gate is not None
    assert gate.shortcut is not None
    gate.shortcut = None


@pytest.mark.parametrize("trusting", [False, True], ids=["", "trusting"])
@pytest.mark.parametrize("scheme", [b"http", b"https"])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("name", POLICIES)
def test_it_says_what_the_gate_says(name: str, request_: bytes, scheme: bytes, trusting: bool) -> None:
    said = []
    for shortened in (True, False):
        path = path_of(name, scheme)
        if trusting:
            trust = Forwarding(client_from_header=True, target_from_headers=True)
            path.gateway.forwarding = ForwardingRules(trust)
        if not shortened:
            no_shortcut(path)
        for _ in range(2):  # what is remembered says the same
            path.send(request_)
        said.append((path.forwarded, path.received, path.local.rejected()))
        path.close()
    assert said[0] == said[1]


@pytest.mark.parametrize("name", POLICIES)
def test_without_endpoints_both_say_503(name: str) -> None:
    said = []
    for shortened in (True, False):
        path = path_of(name, b"https", backends={APP: ()})
        if not shortened:
            no_shortcut(path)
        path.send(get(ID, target="/x"))
        said.append((path.received, path.local.rejected()))
        path.close()
    assert said[0] == said[1]


@pytest.mark.parametrize("name", [name for name in POLICIES if name not in REFUSING])
def test_it_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*given: object) -> None:
        raise AssertionError("a passage was made")

    monkeypatch.setattr(Passage, "__init__", unexpected)
    path = path_of(name, b"https")
    path.send(get(target="/old/x"))
    assert path.statuses == [200]
    path.close()


@pytest.mark.parametrize("name", POLICIES)
def test_a_gate_goes_with_its_route(name: str) -> None:
    path = path_of(name, b"http")
    path.send(get(target="/old/x"))
    gate = path.gateway.state.find("a.example", "/").gate
    assert gate is not None
    watched = weakref.ref(gate)
    path.close()
    gc.disable()  # what is frozen is not collected
    try:
        del gate
        path.local.show(snapshot_of(None))
        assert watched() is None
    finally:
        gc.enable()


def test_what_is_under_way_is_counted_and_forgotten() -> None:
    limits = RateLimits("under way", connections=1)
    first, second = (gated(RoutePolicies(limits=limits, cors=Cors()), shared_limits=alone()) for _ in range(2))
    first.origins[0].is_scripted = True
    first.send(get())
    second.send(get())
    assert second.local.rejected() == {"too_many_connections": 1}
    assert b"Access-Control-Allow-Origin: *\r\n" in second.received
    first.lose()
    second.send(get())
    assert second.statuses == [503, 200]
    second.close()


@pytest.mark.parametrize(
    "asked",
    [
        {"rewrite": Rewrite("/", "https://new.example/")},
        {"request": RequestEdits(host="$http_x_host")},
        {"request": RequestEdits(connection="close")},
        {"affinity": Affinity("default-app-80")},
        {"denied": "for a reason"},
        {"access_log": False},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_what_it_cannot_know_beforehand_is_the_gates(asked: dict[str, Any]) -> None:
    path = gated(RoutePolicies(**asked), shared_limits=alone())
    gate = path.gateway.state.find("a.example", "/").gate
    assert gate is not None
    assert gate.shortcut is None
    path.close()
