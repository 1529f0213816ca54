"""Traffic to the backend: timeouts, sizes, attempts, TLS, which endpoint, who else gets a copy or answers instead."""

import re

from msgspec import Struct

from ingressd.policy.affinity import LONGEST_EXPIRY_S, Affinity, problem_of
from ingressd.policy.error_pages import ErrorPages
from ingressd.policy.hashing import HashBy
from ingressd.policy.mirror import Mirror, MirrorRule
from ingressd.policy.next_upstream import NextUpstream
from ingressd.policy.timeouts import Timeouts
from ingressd.policy.upstream_tls import BackendTls
from ingressd.policy.variables import TemplateError, compile_template
from ingressd.routing.annotations.row import Row
from ingressd.routing.annotations.rows import affinity as affinity_rows
from ingressd.routing.annotations.rows import backend, paths, responses, tls
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.policies.wishes import Wishes
from ingressd.tls.checks import upstream_cipher_problem

_NOT_SPOKEN = {
    "GRPC": "gRPC is not spoken yet: it arrives with HTTP/2",
    "GRPCS": "gRPC is not spoken yet: it arrives with HTTP/2",
    "FCGI": "FastCGI is not spoken: put an HTTP server in front of it in the pod",
}
_SIGNS = re.compile(r"[()\[\]{}*+?|^$\\]")  # of an expression
_SMALLEST_HEAD_BYTES = 32 * 1024
"""``proxy-buffer-size`` sizes a buffer there, often of a few KiB: as a limit it would only break things."""


class Spoken(Struct, frozen=True, gc=False):
    """How endpoints are spoken to. ``tls`` None: in the clear. ``follows_client``: TLS for clients that came over TLS.

    ``cluster_ip``: the Service's own address is the one endpoint.
    """

    tls: BackendTls | None = None
    follows_client: bool = False
    cluster_ip: bool = False


PLAIN = Spoken()


def timeouts(wishes: Wishes) -> Timeouts:
    """Zero is left out: in nginx it fails every request, which nobody means."""
    own = wishes.context.defaults.timeouts
    return Timeouts(
        connect_s=_seconds(wishes, backend.PROXY_CONNECT_TIMEOUT, own.connect_s),
        read_s=_seconds(wishes, backend.PROXY_READ_TIMEOUT, own.read_s),
        send_s=_seconds(wishes, backend.PROXY_SEND_TIMEOUT, own.send_s),
    )


def _seconds(wishes: Wishes, row: Row[int], otherwise: float) -> float:
    return float(wishes.get(row) or otherwise) if wishes.is_said(row) else otherwise


def max_body_bytes(wishes: Wishes) -> int:
    if not wishes.is_said(backend.PROXY_BODY_SIZE):
        return wishes.context.defaults.max_body_bytes
    return wishes.get(backend.PROXY_BODY_SIZE)


def max_response_header_bytes(wishes: Wishes) -> int:
    if not wishes.is_said(backend.PROXY_BUFFER_SIZE):
        return 0
    return max(wishes.get(backend.PROXY_BUFFER_SIZE), _SMALLEST_HEAD_BYTES)


def next_upstream(wishes: Wishes) -> NextUpstream | None:
    rows = (
        backend.PROXY_NEXT_UPSTREAM,
        backend.PROXY_NEXT_UPSTREAM_TRIES,
        backend.PROXY_NEXT_UPSTREAM_TIMEOUT,
        backend.RETRY_NON_IDEMPOTENT,
    )
    if not any(map(wishes.is_said, rows)):
        return None
    words = wishes.get(backend.PROXY_NEXT_UPSTREAM)
    conditions = () if "off" in words else tuple(word for word in words if word != "non_idempotent")
    return NextUpstream(
        conditions,
        wishes.get(backend.PROXY_NEXT_UPSTREAM_TRIES),
        float(wishes.get(backend.PROXY_NEXT_UPSTREAM_TIMEOUT)),
        "non_idempotent" in words or wishes.get(backend.RETRY_NON_IDEMPOTENT),
    )


