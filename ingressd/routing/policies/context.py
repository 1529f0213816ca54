"""What the annotations of every Ingress are read against: the controller's ConfigMap and the header sets it names."""

import re
from collections.abc import Mapping

from msgspec import Struct

from ingressd.model.cluster import Key
from ingressd.model.finding import Finding, Level
from ingressd.model.objects import ConfigMap, Meta
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.redirects import HttpsRedirect
from ingressd.policy.response_fields import Fields, Hsts, field_problem
from ingressd.policy.variables import EXTRA, OF_MOMENT, OF_ROUTE, TemplateError, compile_template
from ingressd.routing.annotations import AnnotationValues, GlobalValues, Row
from ingressd.routing.annotations.rows import clients, responses
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.place import place_of

_VARIABLE = re.compile(r"\$(?:[a-z_][a-z0-9_]*|\{[a-z_][a-z0-9_]*\})")
_NEVER_KNOWN = EXTRA - OF_ROUTE - OF_MOMENT


class PathPolicies(Struct, frozen=True, gc=False):
    """Of one path. ``tls_redirect`` holds if the host has a certificate; ``others`` are backends named here."""

    policies: RoutePolicies | None
    tls_redirect: HttpsRedirect | None
    others: tuple[ServiceTarget, ...] = ()


class PolicyContext:
    """The same object as long as nothing of it changes; what was read under another one is forgotten.

    ``request_fields`` and ``response_fields`` are the sets of ``proxy-set-headers`` and ``add-headers``. ``unset`` are
    the values of an Ingress that says nothing.
    """

    __slots__ = (
        "common",
        "config",
        "config_map",
        "config_maps",
        "defaults",
        "findings",
        "hsts",
        "last_resorts",
        "plain",
        "quiet",
        "request_fields",
        "response_fields",
        "sources",
        "unset",
        "usual_with_tls",
    )

    def __init__(
        self,
        defaults: RouteDefaults,
        config: GlobalValues,
        config_map: ConfigMap | None,
        config_maps: Mapping[Key, ConfigMap],
    ) -> None:
        self.defaults = defaults
        self.config = config
        self.config_map = config_map
        self.config_maps = config_maps
        self.findings: list[Finding] = list(config.findings)
        self.sources: dict[Key, ConfigMap | None] = {}
        self.request_fields = self._templates(self._fields(clients.PROXY_SET_HEADERS))
        if config.get(clients.PROXY_ADD_ORIGINAL_URI_HEADER):
            self.request_fields = (("X-Original-URI", "$request_uri"), *self.request_fields)
        self.response_fields = self._fields(responses.ADD_HEADERS)
        self._tell_variables(self.response_fields)
        self.hsts = self._hsts()
        self.unset = AnnotationValues(config, {}, denied=config.denied)
        self.common: RoutePolicies | None = None  # of an Ingress that says nothing
        self.usual_with_tls: PathPolicies | None = None  # of most paths of most Ingresses
        self.plain: object = None  # what ``build`` made of one that asks for nothing
        self.quiet: dict[HttpsRedirect | None, RoutePolicies] = {}  # of routes that ask for nothing, on hosts with TLS
        self.last_resorts: dict[tuple[bool, HttpsRedirect | None], object] = {}  # what answers there when no route does

    def holds(self, defaults: RouteDefaults, config: GlobalValues, config_maps: Mapping[Key, ConfigMap]) -> bool:
        """Whether a context made of these would say the same."""
        return (
            config is self.config
            and defaults == self.defaults
            and all(same_data(config_maps.get(key), before) for key, before in self.sources.items())
        )

    def _hsts(self) -> Hsts | None:
        get = self.config.get
        if not get(responses.HSTS):
            return None
        return Hsts(get(responses.HSTS_MAX_AGE), get(responses.HSTS_INCLUDE_SUBDOMAINS), get(responses.HSTS_PRELOAD))

    def _fields(self, row: Row[str]) -> Fields:
        value = self.config.get(row)
        if not value:
            return ()
        namespace, _, name = value.rpartition("/")
        key = (namespace, name)
        found = self.config_maps.get(key)
        self.sources[key] = found
        if found is None:
            self._say(row, "error", "ConfigMapNotFound", f"ConfigMap {value!r} is not there; its headers are not set")
            return ()
        fields, problems = header_fields(found)
        for problem in problems:
            self._say(row, "error", "BadHeader", f"ConfigMap {value!r}: {problem}; it is left out")
        return fields

    def _templates(self, fields: Fields) -> Fields:
        """Those whose variables are known: one that is not must not deny every path there is."""
        usable = []
        for name, value in fields:
            try:
                unknown = sorted(compile_template(value).variables & _NEVER_KNOWN)
            except TemplateError as error:
                self._say(clients.PROXY_SET_HEADERS, "error", "BadHeader", f"{name}: {error}; it is left out")
                continue
            if unknown:
                why = f"{name}: ${unknown[0]} is not known when a request goes upstream, and stands for nothing"
                self._say(clients.PROXY_SET_HEADERS, "warning", "EmptyVariable", why)
            usable.append((name, value))
        return tuple(usable)

    def _tell_variables(self, fields: Fields) -> None:
        for name, value in fields:
            found = _VARIABLE.search(value)
            if found is not None:
                why = f"{name}: {found[0]} goes to clients as it is written: variables are not filled in here"
                self._say(responses.ADD_HEADERS, "warning", "LiteralVariable", why)

    def _say(self, row: Row[str], level: Level, reason: str, message: str) -> None:
        meta = self.config_map.meta if self.config_map is not None else Meta()
        self.findings.append(place_of(meta, f"data.{row.config_key}", "ConfigMap").finding(level, reason, message))


def header_fields(config_map: ConfigMap) -> tuple[Fields, list[str]]:
    """The headers of a ConfigMap, sorted by name, and what is wrong with those that are left out."""
    fields, problems = [], []
    for name, value in sorted(config_map.data.items()):
        problem = field_problem(name, value)
        if problem is None:
            fields.append((name, value.strip()))
        else:
            problems.append(problem)
    return tuple(fields), problems


def same_data(one: ConfigMap | None, other: ConfigMap | None) -> bool:
    """Whether two versions of a ConfigMap say the same."""
    return one is other or (one is not None and other is not None and one.data == other.data)
