"""What drives the load, and how its words become figures. Everything runs on the core of the load.

wrk saturates; h2load speaks HTTP/2; ``steady`` keeps a rate, which wrk cannot and h2load does only in bursts (its timer
has a grain of 10 ms); ``handshakes`` knows of each connection whether it was resumed, which neither tells.
"""

import json
import re
import subprocess
import sys
from typing import Any

from msgspec import Struct, field

from benchmarks.peers.proxies import ROOT, Proxy
from benchmarks.peers.site import HOST, LOAD_CORE, LUA, pinned


class LoadError(Exception):
    """A round that measured errors, or something else than was asked for."""


class Seen(Struct, kw_only=True):
    """What the client saw. ``requests`` were answered with 2xx, all others are ``errors``; bytes are of answers."""

    requests: int
    seconds: float
    bytes: float = 0.0
    errors: int = 0
    latency_us: dict[str, float] = field(default_factory=dict)
    notes: dict[str, float] = field(default_factory=dict)


class Wrk(Struct, frozen=True, kw_only=True):
    """Keep-alive connections, the next request as soon as the last one is answered. ``kind``: see clients/wrk.lua."""

    kind: str = "host"
    connections: int = 64
    path: str = "/"
    tls: bool = False
    count: int = 0

    def run(self, proxy: Proxy, seconds: float) -> Seen:
        command = [
            "wrk", "--threads", "1", "--connections", str(self.connections), "--duration", f"{max(1, round(seconds))}s",
            "--timeout", "30s", "--latency", "--script", str(LUA), proxy.url(tls=self.tls, path=self.path), "--",
            self.kind, HOST, self.path, str(self.count),
        ]  # fmt: skip
        return parse_wrk(run(command, proxy))


def parse_wrk(said: str) -> Seen:
    """Of what wrk prints, the line that clients/wrk.lua wrote."""
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if not lines:
        raise LoadError(f"wrk said nothing: {said[-500:]}")
    figures = json.loads(lines[-1])
    return Seen(
        requests=figures["requests"],
        seconds=figures["duration_us"] / 1e6,
        bytes=figures["bytes"],
        errors=sum(figures[name] for name in ("connect", "read", "write", "status", "timeout")),
        latency_us={"p50": figures["p50_us"], "p99": figures["p99_us"], "p99.9": figures["p999_us"]},
    )


class H2load(Struct, frozen=True, kw_only=True):
    """HTTP/2 over TLS."""

    connections: int = 8
    streams: int = 16
    path: str = "/"

    def run(self, proxy: Proxy, seconds: float) -> Seen:
        command = [
            "h2load", "--threads", "1", "--clients", str(self.connections), "-m", str(self.streams),
            "--duration", str(max(1, round(seconds))), proxy.url(tls=True, path=self.path),
        ]  # fmt: skip
        return parse_h2load(run(command, proxy))


_H2LOAD = {
    "finished": re.compile(r"^finished in ([\d.]+)(us|ms|s|m)?,", re.M),
    "requests": re.compile(
        r"^requests: .* done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout",
        re.M,
    ),
    "status": re.compile(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", re.M),
    "traffic": re.compile(r"^traffic: .*?\((\d+)\) total", re.M),
    "protocol": re.compile(r"^Application protocol: (\S+)", re.M),
}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, None: 1.0}


def parse_h2load(said: str) -> Seen:
    found = {name: pattern.search(said) for name, pattern in _H2LOAD.items()}
    finished, requests, status, traffic = (found[name] for name in ("finished", "requests", "status", "traffic"))
    if not finished or not requests or not status or not traffic:
        raise LoadError(f"h2load said: {said[-500:]}")
    protocol = found["protocol"]
    if protocol and protocol.group(1) != "h2":
        raise LoadError(f"h2load got {protocol.group(1)} instead of h2")
    failed = sum(int(count) for count in requests.groups()[1:])
    return Seen(
        requests=int(status.group(1)),
        seconds=float(finished.group(1)) * _SECONDS[finished.group(2)],
        bytes=int(traffic.group(1)),
        errors=failed + sum(int(count) for count in status.groups()[1:]),
    )


class Steady(Struct, frozen=True, kw_only=True):
    """A fixed number of requests a second, evenly spaced; latency counts from when a request was due."""

    rate: float = 1000.0
    connections: int = 4
    path: str = "/"

    def run(self, proxy: Proxy, seconds: float) -> Seen:
        options = {"rate": self.rate, "connections": self.connections, "path": self.path, "seconds": seconds}
        return _own("steady", options, proxy, tls=False)


class Handshakes(Struct, frozen=True, kw_only=True):
    """New TLS connections, one request each, several at a time; all of them resumed or none."""

    resumed: bool
    connections: int = 16
    path: str = "/"

    def run(self, proxy: Proxy, seconds: float) -> Seen:
        options = {"resumed": self.resumed, "connections": self.connections, "path": self.path, "seconds": seconds}
        return _own("handshakes", options, proxy, tls=True)


Driver = Wrk | H2load | Steady | Handshakes


def _own(name: str, options: dict[str, Any], proxy: Proxy, *, tls: bool) -> Seen:
    options = {"port": proxy.port(tls=tls), "host": HOST, **options}
    said = run([sys.executable, "-m", f"benchmarks.peers.clients.{name}", json.dumps(options)], proxy)
    figures = json.loads(said)
    return Seen(**figures)


def run(command: list[str], proxy: Proxy) -> str:
    """Standard output of a load program. Raises LoadError when it fails."""
    with pinned(LOAD_CORE):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=proxy.site.load_environment(), cwd=ROOT
        )
    if done.returncode:
        raise LoadError(f"{command[0]} failed with {proxy.name}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout
