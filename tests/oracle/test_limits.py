"""Rate limits: request for request, nginx's verdicts at nginx's own times."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingressd.policy.rate_limit import RateLimits, leak_per_minute, leak_per_second
from ingressd.proxy.shared_limits import BoundLimits, SharedLimits
from tests.oracle.nginx import Nginx

HAMMERED_MS = 1200
MAX_REQUESTS = 20_000
SLACK_MS = 2
"""nginx tells the wall clock's milliseconds, and counts those of another clock, which tick at another moment."""
LIMITS = {
    "rps-1": RateLimits("a", per_second=1),
    "rps-10": RateLimits("a", per_second=10, burst_multiplier=1),
    "rps-30": RateLimits("a", per_second=30, burst_multiplier=2),
    "rpm-1": RateLimits("a", per_minute=1),
    "rpm-600": RateLimits("a", per_minute=600, burst_multiplier=1),
    "both": RateLimits("a", per_second=20, per_minute=10),
}


def zones(name: str, limits: RateLimits) -> tuple[str, str]:
    """What stands in the http block and in the location, as the retired controller wrote it."""
    outside, inside = "", ""
    for unit, number in (("s", limits.per_second), ("m", limits.per_minute)):
        if number:
            zone = f"{name}_{unit}"
            outside += f"limit_req_zone $binary_remote_addr zone={zone}:1m rate={number}r/{unit};\n"
            inside += f"limit_req zone={zone} burst={number * limits.burst_multiplier} nodelay;\n"
    return outside, inside


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """An upstream that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def nginx(nginx_program: str, tmp_path: Path, silent: socket.socket) -> Iterator[Nginx]:
    made = {name: zones(name, limits) for name, limits in LIMITS.items()}
    servers = {
        name: f"location / {{ {inside} add_header X-Now $msec always; empty_gif; }}"
        for name, (_, inside) in made.items()
    }
    outside, inside = zones("conn", RateLimits("a", per_minute=1))
    outside += "limit_conn_zone $binary_remote_addr zone=at_a_time:1m;\n"
    inside += f"limit_conn at_a_time 1; limit_conn_status 429; proxy_pass http://127.0.0.1:{silent.getsockname()[1]};"
    servers["conn"] = f"location / {{ {inside} }}"
    http = "".join(one for one, _ in made.values()) + outside
    with Nginx(nginx_program, tmp_path, servers, http) as running:
        yield running


def hammer(nginx: Nginx, name: str) -> list[tuple[int, bool]]:
    """Times in ms and whether nginx let it pass, until its clock has gone on a while."""
    seen: list[tuple[int, bool]] = []
    while len(seen) < MAX_REQUESTS and (not seen or seen[-1][0] - seen[0][0] < HAMMERED_MS):
        answer = nginx.ask("/", name)
        found = re.search(r"X-Now: (\d+)\.(\d{3})", answer)
        assert found is not None, answer
        seen.append((int(found[1] + found[2]), answer.startswith("HTTP/1.1 200 ")))
    return seen


@pytest.mark.parametrize("name", LIMITS)
def test_request_for_request(nginx: Nginx, name: str) -> None:
    """Ours may be early or late by the slack: of all times near nginx's, one must lead to its verdict."""
    settings = LIMITS[name]
    leaks = [leak for leak in (leak_per_second(settings), leak_per_minute(settings)) if leak.rate]
    levels = [0] * len(leaks)
    seen = hammer(nginx, name)
    last = roundings = 0
    for now, passed in seen:
        after = [leak.level(level, now - last) if last else 0 for leak, level in zip(leaks, levels, strict=True)]
        room = min(leak.burst - level for leak, level in zip(leaks, after, strict=True))
        slack = max(leak.rate for leak in leaks) * SLACK_MS // 1000 + roundings
        assert passed == (room >= 0) or abs(room) <= slack, (now - seen[0][0], passed, room)
        if passed:
            levels, last = after, now
            roundings += any(leak.rate % 1000 for leak in leaks)
    assert {passed for _, passed in seen} == {True, False}


@pytest.mark.parametrize("name", ["rps-1", "rpm-1", "both"])
def test_so_many_pass_at_once(nginx: Nginx, name: str) -> None:
    """Slow enough that the machine's speed does not matter."""
    fd = SharedLimits.create(1)
    shared, limits = SharedLimits(fd, workers=1, index=0), BoundLimits(LIMITS[name])
    seen = [nginx.ask("/", name).startswith("HTTP/1.1 200 ") for _ in range(70)]
    ours = [shared.enter(limits, "127.0.0.1", 1000) >= 0 for _ in range(70)]
    assert seen.index(False) == ours.index(False)


def test_the_rate_counts_what_is_too_many_at_a_time(nginx: Nginx, silent: socket.socket) -> None:
    fd = SharedLimits.create(1)
    shared, limits = SharedLimits(fd, workers=1, index=0), BoundLimits(RateLimits("a", per_minute=1, connections=1))
    with socket.create_connection(nginx.address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: conn\r\n\r\n")
        accepted, _ = silent.accept()
        with accepted:
            statuses = [nginx.get("/", "conn").status for _ in range(8)]
    shared.enter(limits, "127.0.0.1", 1000)
    ours = [{-1: 503, -2: 429}[shared.enter(limits, "127.0.0.1", 1000)] for _ in range(8)]
    assert statuses == ours == [429] * 5 + [503] * 3
