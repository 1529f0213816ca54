"""What every connection of a worker shares: the state being served, pool, wheel, limits, counters, log, clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable, Mapping
from email.utils import formatdate
from os import urandom
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

from ingressd.policy.retries import RetryBudget
from ingressd.proxy.admission import Admission
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.limits import Limits
from ingressd.proxy.materials import Materials
from ingressd.proxy.observed import Observed
from ingressd.proxy.pool import Pool
from ingressd.proxy.services import Services
from ingressd.proxy.serving import Backends, ServingState
from ingressd.proxy.timers import TimerWheel
from ingressd.telemetry.access_log import AccessLog
from ingressd.telemetry.metrics import WorkerStats

if TYPE_CHECKING:
    from ingressd.policy.forwarded import ForwardingRules
    from ingressd.proxy.gate import Gate
    from ingressd.proxy.proxy_protocol import Relays
    from ingressd.proxy.shared_limits import SharedLimits
    from ingressd.proxy.verified_tls import HelloChoices


class Abortable(Protocol):
    """What can be cut."""

    def abort(self) -> None: ...


class ClientConnection(Abortable, Protocol):
    """A client's connection, whatever it speaks."""

    def close_when_idle(self) -> None: ...


_IDS_AT_ONCE = 64

DRAIN_IDLE_S = 1.0
"""A client's next request may be under way while we close: only who has sent nothing for so long is closed idle."""


class Gateway:
    """One worker's data path.

    A change replaces, whole and in one turn of the loop: ``state``, ``limits``, ``forwarding``, ``keeps_request_id``,
    ``makes_request_id``, ``resolves_ipv6``, ``exchange_type``, ``relays``, ``hellos`` and ``client_trust``. Everything
    else lives as long as the worker.
    """

    __slots__ = (
        "_ids",
        "_next_id",
        "_tasks",
        "active",
        "admission",
        "backends",
        "client_trust",
        "connections",
        "date",
        "draining",
        "exchange_type",
        "forwarding",
        "gates",
        "handshakes",
        "hellos",
        "keeps_request_id",
        "limits",
        "log",
        "loop",
        "makes_request_id",
        "materials",
        "pool",
        "relays",
        "resolves_ipv6",
        "retries",
        "services",
        "shared_limits",
        "state",
        "stats",
        "wheel",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        state: ServingState,
        *,
        stats: WorkerStats,
        log: AccessLog,
        pool: Pool,
        backends: Backends,
        limits: Limits,
        shared_limits: SharedLimits | None = None,
    ) -> None:
        self.loop = loop
        self.state = state
        self.stats = stats
        self.log = log
        self.limits = limits
        self.pool = pool
        self.backends = backends
        self.admission = Admission(limits.connections, limits.connections_per_client)
        self.retries = RetryBudget()
        self.wheel = TimerWheel(monotonic())
        self.connections: set[ClientConnection] = set()
        self.handshakes: set[Abortable] = set()
        self.hellos: HelloChoices | None = None  # None: nobody looks into a hello. For connections accepted from now on
        self.relays: Relays | None = None  # None: clients connect themselves, not through PROXY protocol. Likewise
        self.gates: WeakValueDictionary[Hashable, Gate] = WeakValueDictionary()  # those that routes share
        self.forwarding: ForwardingRules | None = None  # None: nobody in front of us is believed anything
        self.keeps_request_id = True  # a client's X-Request-ID is passed on
        self.makes_request_id = True  # a request without one gets one
        self.resolves_ipv6 = True  # names of auth services and mirrors may stand for IPv6 addresses
        self.materials = Materials()
        self.shared_limits = shared_limits  # None: not in a worker
        # Of each host that asks for client certificates, by its name in the table: what a connection's verdict must be
        # about (``ClientCertificate.trust``) to count. A host that is missing could not be set up, and is closed.
        self.client_trust: Mapping[str, str] = {}
        # ``Observed`` while the log has a format of its own, or the metrics have details
        self.exchange_type: type[Forwarding] = Observed if stats.has_details else Forwarding
        self.services = Services(self)
        self.active = 0  # exchanges under way
        self.draining = False
        self.date = b""
        self._ids = b""
        self._next_id = _IDS_AT_ONCE
        self._tasks: set[asyncio.Task[None]] = set()
        self.tell_time()

    def new_request_id(self) -> bytes:
        """32 hexadecimal digits, as ingress-nginx writes them; made many at once, which costs a tenth.

        Empty where nobody wants any (``makes_request_id``): then the upstream gets no X-Request-ID.
        """
        if not self.makes_request_id:
            return b""
        at = self._next_id
        if at == _IDS_AT_ONCE:
            self._ids = urandom(16 * _IDS_AT_ONCE).hex().encode()
            at = 0
        self._next_id = at + 1
        return self._ids[at * 32 : at * 32 + 32]

    def tell_time(self) -> None:
        """Renew the Date of our own answers; the owner calls this at least once a second (RFC 9110 §6.6.1)."""
        self.date = formatdate(time(), usegmt=True).encode()

    def tick(self) -> None:
        """Turn the wheel; the owner calls this each ``TICK_S`` seconds."""
        self.wheel.turn(monotonic())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` and keep hold of its task until it ends."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def drain(self) -> None:
        """From now on every answer ends its connection; connections that then stay idle are closed."""
        self.draining = True
        self.loop.call_later(DRAIN_IDLE_S, self._close_idle)

    def _close_idle(self) -> None:
        for connection in list(self.connections):
            connection.close_when_idle()

    def abort_all(self) -> None:
        """Cut what is still open; the drain's time is over."""
        for connection in list(self.connections):
            connection.abort()
        for handshake in list(self.handshakes):
            handshake.abort()
