"""One request on its way through a gate: what is known of it, what was planned for it, what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ingressd.policy.ask import Ask, Plan
from ingressd.policy.client_certificate import ClientCertificates, Connection, Presented
from ingressd.proxy.shared_limits import NOTHING_HELD

if TYPE_CHECKING:
    from ingressd.http.head import RequestHead
    from ingressd.policy.external_auth import Allowed
    from ingressd.proxy.downstream import Downstream
    from ingressd.proxy.gate import Gate
    from ingressd.proxy.gateway import Gateway
    from ingressd.proxy.serving import LiveRoute
    from ingressd.proxy.shared_limits import SharedLimits
    from ingressd.routing.snapshot import Route

_NOT_ASKED = Connection(is_tls=False)
_NO_NAMES: frozenset[bytes] = frozenset()


class Passage(Plan):
    """A plan, with ``ask`` that it is for and what only the data path needs. ``connection`` is filled in where
    certificates are asked for.

    ``closes``: the answer ends the connection. ``forwarded`` are our X-Forwarded-* lines, ``forwarded_for`` the value
    of the list among them where a proxy in front is trusted.
    """

    __slots__ = (
        "allowed",
        "ask",
        "began",
        "closes",
        "connection",
        "cookie",
        "down",
        "forwarded",
        "forwarded_for",
        "gate",
        "held",
        "is_canary",
        "is_stand_in",
        "request",
        "route",
    )

    def __init__(self, down: Downstream, request: RequestHead, route: LiveRoute, gate: Gate) -> None:
        self.path = self.host_field = self.backend = self.endpoint_key = None  # what Plan.__init__ does, without a call
        self.added = self.answer_fields = b""
        self.without = self.answer_without = _NO_NAMES
        self.down = down
        self.request = request
        self.route = route
        self.gate = gate
        self.connection = _NOT_ASKED if gate.certificates is None else connection_of(down)
        self.began = 0.0  # when it came, if it has been held since then
        self.closes = False
        self.held = NOTHING_HELD
        self.allowed: Allowed | None = None
        self.cookie = b""  # the affinity cookie that goes with the answer
        self.forwarded = down.forwarded_fields(request.fields)
        self.forwarded_for = down.seen_forwarded_for
        self.is_canary = False
        self.is_stand_in = False  # somebody else answers, because the route's backend has no endpoints
        gateway = down.gateway
        request_id = (gateway.keeps_request_id and request.fields.request_id) or gateway.new_request_id()
        self.ask = ask_of(down, request, request_id, self.connection.certificate)

    def leave(self, limits: SharedLimits | None) -> None:
        """The request has ended, however it did: it counts no longer. Saying so again does nothing."""
        held, self.held = self.held, NOTHING_HELD
        if held != NOTHING_HELD and limits is not None:
            limits.leave(held)


class HostCertificates:
    """What one host asks of its clients, with what their certificates are verified against at this moment."""

    __slots__ = ("_gateway", "_host", "_is_closed", "_settings")

    def __init__(self, settings: ClientCertificates, host: str, gateway: Gateway) -> None:
        self._settings = settings
        self._is_closed = not settings.trust
        self._host = host
        self._gateway = gateway

    def now(self) -> ClientCertificates:
        """A host that could not be set up has no trust, which closes it."""
        settings = self._settings
        trust = "" if self._is_closed else self._gateway.client_trust.get(self._host, "")
        if trust != settings.trust:
            settings = self._settings = replace(settings, trust=trust)
        return settings


def route_variables(route: Route) -> dict[str, bytes]:
    """What nginx's variables about a route say."""
    port = route.backend.partition("|")[0].rpartition(":")[2]
    upstream = f"{route.namespace}-{route.service}-{port}" if route.backend else ""
    values = {
        "ingress_name": route.ingress,
        "location_path": route.path,
        "namespace": route.namespace,
        "proxy_upstream_name": upstream,
        "service_name": route.service,
        "service_port": port,
    }
    return {name: value.encode(errors="surrogatepass") for name, value in values.items()}


def connection_of(down: Downstream) -> Connection:
    """What the client's connection has shown: ``ChosenTls`` knows, any other transport has nothing to say."""
    transport = down.transport
    is_tls = down.scheme == b"https"
    return Connection(
        is_tls,
        transport.get_extra_info("server_name") if is_tls else None,
        transport.get_extra_info("client_certificate") if is_tls else None,
    )


def ask_of(down: Downstream, request: RequestHead, request_id: bytes, certificate: Presented | None = None) -> Ask:
    """After ``forwarded_fields``, which works out what ``seen_…`` says. Filled in here: naming fourteen arguments would
    take three times as long (``benchmarks/gates.py``).
    """
    line, fields = request.line, request.fields
    ask = Ask.__new__(Ask)
    ask.method = line.method
    ask.path = line.path
    ask.query = line.query
    ask.fields = fields
    ask.minor = line.minor
    ask.host = fields.host
    ask.scheme = down.seen_scheme
    ask.authority = down.seen_authority
    ask.port = down.seen_port
    ask.client = down.seen_client
    ask.is_tls = down.scheme == b"https"
    ask.request_id = request_id
    ask.client_verdict = "" if certificate is None else certificate.verdict
    ask.client_name = "" if certificate is None else certificate.subject
    return ask