def buffers_request(wishes: Wishes) -> bool:
    """Only where it is asked for: as a rule bodies are streamed, which an upstream does not notice."""
    row = backend.PROXY_REQUEST_BUFFERING
    return wishes.is_said(row) and wishes.get(row)


# ── how it is spoken to ─────────────────────────────────────────────────────────────────────────────────────────────


def spoken(wishes: Wishes) -> Spoken:
    """What ``backend-protocol`` and ``service-upstream`` say; ``proxy-ssl-*`` are those of this Ingress."""
    protocol = wishes.get(backend.BACKEND_PROTOCOL)
    cluster_ip = wishes.get(backend.SERVICE_UPSTREAM)
    if protocol in _NOT_SPOKEN:
        wishes.deny(backend.BACKEND_PROTOCOL, "ProtocolNotSpoken", _NOT_SPOKEN[protocol])
        return PLAIN
    if protocol == "HTTP":
        return Spoken(cluster_ip=True) if cluster_ip else PLAIN
    return Spoken(backend_tls(wishes) or BackendTls(), protocol == "AUTO_HTTP", cluster_ip)


def backend_tls(wishes: Wishes) -> BackendTls | None:
    """``proxy-ssl-*`` of an Ingress; None: it has none that counts. Protocols and ciphers count with a Secret only."""
    name, sends_name = wishes.get(tls.PROXY_SSL_NAME), wishes.get(tls.PROXY_SSL_SERVER_NAME)
    if not wishes.get(tls.PROXY_SSL_SECRET):
        return BackendTls(name=name, server_name=sends_name) if name or sends_name else None
    key = wishes.reference(tls.PROXY_SSL_SECRET, needs_namespace=True)
    if key is None:
        return None
    ciphers, verify = wishes.get(tls.PROXY_SSL_CIPHERS), wishes.get(tls.PROXY_SSL_VERIFY)
    problem = upstream_cipher_problem(ciphers)
    if problem:
        wishes.deny(tls.PROXY_SSL_CIPHERS, "BadAnnotation", problem)
    if verify and not name:
        why = "proxy-ssl-name is missing: nobody knows which name the backend's certificate must have"
        wishes.say(tls.PROXY_SSL_VERIFY, "error", "IncompleteAnnotations", f"{why}; its HTTPS backends answer 503")
    depth = wishes.get(tls.PROXY_SSL_VERIFY_DEPTH)
    return BackendTls(
        verify=verify,
        name=name,
        server_name=sends_name,
        protocols=wishes.get(tls.PROXY_SSL_PROTOCOLS),
        ciphers="" if ciphers == tls.PROXY_SSL_CIPHERS.default else ciphers,
        verify_depth=depth if depth > 0 else tls.PROXY_SSL_VERIFY_DEPTH.default,  # there 0 is the default too
        material=wishes.material("identity", tls.PROXY_SSL_SECRET, key),
    )


# ── which endpoint ──────────────────────────────────────────────────────────────────────────────────────────────────


def is_latency_balanced(wishes: Wishes) -> bool:
    return wishes.get(backend.LOAD_BALANCE) == "ewma"


def hash_by(wishes: Wishes) -> HashBy | None:
    row = backend.UPSTREAM_HASH_BY
    text = wishes.get(row)
    if not text:
        return None
    try:
        compile_template(text)
    except TemplateError as error:
        wishes.say(row, "error", "BadAnnotation", f"{error}; endpoints are chosen in turn")
        return None
    size = wishes.get(backend.UPSTREAM_HASH_BY_SUBSET_SIZE) if wishes.get(backend.UPSTREAM_HASH_BY_SUBSET) else 0
    return HashBy(text, max(size, 0))


def upstream_name(target: ServiceTarget) -> str:
    """ingress-nginx's name of a backend: its cookies and metrics are made with it."""
    return f"{target.namespace}-{target.service}-{target.port}"


