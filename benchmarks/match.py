"""What one look-up in the route table costs, among 10,000 hosts. Claim: no more than 0.5 µs each.

python -m benchmarks.match [--hosts 10000]
"""

import argparse
import time
from collections.abc import Callable

from ingressd.routing.snapshot import Route, VirtualHost
from ingressd.routing.table import RouteTable

LOOKUPS = 200_000
REQUESTS = {
    "prefix /, host known": ("host-4711.example.com", "/index.html"),
    "prefix /api, 2 elements below": ("host-4711.example.com", "/api/orders/12345"),
    "exact": ("host-4711.example.com", "/healthz"),
    "deep path, root prefix": ("host-4711.example.com", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"),
    "wildcard host": ("anything.wild.example.com", "/api/x"),
    "any host": ("elsewhere.test", "/api/x"),
}


def vhost(name: str) -> VirtualHost:
    backend = f"default/{name}:80"
    routes = (Route("prefix", "/", backend), Route("prefix", "/api", backend), Route("exact", "/healthz", backend))
    return VirtualHost(name, routes)


def nanoseconds(action: Callable[[], object], count: int) -> float:
    """The best of five rounds: other work on the machine only ever adds."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter_ns()
        for _ in range(count):
            action()
        best = min(best, (time.perf_counter_ns() - started) / count)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=10_000)
    names = [f"host-{number}.example.com" for number in range(parser.parse_args().hosts)]
    hosts = [vhost(name) for name in [*names, "*.wild.example.com", "*"]]
    empty: RouteTable[Route] = RouteTable.empty()
    started = time.perf_counter()
    table = empty.with_changes(hosts, (), lambda _, route: route)
    print(f"built from nothing   {(time.perf_counter() - started) * 1e3:8.1f} ms for {len(table)} hosts")
    one = vhost(names[0])
    print(
        f"one host changed     {nanoseconds(lambda: table.with_changes([one], (), lambda _, r: r), 20) / 1e6:8.2f} ms"
    )
    nothing = nanoseconds(lambda: None, LOOKUPS)
    for title, (host, path) in REQUESTS.items():
        cost = nanoseconds(lambda host=host, path=path: table.find(host, path), LOOKUPS) - nothing  # type: ignore[misc]
        print(f"find: {title:32} {cost:6.0f} ns")


if __name__ == "__main__":
    main()
