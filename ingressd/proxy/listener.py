"""Listening sockets and what stands behind them.

There is one SO_REUSEPORT socket per worker, port and address family. The parent binds them all and keeps them open, so
that a connection waiting in the queue of a worker that dies is accepted by its replacement.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from ingressd.errors import StartError
from ingressd.proxy.downstream import Downstream
from ingressd.proxy.gateway import Abortable
from ingressd.proxy.proxy_protocol import AwaitedHeader, ProxyHeader
from ingressd.proxy.respond import own_response
from ingressd.proxy.timers import Timed
from ingressd.proxy.tls_transport import TlsTransport
from ingressd.proxy.verified_tls import ChosenTls

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway

log = logging.getLogger(__name__)

BACKLOG = 4096
HTTPS_PORT = b"443"
"""X-Forwarded-Port of the TLS listener wherever it is bound: what clients dialled, as ingress-nginx has it."""

Scheme = Literal["http", "https"]


class Listener(Struct, frozen=True):
    """One bound and listening socket."""

    scheme: Scheme
    socket: socket.socket

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    @property
    def label(self) -> str:
        address = self.socket.getsockname()[0]
        return f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"


def bind_listeners(address: str, scheme: Scheme, port: int, count: int) -> list[list[Listener]]:
    """``count`` sets of listening sockets on one port; ``address`` "" is every address of both families.

    Raises:
        StartError: with the address, the port and what to do.
    """
    families = _families(address)
    workers: list[list[Listener]] = [[] for _ in range(count)]
    for family, host in families:
        for listeners in workers:
            try:
                if port and listeners is workers[0]:
                    _check_unshared(family, host, port)
                bound = _bind(family, host, port)
            except OSError as error:
                raise StartError(_bind_trouble(host or "*", port, scheme, error)) from None
            port = bound.getsockname()[1]  # a free port, once found, is everybody's
            listeners.append(Listener(scheme, bound))
    return workers


def _families(address: str) -> list[tuple[socket.AddressFamily, str]]:
    if address:
        return [(socket.AF_INET6 if ":" in address else socket.AF_INET, address)]
    both = [(socket.AF_INET, "0.0.0.0")]
    if has_ipv6():
        both.append((socket.AF_INET6, "::"))
    return both


def has_ipv6() -> bool:
    """Whether this machine, or this container, lets us listen on IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _check_unshared(family: socket.AddressFamily, host: str, port: int) -> None:
    """Raises OSError when anybody listens there: SO_REUSEPORT would share it with another ingressd, unnoticed."""
    with _new_socket(family) as probe:
        probe.bind((host, port))


def _new_socket(family: socket.AddressFamily) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    bound = _new_socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound


def _bind_trouble(host: str, port: int, scheme: str, error: OSError) -> str:
    flag = f"--{scheme}-port"
    if isinstance(error, PermissionError):
        return (
            f"may not listen on {host} port {port}: ports below 1024 need CAP_NET_BIND_SERVICE; "
            f"give another {flag}, such as {8443 if scheme == 'https' else 8080}"
        )
    return f"cannot listen on {host} port {port}: {error.strerror}; give another {flag} or --bind-address"


class _Beginner(Timed, Abortable, Protocol):
    """A connection of which nobody knows yet what it wants."""


class _Counter:
    """Owner of connections until their handshake, or what comes before it, is done: limits its time, counts its end."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def handshake_started(self, transport: TlsTransport) -> None:
        self._started(transport, self._gateway.limits.tls_handshake_s)

    def handshake_ended(self, transport: TlsTransport, failure: str) -> None:
        self._ended(transport)
        if failure not in ("", "closed", "aborted"):
            self._gateway.stats.rejected(f"tls_{failure}")

    def header_started(self, connection: AwaitedHeader) -> None:
        self._started(connection, connection.relays.header_s)

    def header_ended(self, connection: AwaitedHeader, failure: str) -> None:
        self._ended(connection)
        if failure not in ("", "closed"):
            self._gateway.stats.rejected(failure)

    def _started(self, connection: _Beginner, limit_s: float) -> None:
        gateway = self._gateway
        gateway.stats.connections["handshake"] += 1
        gateway.handshakes.add(connection)
        gateway.admission.opened()
        connection.deadline = monotonic() + limit_s
        gateway.wheel.schedule(connection)

    def _ended(self, connection: _Beginner) -> None:
        gateway = self._gateway
        gateway.stats.connections["handshake"] -= 1
        gateway.handshakes.discard(connection)
        gateway.admission.closed()  # it is counted anew by what comes next
        gateway.wheel.cancel(connection)

    def plain_http(self, data: bytes) -> bytes:
        return own_response(400, date=self._gateway.date, accept=b"", head_only=False, close=True)


class Acceptor:
    """Accepts on ``listeners``. It works on duplicates of their sockets: closing those leaves the queues open."""

    def __init__(self, gateway: Gateway, listeners: Sequence[Listener], tls: ssl.SSLContext) -> None:
        self._gateway = gateway
        self._tls = tls
        self._listeners = listeners
        self._owner = _Counter(gateway)
        self._servers: list[asyncio.Server] = []
        self._wanted = False
        self._turn = 0
        gateway.admission.listening = self

    @property
    def is_open(self) -> bool:
        return self._wanted

    async def open(self) -> None:
        """Begin to accept."""
        self._wanted = True
        self._turn += 1
        turn = self._turn
        loop, backlog = self._gateway.loop, self._gateway.limits.backlog
        for listener in self._listeners:
            server = await loop.create_server(self._factory(listener), sock=listener.socket.dup(), backlog=backlog)
            if not self._wanted or turn != self._turn:  # paused meanwhile
                server.close()
                return
            self._servers.append(server)

    def pause(self) -> None:
        """Accept no more for now."""
        self._wanted = False
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()

    def resume(self) -> None:
        """Accept again."""
        if not self._gateway.draining and not self._wanted:
            self._gateway.spawn(self.open())

    def close(self) -> None:
        """Accept no more, and let go of the sockets."""
        self.pause()
        self._gateway.admission.listening = None
        for listener in self._listeners:
            listener.socket.close()

    def _factory(self, listener: Listener) -> Callable[[], asyncio.Protocol]:
        """What a connection just accepted speaks first."""
        gateway, owner = self._gateway, self._owner
        port = str(listener.port).encode()
        is_https = listener.scheme == "https"

        def relayed(header: ProxyHeader) -> asyncio.Protocol:
            dialled = port if header.destination is None else str(header.destination[1]).encode()
            if is_https:
                return self._tls_protocol(HTTPS_PORT if header.destination is None else dialled)
            # TLS that ended at the load balancer: the port its client dialled says so, as ingress-nginx has it.
            return Downstream(gateway, b"https" if dialled == HTTPS_PORT else b"http", dialled)

        def accepted() -> asyncio.Protocol:
            if gateway.relays is not None:
                return AwaitedHeader(relayed, owner, gateway.relays)
            return self._tls_protocol(HTTPS_PORT) if is_https else Downstream(gateway, b"http", port)

        return accepted

    def _tls_protocol(self, port: bytes) -> TlsTransport:
        gateway = self._gateway
        if gateway.hellos is None:
            return TlsTransport(self._tls, lambda: Downstream(gateway, b"https", port), self._owner)
        return ChosenTls(self._tls, lambda: Downstream(gateway, b"https", port), self._owner, gateway.hellos)
