"""Which loads are measured, on which variants of which peers, and against what they are held."""

from collections.abc import Sequence

from msgspec import Struct

from benchmarks.peers.load import Driver, H2load, Handshakes, Steady, Wrk
from benchmarks.peers.proxies import Variant
from benchmarks.peers.site import BODIES, MIB

MANY_HOSTS = 10_000
PEERS = ("ingressd", "nginx", "haproxy", "envoy", "caddy", "aiohttp")


class Contender(Struct, frozen=True):
    """A peer in one variant, as it is called in tables."""

    proxy: str
    variant: Variant = Variant()
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.proxy


class Measure(Struct, frozen=True, kw_only=True):
    """One load. ``body``: bytes of an answer (or of a request, for ``is_upload``); costs are then per MiB."""

    id: str
    title: str
    driver: Driver
    body: int = 0
    is_upload: bool = False
    per: str = "request"
    only: tuple[str, ...] = ()
    """Names of contenders; none: all."""


class Stage(Struct, frozen=True, kw_only=True):
    """Contenders that run side by side, measured in turns; ratios are to ``base``, in the same round."""

    id: str
    title: str
    contenders: tuple[Contender, ...]
    measures: tuple[Measure, ...]
    base: str = "nginx"


class Goal(Struct, frozen=True, kw_only=True):
    """What ingressd is to reach: its ratio to the stage's base, and to Envoy."""

    stage: str
    measure: str
    contender: str = "ingressd"
    at_most: float
    aim: float
    envoy: float = 0.0


_HTTP2 = ("nginx", "haproxy", "envoy", "caddy")
"""ingressd has none yet."""
_DOWN = ("ingressd", "nginx", "nginx, tuned", "haproxy", "envoy", "caddy", "aiohttp")
_SIZES = {"64k": "64 KiB", "1m": "1 MiB", "100m": "100 MiB"}


def _down(size: str, connections: int, *, tls: bool = False) -> Measure:
    return Measure(
        id=f"{'tls-' if tls else ''}down-{size}",
        title=f"{_SIZES[size]} down{' over TLS' if tls else ''}, {connections} connections",
        driver=Wrk(path=f"/files/{size}", connections=connections, tls=tls),
        body=BODIES[size],
        per="MiB",
    )


SMALL = (
    Measure(id="host", title="Host only, 64 connections", driver=Wrk()),
    Measure(id="browser", title="12 browser fields, 64 connections", driver=Wrk(kind="browser")),
    Measure(id="differing", title="12 browser fields, one of them differs in every request, 64 connections",
            driver=Wrk(kind="differing")),
    Measure(id="many", title="Host only, 256 connections", driver=Wrk(connections=256)),
    Measure(id="one", title="Host only, one connection", driver=Wrk(connections=1)),
    Measure(id="steady", title="1,000 requests a second, 4 connections", driver=Steady()),
    Measure(id="close", title="A new connection per request, 64 at a time", driver=Wrk(kind="close")),
)  # fmt: skip
TLS = (
    Measure(id="tls-host", title="TLS, Host only, 64 connections", driver=Wrk(tls=True)),
    Measure(id="tls-full", title="TLS, a full handshake and one request", driver=Handshakes(resumed=False),
            per="handshake"),
    Measure(id="tls-resumed", title="TLS, a resumed handshake and one request", driver=Handshakes(resumed=True),
            per="handshake"),
)  # fmt: skip
BULK = (
    _down("64k", 16),
    _down("1m", 8),
    _down("100m", 4),
    _down("1m", 8, tls=True),
    Measure(id="up-1m", title="1 MiB up, 8 connections", per="MiB", is_upload=True, body=MIB,
            driver=Wrk(kind="upload", path="/upload/body", connections=8, count=MIB)),
)  # fmt: skip

