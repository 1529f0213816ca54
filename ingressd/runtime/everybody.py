"""What holds for every connection of a worker, whatever its host: made ready aside, put to use with a commit."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from msgspec.structs import asdict, replace

from ingressd.policy import policies as settings
from ingressd.policy.address_list import AddressSet, read_address
from ingressd.policy.forwarded import ForwardingRules
from ingressd.policy.pattern import PatternError, compile_pattern
from ingressd.policy.policies import GlobalPolicies
from ingressd.proxy.forward import Forwarding
from ingressd.proxy.observed import Observed
from ingressd.proxy.proxy_protocol import Relays
from ingressd.runtime.host_tls import parameters_of
from ingressd.telemetry.log_format import Escape, FormatError, LogChoice, LogFormat
from ingressd.tls.context import TlsParameters, apply_parameters

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway

log = logging.getLogger(__name__)


class _Ready(NamedTuple):
    policies: GlobalPolicies
    forwarding: ForwardingRules | None
    relays: Relays | None
    format: LogFormat | None
    choice: LogChoice | None
    parameters: TlsParameters


class Everybody:
    """One worker's. ``listener`` is the context that TLS connections begin with; None: the worker has none."""

    def __init__(self, gateway: Gateway, listener: ssl.SSLContext | None) -> None:
        self._gateway = gateway
        self._listener = listener
        self._limits = gateway.limits  # what the command line said
        self._ready: _Ready | None = None
        self._served: GlobalPolicies | None = None  # None: nobody has said anything yet
        self.parameters = TlsParameters()  # served now

    @property
    def next_parameters(self) -> TlsParameters:
        """What TLS connections are offered after the change under way."""
        return self.parameters if self._ready is None else self._ready.parameters

    @property
    def next_policies(self) -> GlobalPolicies:
        """What holds after the change under way."""
        return self._ready.policies if self._ready is not None else self._served or GlobalPolicies()

    def prepare(self, policies: GlobalPolicies) -> None:
        """Raises ValueError for what was not looked at by the control process."""
        self._ready = None if policies == self._served else _made_ready(policies)

    def abandon(self) -> None:
        self._ready = None

    def commit(self) -> None:
        """Put what was prepared to use. Connections that are open keep what they began with, but for their limits."""
        ready, self._ready = self._ready, None
        if ready is None:
            return
        gateway, policies = self._gateway, ready.policies
        if ready.parameters != self.parameters and self._listener is not None:
            apply_parameters(self._listener, ready.parameters)  # the one thing that may be refused, so it comes first
        self.parameters, self._served = ready.parameters, policies
        given = {name: value for name, value in asdict(policies.limits).items() if value is not None}
        gateway.limits = replace(self._limits, **given)
        gateway.pool.max_idle_per_endpoint = gateway.limits.upstream_idle_per_endpoint
        gateway.forwarding = ready.forwarding
        gateway.relays = ready.relays
        gateway.keeps_request_id = policies.keeps_request_id
        gateway.makes_request_id = policies.makes_request_id
        gateway.resolves_ipv6 = policies.resolves_ipv6
        gateway.log.use(ready.format, ready.choice, is_off=policies.log.is_off)
        is_plain = ready.format is None and not gateway.stats.has_details
        gateway.exchange_type = Forwarding if is_plain else Observed


def _made_ready(policies: GlobalPolicies) -> _Ready:
    forwarding = None if policies.forwarding is None else ForwardingRules(policies.forwarding)
    parameters = parameters_of(policies.tls)
    return _Ready(policies, forwarding, _relays(policies), *_log(policies.log), parameters)


def _relays(policies: GlobalPolicies) -> Relays | None:
    if policies.relays is None:
        return None
    networks = AddressSet(policies.relays)

    def trusts(address: str) -> bool:
        packed = read_address(address)
        return packed is not None and packed in networks

    return Relays(trusts, policies.relay_header_s)


def _log(wanted: settings.LogFormat) -> tuple[LogFormat | None, LogChoice | None]:
    """A format that cannot be used is told, and lines are our own JSON: better those than none."""
    found = None
    if wanted.template:
        try:
            found = LogFormat(wanted.template, cast("Escape", wanted.escape))
        except (FormatError, KeyError) as error:
            log.error("the access log keeps its own format: %s", error)
    searches = [search for entry in wanted.skip_targets if (search := _search(entry)) is not None]
    return found, LogChoice(wanted.skip_targets, searches) if wanted.skip_targets else None


def _search(entry: str) -> Callable[[str], object | None] | None:
    """As in nginx's ``map``: ``~`` begins a pattern, ``~*`` one that ignores case."""
    if not entry.startswith("~"):
        return None
    ignores = entry.startswith("~*")
    try:
        return compile_pattern(entry[2 if ignores else 1 :], ignore_case=ignores).search
    except PatternError as error:
        log.error("requests are logged that skip-access-log-urls would leave out: %s", error)
        return None
