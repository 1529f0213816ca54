"""Somebody else answers in place of a route's backend: when its answer is an error, or when it has nobody to answer."""

from typing import NamedTuple

from msgspec import Struct

from ingressd.policy.ask import Ask, Plan, without_named

_NAMES = ("x-code", "x-format", "x-ingress-name", "x-namespace", "x-service-name", "x-service-port")
OURS = frozenset(name.encode() for name in _NAMES)
"""Fields that we write, and that a client therefore does not."""

_HAS_BODY = frozenset((b"PATCH", b"POST", b"PUT"))


class ErrorPages(Struct, frozen=True, gc=False, array_like=True):
    """``backend`` is the key of who answers instead; the other names say in its request's head who was meant to.

    ``statuses`` are replaced; ``intercepts_upstream`` False: only where we would answer with one ourselves.
    """

    backend: str
    statuses: tuple[int, ...] = ()
    intercepts_upstream: bool = True
    namespace: str = ""
    ingress: str = ""
    service: str = ""
    service_port: str = ""


class Detour(NamedTuple):
    """A request without a body to ``backend``, whose answer the client gets, status and all.

    ``head`` is complete; it keeps the client's end-to-end fields.
    """

    backend: str
    head: bytes


class ErrorPagesRule:
    """Settings made ready for requests."""

    __slots__ = ("_who", "backend", "own_statuses", "statuses")

    def __init__(self, settings: ErrorPages) -> None:
        self.backend = settings.backend
        self.own_statuses = frozenset(settings.statuses)
        self.statuses = self.own_statuses if settings.intercepts_upstream else frozenset()
        self._who = b"".join(
            b"%b: %b\r\n" % (name, _field_text(value))
            for name, value in (
                (b"X-Namespace", settings.namespace),
                (b"X-Ingress-Name", settings.ingress),
                (b"X-Service-Name", settings.service),
                (b"X-Service-Port", settings.service_port),
            )
            if value
        )

    def fields(self, ask: Ask, code: int) -> bytes:
        """Whole field lines that tell the other backend what happened."""
        accept = ask.fields.accept
        wanted = b"X-Format: %b\r\n" % accept if accept else b""
        return b"X-Code: %d\r\n%b%b" % (code, wanted, self._who)

    def detour(self, ask: Ask, code: int, forwarded: bytes) -> Detour:
        """The request made when an answer of status ``code`` is replaced.

        Its path is ``/``, with the client's query. ``forwarded`` are whole lines, X-Request-ID among them, as any
        upstream gets them. The method is the client's, the body is not sent again.
        """
        added = b"%bX-Original-URI: %b\r\n%b" % (self.fields(ask, code), ask.target.encode("latin-1"), forwarded)
        head = aside_head(
            ask, ("/" + ask.query).encode("latin-1"), ask.authority or ask.fields.host_field or b"", without=OURS
        )
        return Detour(self.backend, head + added + no_body(ask.method) + b"\r\n")

    def stand_in(self, ask: Ask, plan: Plan) -> None:
        """The route's backend has no endpoints, and this one has: the same request goes there, told why."""
        plan.backend = self.backend
        plan.added += self.fields(ask, 503)
        plan.without |= OURS


def aside_head(ask: Ask, target: bytes, host: bytes, *, without: frozenset[bytes] = frozenset()) -> bytes:
    """The beginning of a head for a request of ours that is made of the client's; framing and the end are to follow.

    An offer to switch protocols, or to wait for 100 (Continue), stays behind with all that is for one hop only.
    """
    onward = ask.fields.onward
    if without:
        onward = without_named(onward, without)
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b" % (ask.method, target, host, onward)


def no_body(method: bytes) -> bytes:
    """The line that says so where a body is expected (RFC 9110 §8.6)."""
    return b"Content-Length: 0\r\n" if method in _HAS_BODY else b""


def _field_text(value: str) -> bytes:
    return "".join(character if character.isprintable() else "?" for character in value).encode()
