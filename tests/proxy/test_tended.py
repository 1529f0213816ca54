"""Exchanges that look at answers, and those that do all there is: the same bytes, the same counts."""

from typing import Any

import pytest

from ingressd.policy.affinity import Affinity
from ingressd.policy.canary import Canary
from ingressd.policy.compression import CodingSettings, Compression
from ingressd.policy.cors import Cors
from ingressd.policy.location_fields import LocationRewrite
from ingressd.policy.next_upstream import NextUpstream
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import Bandwidth, RateLimits
from ingressd.policy.response_fields import ResponseEdits
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.observed import Observed
from ingressd.proxy.planned import PlannedForwarding
from ingressd.proxy.tended import Tending
from tests.proxy.gated import alone, gated, get
from tests.support.memory import MemoryPath

ANSWER = (
    b"HTTP/1.1 302 Found\r\nServer: inner\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nLocation: http://inner/x\r\n"
    b"Access-Control-Allow-Origin: https://x\r\nContent-Length: 2\r\n\r\nok"
)
SWITCHED = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-B: 3\r\n\r\nhi"
FIELDS = ResponseEdits(fields=(("X-B", "2"),), server=True)
POLICIES: dict[str, dict[str, Any]] = {
    "connections": {"limits": RateLimits("all", connections=2), "response": FIELDS, "latency_balanced": True},
    "affinity": {"affinity": Affinity("default-app-80", persistent=True, issues=False), "response": FIELDS},
    "latency": {"latency_balanced": True},
    "location": {"location": LocationRewrite("http://inner/", "https://a.example/"), "response": FIELDS},
    "bound": {"max_response_header_bytes": 300, "cors": Cors()},
    "small bound": {"max_response_header_bytes": 20, "cors": Cors()},
    "no log": {"access_log": False},
    "gzip": {"compression": Compression(gzip=CodingSettings(1, 10, ("text/plain",))), "response": FIELDS},
    "pace": {"bandwidth": Bandwidth(1 << 20, 0), "affinity": Affinity("default-app-80", issues=False)},
    "next": {"next_upstream": NextUpstream(("error", "http_503"), tries=2)},
    "canary": {"canary": Canary("default/canary:80", header="x-canary")},
}
SHAPED = ("gzip", "pace")
LONG = (
    b"HTTP/1.1 200 OK\r\nServer: inner\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 200\r\n\r\n" + b"0123456789" * 20
)
REQUESTS = {
    "gzip": get("X-Request-ID: 0123456789", "Accept-Encoding: gzip"),
    "plain": get("X-Request-ID: 0123456789", "Cookie: a=b"),
    "canary": get("X-Request-ID: 0123456789", "X-Canary: always"),
    "body": get("X-Request-ID: 0123456789", method="POST", body=b"x" * 50),
    "switching": get("X-Request-ID: 0123456789", "Connection: upgrade", "Upgrade: websocket"),
    "HTTP/1.0": b"GET /x HTTP/1.0\r\nHost: a.example\r\nX-Request-ID: 0123456789\r\n\r\n",
}


def path_of(name: str, answer: bytes) -> MemoryPath:
    path = gated(RoutePolicies(**POLICIES[name]), shared_limits=alone(), backends={"default/canary:80": (3,)})
    path.answer = answer
    path.gateway.date = b"Sat, 21 Nov 2026 00:00:00 GMT"
    return path


def said(path: MemoryPath, request: bytes) -> tuple[object, ...]:
    for _ in range(3):  # two at a time may be under way: none stays so
        if not path.transport.is_done() and not path.local.rejected():  # there is one connection to an endpoint
            path.send(request)
    path.lose()
    local = path.local
    return path.received, path.forwarded, path.statuses, local.counted(), local.rejected(), path.gateway.active


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("name", POLICIES)
def test_all_of_them_do_the_same(name: str, request_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[type] = []
    init = Forwarding.__init__

    def noted(self: Forwarding, *given: Any) -> None:
        taken.append(type(self))
        init(self, *given)

    monkeypatch.setattr(Forwarding, "__init__", noted)
    answer = SWITCHED if request_ == "switching" else LONG if name in SHAPED else ANSWER
    usual, observed, all_there_is = (path_of(name, answer) for _ in range(3))
    observed.gateway.exchange_type = Observed
    gate = all_there_is.gateway.state.find("a.example", "/").gate
    assert gate is not None
    assert gate.is_shaped or gate.is_tended
    gate.is_tended = gate.is_shaped = False
    first = said(usual, REQUESTS[request_])
    assert all(issubclass(one, Tending) and not issubclass(one, Observed) for one in taken)
    taken.clear()
    assert said(observed, REQUESTS[request_]) == first
    assert all(issubclass(one, Tending) and issubclass(one, Observed) for one in taken)
    taken.clear()
    assert said(all_there_is, REQUESTS[request_]) == first
    assert set(taken) == {PlannedForwarding}