def affinity(wishes: Wishes, path: str, target: ServiceTarget) -> Affinity | None:
    if wishes.get(affinity_rows.AFFINITY) != "cookie":
        return None
    samesite = wishes.get(affinity_rows.SESSION_COOKIE_SAMESITE)
    made = Affinity(
        upstream_name(target),
        name=wishes.get(affinity_rows.SESSION_COOKIE_NAME),
        path=wishes.get(affinity_rows.SESSION_COOKIE_PATH) or path,
        domain=wishes.get(affinity_rows.SESSION_COOKIE_DOMAIN),
        expires_s=_bounded(wishes.get(affinity_rows.SESSION_COOKIE_EXPIRES)),
        max_age_s=_bounded(wishes.get(affinity_rows.SESSION_COOKIE_MAX_AGE)),
        samesite=samesite,
        conditional_samesite_none=wishes.get(affinity_rows.SESSION_COOKIE_CONDITIONAL_SAMESITE_NONE),
        secure=wishes.get(affinity_rows.SESSION_COOKIE_SECURE),
        persistent=wishes.get(affinity_rows.AFFINITY_MODE) == "persistent",
        change_on_failure=wishes.get(affinity_rows.SESSION_COOKIE_CHANGE_ON_FAILURE),
    )
    problem = problem_of(made)
    if problem:
        is_named = bool(problem_of(Affinity("", name=made.name)))
        row = affinity_rows.SESSION_COOKIE_NAME if is_named else affinity_rows.SESSION_COOKIE_DOMAIN
        wishes.say(row, "error", "BadAnnotation", f"{problem}; no cookie is set")
        return None
    if made.path == path and (wishes.get(paths.USE_REGEX) or wishes.get(paths.REWRITE_TARGET)) and _SIGNS.search(path):
        message = (
            "the cookie's Path is that of the Ingress, an expression that no request's path is below: clients do not "
            "come back to their endpoint; add session-cookie-path"
        )
        wishes.say(affinity_rows.AFFINITY, "warning", "CookieWithoutPath", message)
    return made


def _bounded(seconds: int | None) -> int | None:
    return None if seconds is None else max(-LONGEST_EXPIRY_S, min(seconds, LONGEST_EXPIRY_S))


# ── who else ────────────────────────────────────────────────────────────────────────────────────────────────────────


def stand_in(wishes: Wishes) -> ServiceTarget | None:
    """``default-backend``: a Service of the Ingress's namespace, by its first port."""
    name = wishes.get(responses.DEFAULT_BACKEND)
    return ServiceTarget(wishes.meta.namespace, name, first_port=True) if name else None


def error_pages(wishes: Wishes, target: ServiceTarget, otherwise: str) -> ErrorPages | None:
    """``otherwise`` is the key of the controller's default backend; "": there is none, and answers stay as they are."""
    own = stand_in(wishes)
    statuses = wishes.get(responses.CUSTOM_HTTP_ERRORS)
    if own is None and not (statuses and otherwise):
        return None
    return ErrorPages(
        backend=own.key if own is not None else otherwise,
        statuses=statuses,
        intercepts_upstream=not wishes.get(responses.DISABLE_PROXY_INTERCEPT_ERRORS),
        namespace=wishes.meta.namespace,
        ingress=wishes.meta.name,
        service=target.service,
        service_port=target.port,
    )


def check_error_pages(wishes: Wishes) -> None:
    """Say it when nobody is there to write them."""
    row = responses.CUSTOM_HTTP_ERRORS
    has_default = wishes.context.defaults.default_backend_service is not None or wishes.get(responses.DEFAULT_BACKEND)
    if wishes.values.is_set(row) and wishes.get(row) and not has_default:
        message = "neither default-backend nor --default-backend-service says who answers: errors are passed on"
        wishes.say(row, "warning", "NoDefaultBackend", message)


def mirror(wishes: Wishes) -> Mirror | None:
    row = responses.MIRROR_TARGET
    target = wishes.get(row)
    if not target:
        return None
    made = Mirror(target, wishes.get(responses.MIRROR_HOST), wishes.get(responses.MIRROR_REQUEST_BODY))
    try:
        MirrorRule(made)
    except ValueError as error:
        wishes.say(row, "error", "BadAnnotation", f"{error}; nothing is mirrored")
        return None
    return made
