"""What a route asks of a request before it is forwarded: its policies, bound, in the order of ``policy/phases``.

Everything is made ready when a route is bound; a request costs a call for each step that the route has. The first step
with an answer ends the request. ``ACCESS`` alone may have to wait for somebody (see ``proxy/access``), so it stands
apart; what comes after it answers nobody, and is done by ``Gate.plan_upstream``.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ingressd.policy.address_list import AddressCheck
from ingressd.policy.affinity import Sticky
from ingressd.policy.ask import Ask
from ingressd.policy.canary import CanaryRule
from ingressd.policy.client_certificate import UPSTREAM_FIELDS, upstream_lines
from ingressd.policy.error_pages import ErrorPagesRule
from ingressd.policy.mirror import MirrorRule
from ingressd.policy.next_upstream import NextUpstreamRule
from ingressd.policy.phases import Phase
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.request_fields import RequestEditor
from ingressd.policy.variables import compile_template
from ingressd.proxy.access import AccessRule
from ingressd.proxy.limiting import Limiting
from ingressd.proxy.moment import moment
from ingressd.proxy.onward import OnwardHeads
from ingressd.proxy.passage import HostCertificates, Passage, route_variables
from ingressd.proxy.response_rules import ResponseRules
from ingressd.proxy.shaped import Shaped
from ingressd.proxy.shortcut import bind_shortcut
from ingressd.proxy.steps import BINDERS, Step
from ingressd.proxy.tended import BoundedTended, Tended
from ingressd.routing.snapshot import ANY_HOST, Route

if TYPE_CHECKING:
    from ingressd.proxy.gateway import Gateway
    from ingressd.proxy.serving import LiveBackend

log = logging.getLogger(__name__)

_PASSWORD: Final = frozenset((b"authorization",))
_NOTHING: Final = RoutePolicies()
_BEFOREHAND: Final = (
    *("client_certificates", "blocks", "app_root", "trailing_slash", "cors", "redirect", "www", "respond", "denied"),
    *("rewrite", "https_redirect", "limits", "addresses", "basic_auth", "external_auth", "satisfy_any"),
    *("varied_rewrite", "request", "hash_by", "secure_backend", "response", "cookies"),
)
"""Policies that are done with a request when it has passed. What is left is said beforehand: a head for the endpoint,
who chooses it, and an edit for every answer.
"""
_TENDED: Final = (
    *("canary", "affinity", "canary_affinity", "latency_balanced", "next_upstream", "location"),
    *("max_response_header_bytes", "access_log"),
)
"""Policies that have to look at an attempt or an answer, and leave bodies alone."""
_SHAPED: Final = ("compression", "bandwidth")


def bind_gate(vhost_name: str, route: Route, gateway: Gateway) -> Gate | None:
    """The gate of a route; None: it asks for nothing. What cannot be bound denies all requests, and is logged once."""
    policies = route.policies
    if policies is None:
        return None
    try:
        if not asks_only_for_tls(policies):
            return Gate(vhost_name, route, policies, gateway)
        # Most routes of hosts with TLS ask for just this, and all of them for the same: one gate serves them.
        key = (policies, route.max_body_bytes)
        gate = gateway.gates.get(key)
        if gate is None:
            nobody = Route("prefix", "/", "", max_body_bytes=route.max_body_bytes)
            gate = gateway.gates[key] = Gate(ANY_HOST, nobody, policies, gateway)
        return gate
    except ValueError as error:
        where = f"{vhost_name}{route.path} of {route.namespace}/{route.ingress}"
        log.error("%s is denied (503), because it asks for what cannot be done: %s", where, error)
        return Gate(vhost_name, route, RoutePolicies(denied=str(error)), gateway)


def asks_only_for_tls(policies: RoutePolicies) -> bool:
    """Whether clients are sent to HTTPS, answers get fixed fields, and that is all: nothing of it is a route's own."""
    return replace(policies, https_redirect=None, response=None) == _NOTHING