_TABLE = Variant(hosts=MANY_HOSTS)
STAGES = (
    Stage(id="quiet", title="No access log", contenders=tuple(map(Contender, PEERS)), measures=SMALL + TLS),
    Stage(id="bulk", title="Bodies", contenders=tuple(map(Contender, _DOWN)), measures=BULK),
    Stage(
        id="log",
        title="Access log to a file, and metrics",
        contenders=tuple(Contender(name, Variant(log=True)) for name in PEERS),
        measures=SMALL[:3],
    ),
    Stage(
        id="http2",
        title="HTTP/2",
        contenders=tuple(Contender(name, Variant(http2=True)) for name in _HTTP2),
        measures=(Measure(id="small", title="HTTP/2 over TLS, 8 connections of 16 streams", driver=H2load()),),
    ),
    Stage(
        id="table",
        title="10,000 hosts with two paths each",
        contenders=(
            Contender("ingressd"),
            Contender("ingressd", _TABLE, "ingressd, 10,000 hosts"),
            Contender("nginx"),
            Contender("nginx", _TABLE, "nginx, 10,000 hosts"),
            Contender("haproxy", _TABLE, "haproxy, 10,000 hosts"),
            Contender("envoy", _TABLE, "envoy, 10,000 hosts"),
        ),
        measures=(
            Measure(id="host", title="Always the same host, 64 connections", driver=Wrk()),
            Measure(id="hosts", title="Every host in turn, 64 connections",
                    driver=Wrk(kind="hosts", count=MANY_HOSTS),
                    only=tuple(f"{name}, 10,000 hosts" for name in ("ingressd", "nginx", "haproxy", "envoy"))),
        ),
        base="ingressd",
    ),
    Stage(
        id="workers",
        title="Two workers on one core",
        contenders=(Contender("ingressd"), Contender("ingressd", Variant(workers=2), "ingressd, two workers")),
        measures=(SMALL[0],),
        base="ingressd",
    ),
)  # fmt: skip

QUICK = {"quiet": ("host", "browser", "steady", "tls-host", "tls-full"), "bulk": ("down-1m",), "log": ("browser",)}
"""Measures of the quick run, by stage."""

GOALS = (
    Goal(stage="quiet", measure="host", at_most=1.6, aim=1.4, envoy=0.7),
    Goal(stage="quiet", measure="browser", at_most=1.75, aim=1.5, envoy=0.65),
    Goal(stage="log", measure="browser", at_most=1.75, aim=1.5, envoy=0.7),
    Goal(stage="quiet", measure="one", at_most=1.4, aim=1.25),
    Goal(stage="quiet", measure="steady", at_most=1.5, aim=1.4),
    Goal(stage="quiet", measure="close", at_most=1.6, aim=1.5, envoy=1.0),
    Goal(stage="quiet", measure="tls-host", at_most=1.6, aim=1.4, envoy=0.75),
    Goal(stage="quiet", measure="tls-full", at_most=1.2, aim=1.1),
    Goal(stage="quiet", measure="tls-resumed", at_most=1.2, aim=1.1),
    Goal(stage="bulk", measure="down-64k", at_most=0.7, aim=0.55),
    Goal(stage="bulk", measure="down-1m", at_most=0.8, aim=0.55, envoy=1.1),
    Goal(stage="bulk", measure="down-100m", at_most=0.3, aim=0.2, envoy=1.1),
    Goal(stage="bulk", measure="tls-down-1m", at_most=0.9, aim=0.8),
    Goal(stage="bulk", measure="up-1m", at_most=1.0, aim=0.7),
    Goal(stage="table", measure="host", contender="ingressd, 10,000 hosts", at_most=1.05, aim=1.02),
    Goal(stage="workers", measure="host", contender="ingressd, two workers", at_most=1.1, aim=1.05),
)


def quick(stages: Sequence[Stage] = STAGES) -> tuple[Stage, ...]:
    """The same with the measures of ``QUICK`` only, and only the peers that everybody knows."""
    return tuple(
        Stage(
            id=stage.id,
            title=stage.title,
            contenders=tuple(one for one in stage.contenders if one.proxy in PEERS),
            measures=tuple(one for one in stage.measures if one.id in QUICK[stage.id]),
            base=stage.base,
        )
        for stage in stages
        if stage.id in QUICK
    )


def find_measure(stage: str, measure: str) -> Measure:
    """Raises KeyError."""
    for one in STAGES:
        for candidate in one.measures:
            if (one.id, candidate.id) == (stage, measure):
                return candidate
    raise KeyError(f"{stage}/{measure}")
