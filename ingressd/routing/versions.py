"""Which version of an Ingress counts: this one, the last good one, or none, and then never an open route."""

import logging
from contextlib import suppress

from msgspec.structs import replace

from ingressd.model.finding import Finding
from ingressd.model.objects import Ingress
from ingressd.routing.annotations.reading import OUR_PREFIX
from ingressd.routing.claims import ReadIngress, RouteClaim
from ingressd.routing.memo import CompileMemo
from ingressd.routing.place import place_of
from ingressd.routing.policies.context import PolicyContext
from ingressd.routing.reading import read_ingress, seniority

log = logging.getLogger(__name__)

_PROTECTING = frozenset(
    (
        *("allowlist-source-range", "whitelist-source-range", "denylist-source-range", "satisfy"),
        *("auth-type", "auth-secret", "auth-url", "auth-signin", "auth-tls-secret", "auth-tls-match-cn"),
        *("enable-global-auth", "auth-tls-verify-client", "respond", "deny-user-agents"),
        *("configuration-snippet", "server-snippet", "auth-snippet", "enable-modsecurity", "modsecurity-snippet"),
        *("limit-rps", "limit-rpm", "limit-connections"),
    )
)


def read_version(ingress: Ingress, context: PolicyContext, last_resort: RouteClaim, memo: CompileMemo) -> ReadIngress:
    """What the Ingress claims. One whose annotations freeze it claims what its last good version did.

    Without one it claims nothing, as in ingress-nginx; but where access control was asked for, its paths are claimed
    and answer 503: they must not fall to a wider route that is open. One that we stumble over, which is a fault of
    ours, is treated the same, so that it costs nobody else a compile.
    """
    try:
        return _read(ingress, context, last_resort, memo)
    except Exception:
        log.exception("reading the Ingress %s/%s failed", ingress.meta.namespace, ingress.meta.name)
        return _stumbled(ingress, context, last_resort, memo)


def _stumbled(ingress: Ingress, context: PolicyContext, last_resort: RouteClaim, memo: CompileMemo) -> ReadIngress:
    place = place_of(ingress.meta, "metadata")
    why = "reading it failed, which is a fault of ingressd's (the log has it)"
    good = memo.good_ingresses.get((ingress.meta.namespace, ingress.meta.name))
    with suppress(Exception):
        if good is not None and good is not ingress and good.meta.uid == ingress.meta.uid:
            kept = read_ingress(good, context, last_resort)
            told = place.finding("error", "InternalError", f"{why}: its last good version is served")
            return replace(kept, findings=(told,))
    with suppress(Exception):
        if _asks_for_protection(ingress, context.defaults.annotations_prefix):
            closed = read_ingress(ingress, context, last_resort, denied="it cannot be read")
            told = place.finding("error", "InternalError", f"{why}: all its paths answer 503")
            return replace(closed, findings=(told,))
    told = place.finding("error", "InternalError", f"{why}: it is not served")
    return ReadIngress(seniority(ingress.meta), (), (), (told,))


def _read(ingress: Ingress, context: PolicyContext, last_resort: RouteClaim, memo: CompileMemo) -> ReadIngress:
    read = read_ingress(ingress, context, last_resort)
    key = (ingress.meta.namespace, ingress.meta.name)
    if not read.frozen:
        memo.good_ingresses[key] = ingress
        return read
    good = memo.good_ingresses.get(key)
    if good is not None and good.meta.uid == ingress.meta.uid:
        kept = read_ingress(good, context, last_resort)
        if not kept.frozen:
            return replace(kept, findings=(*read.findings, _told(ingress, "its last good version is served")))
    if _asks_for_protection(ingress, context.defaults.annotations_prefix):
        closed = read_ingress(ingress, context, last_resort, denied="its annotations cannot be used")
        return replace(closed, findings=(*closed.findings, _told(ingress, "all its paths answer 503")))
    return replace(read, findings=(*read.findings, _told(ingress, "it is not served")))


def _asks_for_protection(ingress: Ingress, prefix: str) -> bool:
    names = (name.partition("/") for name in ingress.meta.annotations)
    return any(start in (prefix, OUR_PREFIX) and name in _PROTECTING for start, _, name in names)


def _told(ingress: Ingress, what: str) -> Finding:
    message = f"this version of the Ingress cannot be used because of its annotations: {what}"
    return place_of(ingress.meta, "metadata.annotations").finding("error", "IngressFrozen", message)
