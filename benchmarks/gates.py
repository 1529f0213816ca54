"""What policies cost a request: Python's share of one exchange, as in ``benchmarks.exchange``, for typical routes.

    python -m benchmarks.gates

Prints microseconds per request for a keep-alive GET with 12 fields that is answered by 100 bytes, and how much of them
is the route's doing.
"""

import argparse
import asyncio
import os
import statistics
from time import monotonic

from msgspec import Struct

from benchmarks.exchange import AT_ONCE, BROWSER, make_gateway, make_pair, microseconds
from ingressd.policy.address_list import AddressLists
from ingressd.policy.affinity import Affinity
from ingressd.policy.auth_cache import AuthAnswer
from ingressd.policy.compression import CodingSettings, Compression
from ingressd.policy.cors import Cors
from ingressd.policy.external_auth import AuthQuestion, ExternalAuth
from ingressd.policy.hashing import HashBy
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import RateLimits
from ingressd.policy.redirects import HttpsRedirect
from ingressd.policy.request_fields import RequestEdits
from ingressd.policy.response_fields import Hsts, ResponseEdits
from ingressd.policy.rewrite import Rewrite
from ingressd.policy.timeouts import Timeouts
from ingressd.proxy.gateway import Gateway
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.routing.snapshot import Route
from ingressd.telemetry.access_log import AccessLog
from tests.policy.asks import ask
from tests.support.gateway import one_host

COOKIES = b"session=1"


class Case(Struct):
    """A route, and what its requests have besides: whole field lines, and cookies that follow the usual one."""

    policies: RoutePolicies | None = None
    lines: bytes = b""
    cookies: bytes = b""
    timeouts: Timeouts = Timeouts()
    max_body_bytes: int = 1 << 20


AUTH = ExternalAuth("http://auth.example/", cache_key="$http_cookie")
TO_TLS, HSTS = HttpsRedirect(), ResponseEdits(hsts=Hsts())
REWRITE = Rewrite("/some(/|$)(.*)", "/$2")
ROUTES: dict[str, Case] = {
    "nothing": Case(),
    "timeouts and body size": Case(timeouts=Timeouts(1.0, 10.0, 10.0), max_body_bytes=8 << 20),
    "a list that allows and denies nobody": Case(RoutePolicies(addresses=AddressLists())),
    "HTTPS redirect, HSTS": Case(RoutePolicies(https_redirect=TO_TLS, response=HSTS)),
    "rewrite": Case(RoutePolicies(rewrite=REWRITE)),
    "rewrite, HTTPS redirect, HSTS": Case(RoutePolicies(rewrite=REWRITE, https_redirect=TO_TLS, response=HSTS)),
    "CORS": Case(RoutePolicies(cors=Cors())),
    "CORS, one origin": Case(RoutePolicies(cors=Cors(("https://app.example",))), b"Origin: https://app.example\r\n"),
    "allow list": Case(RoutePolicies(addresses=AddressLists(allow=("127.0.0.0/8", "10.0.0.0/8")))),
    "rate limit": Case(RoutePolicies(limits=RateLimits("all", per_second=1_000_000))),
    "rate and connection limits": Case(RoutePolicies(limits=RateLimits("all", per_second=1_000_000, connections=10))),
    "two request and two response fields": Case(
        RoutePolicies(
            request=RequestEdits(fields=(("X-A", "1"), ("X-B", "$host"))),
            response=ResponseEdits(fields=(("X-C", "1"), ("X-D", "2"))),
        )
    ),
    "external auth, remembered": Case(RoutePolicies(external_auth=AUTH)),
    "cookie affinity, first request": Case(RoutePolicies(affinity=Affinity("default-app-80"))),
    "cookie affinity, next request": Case(
        RoutePolicies(affinity=Affinity("default-app-80")), cookies=b"; INGRESSCOOKIE=%032x|%032x" % (1, 2)
    ),
    "hash by URI": Case(RoutePolicies(hash_by=HashBy("$request_uri"))),
    "gzip, for longer answers": Case(
        RoutePolicies(compression=Compression(gzip=CodingSettings(1, 256, ("text/plain",))))
    ),
    "larger heads of answers, no log": Case(RoutePolicies(max_response_header_bytes=131072, access_log=False)),
}


def run(case: Case, count: int) -> float:
    """Microseconds per exchange."""
    loop = asyncio.new_event_loop()
    log = AccessLog(os.open(os.devnull, os.O_WRONLY))
    shared_limits = SharedLimits(SharedLimits.create(1), workers=1, index=0)
    policies = case.policies
    route = Route(
        *("prefix", "/", "default/app:80", "default", "web", "app"),
        timeouts=case.timeouts,
        max_body_bytes=case.max_body_bytes,
        policies=policies,
    )
    gateway = make_gateway(loop, one_host([1], route=route), log, shared_limits)
    down, up = make_pair(gateway)
    if policies is not None and policies.https_redirect is not None:
        down.scheme = down.seen_scheme = b"https"
    if policies is not None and policies.external_auth is not None:
        remember(gateway, policies.external_auth)
    request = BROWSER + case.lines + b"Cookie: " + COOKIES + case.cookies + b"\r\n\r\n"
    us = microseconds(down, up, count, lambda first: [request] * AT_ONCE)
    log.close()
    loop.close()
    return us


def remember(gateway: Gateway, settings: ExternalAuth) -> None:
    """The auth service has said yes to this cookie."""
    key = AuthQuestion(settings).cache_key(ask(fields=b"Cookie: %b\r\n" % COOKIES))
    assert key is not None
    gateway.services.asker._cache.put(key, AuthAnswer(200, b""), 1e9, monotonic())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    figures: dict[str, list[float]] = {name: [] for name in ROUTES}
    for _ in range(options.rounds):
        for name, case in ROUTES.items():
            figures[name].append(run(case, options.count))
    plain = statistics.median(figures["nothing"])
    print("| the route asks for | µs per exchange: median (min-max) | more than nothing |\n| --- | --- | --- |")
    for name, values in figures.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.2f} ({min(values):.2f}-{max(values):.2f}) | {median - plain:+.2f} |")


if __name__ == "__main__":
    main()
