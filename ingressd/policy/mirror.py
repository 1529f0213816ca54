"""A copy of each request for somebody whose answer nobody reads."""

import re

from msgspec import Struct

from ingressd.policy.ask import Ask
from ingressd.policy.error_pages import aside_head, no_body
from ingressd.policy.variables import Template, compile_template

_TARGET = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::([0-9]{1,5}))?([/?$].*)?", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]+")
_FORBIDDEN_IN_TARGET = re.compile(rb"[^\x21-\x7e\x80-\xff]")
MAX_TARGET_BYTES = 8192


class Mirror(Struct, frozen=True, gc=False, array_like=True):
    """``target`` is a URL; what follows its host may hold nginx variables, and ``$request_uri`` is what is usual.

    ``host`` goes into the copy's Host field; "" is the URL's, without a port. ``body``: the copy has the body too.
    """

    target: str
    host: str = ""
    body: bool = True


def problem_of(settings: Mirror) -> str:
    """What is wrong with ``settings``, for their owner; "" when they are fine. Raises TemplateError."""
    found = _TARGET.fullmatch(settings.target)
    if found is None or not 0 < int(found.group(3) or 80) < 65536:
        return (
            f"{settings.target!r} is no http:// or https:// URL with a plain host; only what follows may hold variables"
        )
    if settings.host and not _HOST.fullmatch(settings.host):
        return f"{settings.host!r} is no host"
    compile_template(found.group(4) or "/")
    return ""


class MirrorRule:
    """Settings made ready for requests. ``hostname``, ``port`` and ``is_tls`` say where copies go.

    Raises ValueError when ``problem_of`` has something to say.
    """

    __slots__ = ("_host", "_target", "body", "hostname", "is_tls", "port")

    def __init__(self, settings: Mirror) -> None:
        if problem := problem_of(settings):
            raise ValueError(problem)
        found = _TARGET.fullmatch(settings.target)
        assert found is not None  # noqa: S101 - problem_of has seen it
        scheme, hostname, port, rest = found.groups()
        self.is_tls = scheme.lower() == "https"
        self.hostname = hostname.lower().strip("[]")
        self.port = int(port or (443 if self.is_tls else 80))
        self.body = settings.body
        self._host = (settings.host or hostname).encode()
        self._target: Template | None = None
        if rest:  # else the copy asks for what the client asked for
            self._target = compile_template(rest if rest.startswith(("/", "$")) else "/" + rest)

    def head(self, ask: Ask) -> bytes | None:
        """The copy's head up to and with the empty line; its body, if any, is framed as the original is sent onward.

        None: there is no copy, because what the client sent does not make a target in the place it is put.
        """
        target = ask.target.encode("latin-1") if self._target is None else self._target.expand(ask)
        if not target.startswith(b"/") or len(target) > MAX_TARGET_BYTES or _FORBIDDEN_IN_TARGET.search(target):
            return None
        fields, framing = ask.fields, no_body(ask.method)
        if self.body and fields.chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif self.body and fields.content_length >= 0:
            framing = b"Content-Length: %d\r\n" % fields.content_length
        return aside_head(ask, target, self._host) + framing + b"\r\n"