class Gate:
    """The policies of one route of one worker. Raises ValueError for settings that cannot be used."""

    __slots__ = (
        "__weakref__",
        "_canary",
        "_canary_sticky",
        "_hash_by",
        "_secure",
        "access",
        "access_log",
        "addresses",
        "answers",
        "bodyless_steps",
        "buffers_request",
        "certificates",
        "chooses",
        "connection",
        "extra",
        "has_fixed_answers",
        "hash_subset",
        "heads",
        "is_light",
        "is_shaped",
        "is_tended",
        "latency_balanced",
        "limits",
        "looks_at_statuses",
        "max_response_header_bytes",
        "mirror",
        "next_upstream",
        "page_backend",
        "pages",
        "plans",
        "policies",
        "request",
        "shortcut",
        "steps",
        "sticky",
        "tended",
    )

    def __init__(self, vhost_name: str, route: Route, policies: RoutePolicies, gateway: Gateway) -> None:
        self.policies = policies
        settings = policies.client_certificates
        self.certificates = None if settings is None else HostCertificates(settings, vhost_name, gateway)
        self.extra = route_variables(route)
        cells = gateway.backends
        self.has_fixed_answers = asks_only_for_tls(policies)
        """A connection that is not redirected need not pass: all there is for it is ``answers.editor``."""
        self.pages = pages = None if policies.error_pages is None else ErrorPagesRule(policies.error_pages)
        self.page_backend = None if pages is None else cells.cell(pages.backend)
        self._bind_upstream(policies)
        self.answers = ResponseRules(policies, gateway.services.encoders)
        self.access_log = policies.access_log
        self.is_light = self._is_among(policies, _BEFOREHAND)
        """Whether, once a request has passed, an exchange that knows no policies can do the rest."""
        self.is_tended = self.is_light or self._is_among(policies, _BEFOREHAND + _TENDED)
        """Whether all that it takes besides is a look at each answer (``proxy/tended``)."""
        self.is_shaped = not self.max_response_header_bytes and self._is_among(
            policies, _BEFOREHAND + _TENDED + _SHAPED
        )
        """Or bodies that are changed (``proxy/shaped``)."""
        if self.is_tended:
            self.tended: type[Tended] = BoundedTended if self.max_response_header_bytes else Tended
        else:
            self.tended = Shaped
        self.plans = any(
            (self._secure, self._canary, self._hash_by, self.request, policies.basic_auth, self.certificates)
        )
        """Whether ``plan_upstream`` has anything to say where ``is_tended`` or ``is_shaped``."""
        self._bind_steps(policies, route, gateway)
        self.shortcut = bind_shortcut(policies, self) if self.is_light else None

    def _bind_steps(self, policies: RoutePolicies, route: Route, gateway: Gateway) -> None:
        self.limits = None if policies.limits is None else Limiting(policies.limits, gateway.shared_limits)
        bound = [(phase, step) for phase, bind in BINDERS.items() if (step := bind(self, route, gateway)) is not None]
        self.access: AccessRule | None = None
        self.addresses: AddressCheck | None = None
        """Who may come in, where nothing else is asked for: it never waits, and is a step like the others."""
        if policies.addresses is not None and policies.basic_auth is None and policies.external_auth is None:
            self.addresses = AddressCheck(policies.addresses)
            bound.append((Phase.ACCESS, self.addresses.apply))
        else:
            self.access = AccessRule.bind(policies, gateway, self.extra)
        if self.is_light and self.access is None and bound and bound[-1][0] is Phase.NO_ENDPOINTS:
            del bound[-1]  # nobody is asked in between, so whoever looks for an endpoint may as well say it
        self.steps: tuple[Step, ...] = tuple(step for _, step in bound)
        self.bodyless_steps = tuple(step for phase, step in bound if phase is not Phase.BODY_SIZE)
        """For requests that announce no body, as most do."""

    def _is_among(self, policies: RoutePolicies, names: tuple[str, ...]) -> bool:
        """Whether a route asks for nothing but these. What is not listed anywhere takes the longest way."""
        others = replace(policies, **{name: getattr(_NOTHING, name) for name in names})
        return others == _NOTHING and not self.connection

    def _bind_upstream(self, policies: RoutePolicies) -> None:
        self.request = None if policies.request is None else RequestEditor(policies.request, moment)
        self.connection = "" if policies.request is None else policies.request.connection.lower()
        """The Connection field that the endpoint gets in place of the client's, if any."""
        replaces = frozenset[bytes]() if self.request is None else self.request.replaces
        self.heads = OnwardHeads(replaces, sets_connection=bool(self.connection))
        self._canary = None if policies.canary is None else CanaryRule(policies.canary)
        self.sticky = None if policies.affinity is None else Sticky(policies.affinity)
        self._canary_sticky = None if policies.canary_affinity is None else Sticky(policies.canary_affinity)
        self._secure = policies.secure_backend
        self._hash_by = None if policies.hash_by is None else compile_template(policies.hash_by.value)
        self.hash_subset = 0 if policies.hash_by is None else policies.hash_by.subset_size
        self.latency_balanced = policies.latency_balanced
        self.chooses = any((self._hash_by, self.sticky, self._canary_sticky, self.latency_balanced))
        """Whether it is not the backend itself that chooses an endpoint."""
        self.next_upstream = None if policies.next_upstream is None else NextUpstreamRule(policies.next_upstream)
        self.looks_at_statuses = self.next_upstream is not None or self.pages is not None
        self.mirror = None if policies.mirror is None else MirrorRule(policies.mirror)
        self.buffers_request = policies.buffers_request
        self.max_response_header_bytes = policies.max_response_header_bytes

    def shows_page(self, status: int) -> bool:
        """Whether somebody else answers in place of an answer of ours, or of one of ``pages.statuses``."""
        pages, backend = self.pages, self.page_backend
        return pages is not None and backend is not None and status in pages.own_statuses and bool(backend.endpoints)

    def sticky_for(self, passage: Passage) -> Sticky | None:
        """How clients are kept with an endpoint of the backend that was chosen."""
        return self._canary_sticky if passage.is_canary else self.sticky

    def plan_upstream(self, ask: Ask, passage: Passage, cells: Callable[[str], LiveBackend]) -> None:
        """``Phase.UPSTREAM``: which backend, and what is said to it."""
        passage.is_stand_in = passage.backend is not None
        if not passage.is_stand_in:
            if self._secure and ask.is_tls:
                passage.backend = self._secure
            if self._canary is not None and self._goes_to_canary(self._canary, ask, cells):
                passage.backend = self._canary.secure_backend if ask.is_tls else self._canary.backend
                passage.is_canary = True
        if self._hash_by is not None:
            passage.endpoint_key = self._hash_by.expand(ask, self.extra)
        if self.policies.basic_auth is not None:
            passage.without |= _PASSWORD  # it was for us, whoever let the request pass
        if self.request is not None:
            self.request.apply(ask, passage, self.extra)
        if self.certificates is not None:
            passage.without |= UPSTREAM_FIELDS
            passage.added += upstream_lines(self.certificates.now(), passage.connection)

    def _goes_to_canary(self, canary: CanaryRule, ask: Ask, cells: Callable[[str], LiveBackend]) -> bool:
        if not cells(canary.backend).endpoints:
            return False
        sticky, other = self.sticky, self._canary_sticky
        belongs_to = sticky.sent(ask)[1] if sticky is not None else b""
        return canary.takes(
            ask,
            random.getrandbits(31),
            belongs_to=belongs_to,
            primary=sticky.id if sticky is not None else b"",
            canary=other.id if other is not None else b"",
        )
