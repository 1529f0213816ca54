"""What policies cost a request: Python's share of one exchange, as in ``benchmarks.exchange``, for typical routes.

    python -m benchmarks.gates

Prints microseconds per request for a keep-alive GET with 12 fields that is answered by 100 bytes, and how much of them
is the route's doing.
"""

import argparse
import asyncio
import os
import statistics

from benchmarks.exchange import AT_ONCE, BROWSER, make_gateway, make_pair, microseconds
from ingressd.policy.address_list import AddressLists
from ingressd.policy.affinity import Affinity
from ingressd.policy.cors import Cors
from ingressd.policy.hashing import HashBy
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import RateLimits
from ingressd.policy.redirects import HttpsRedirect
from ingressd.policy.request_fields import RequestEdits
from ingressd.policy.response_fields import Hsts, ResponseEdits
from ingressd.policy.rewrite import Rewrite
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.routing.snapshot import Route
from ingressd.telemetry.access_log import AccessLog
from tests.support.gateway import one_host

REQUEST = BROWSER + b"Cookie: session=1\r\n\r\n"
ROUTES: dict[str, RoutePolicies | None] = {
    "nothing": None,
    "a gate that asks nothing": RoutePolicies(addresses=AddressLists()),
    "HTTPS redirect, HSTS": RoutePolicies(https_redirect=HttpsRedirect(), response=ResponseEdits(hsts=Hsts())),
    "rewrite": RoutePolicies(rewrite=Rewrite("/some(/|$)(.*)", "/$2")),
    "CORS": RoutePolicies(cors=Cors()),
    "allow list": RoutePolicies(addresses=AddressLists(allow=("127.0.0.0/8", "10.0.0.0/8"))),
    "rate and connection limits": RoutePolicies(limits=RateLimits("all", per_second=1_000_000, connections=10)),
    "two request and two response fields": RoutePolicies(
        request=RequestEdits(fields=(("X-A", "1"), ("X-B", "$host"))),
        response=ResponseEdits(fields=(("X-C", "1"), ("X-D", "2"))),
    ),
    "cookie affinity": RoutePolicies(affinity=Affinity("default-app-80")),
    "hash by URI": RoutePolicies(hash_by=HashBy("$request_uri")),
}


def run(policies: RoutePolicies | None, count: int) -> float:
    """Microseconds per exchange."""
    loop = asyncio.new_event_loop()
    log = AccessLog(os.open(os.devnull, os.O_WRONLY))
    shared_limits = SharedLimits(SharedLimits.create(1), workers=1, index=0)
    route = Route("prefix", "/", "default/app:80", "default", "web", "app", policies=policies)
    down, up = make_pair(make_gateway(loop, one_host([1], route=route), log, shared_limits))
    down.scheme = b"http" if policies is None or policies.https_redirect is None else b"https"
    us = microseconds(down, up, count, lambda first: [REQUEST] * AT_ONCE)
    log.close()
    loop.close()
    return us


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    figures: dict[str, list[float]] = {name: [] for name in ROUTES}
    for _ in range(options.rounds):
        for name, policies in ROUTES.items():
            figures[name].append(run(policies, options.count))
    plain = statistics.median(figures["nothing"])
    print("| the route asks for | µs per exchange: median (min-max) | more than nothing |\n| --- | --- | --- |")
    for name, values in figures.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.2f} ({min(values):.2f}-{max(values):.2f}) | {median - plain:+.2f} |")


if __name__ == "__main__":
    main()
