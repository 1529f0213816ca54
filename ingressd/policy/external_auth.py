"""Ask another service whether a request may pass: what it is asked, and what its answer means.

The question and the verdicts are ingress-nginx's. Everything that is neither a yes (2xx) nor a plain no (401, 403)
is a failure of the service, and refuses the request with 500.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from msgspec import Struct

from ingressd.errors import BadRequest
from ingressd.http.target import split_host
from ingressd.policy.ask import Answer, Ask, Plan, field_value, without_named
from ingressd.policy.auth_cache import AuthAnswer, CacheRule, cache_digest
from ingressd.policy.client_certificate import UPSTREAM_FIELDS
from ingressd.policy.location import location_line
from ingressd.policy.variables import Extra, Template, compile_template

COOKIE_STATUSES: Final = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})
"""Answers that the service's cookies are added to (nginx's ``add_header`` without ``always``)."""

FAILED: Final = Answer(500, "external-auth-failed")
_FORBIDDEN: Final = Answer(403, "external-auth-forbidden")

# Taken apart before variables are filled in: a client's value must not move the border between host and path.
_URL = re.compile(r"([A-Za-z]+|\$\w+|\$\{\w+\})://([^/?#]+)([^#]*)")
_NOT_IN_URL = re.compile(rb"[^\x21-\x7e]")
_METHOD = re.compile(r"[A-Z]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9-]{1,128}")
_LINE_BREAK = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# What says how a message is framed or where it goes is ours to say, whatever a service answers.
_NEVER_COPIED: Final = frozenset(
    b"host content-length transfer-encoding connection upgrade te trailer expect keep-alive proxy-connection "
    b"http2-settings set-cookie".split()
)
_SET_BY_US: Final = frozenset({b"x-auth-request-redirect", b"x-sent-from", b"x-request-id"})
_NO_EXTRA: Final[Extra] = {}


class ExternalAuth(Struct, frozen=True, gc=False, array_like=True):
    """``auth-url`` and what belongs to it. ``scope`` names the host and path whose answers are kept together.

    ``url``, ``sign_in``, ``request_redirect`` and ``cache_key`` may hold variables. No ``cache_key``: nothing is kept.
    ``headers`` is the key of a material: fields for the service. The time-out is for one question, in seconds.
    """

    url: str
    scope: str = ""
    method: str = ""
    sign_in: str = ""
    sign_in_parameter: str = "rd"
    response_headers: tuple[str, ...] = ()
    request_redirect: str = ""
    always_set_cookie: bool = False
    cache_key: str = ""
    cache_rules: tuple[CacheRule, ...] = (CacheRule((200, 202, 401), 300.0),)
    headers: str = ""
    timeout_s: float = 60.0


class AuthTarget(NamedTuple):
    """Where a question goes. ``host`` is a name or an address (IPv6 without brackets), ``path`` begins with ``/``."""

    scheme: str
    host: str
    port: int
    authority: bytes
    path: bytes


class Allowed(NamedTuple):
    """The request may pass. ``cookies`` are Set-Cookie lines for the client's answer: see ``cookies_for``."""

    without: frozenset[bytes]
    added: bytes
    cookies: bytes
    always: bool

    def apply(self, plan: Plan) -> None:
        """What the service said about the client replaces what the client says about itself."""
        plan.without |= self.without
        plan.added += self.added

    def cookies_for(self, status: int) -> bytes:
        """Lines to add to the client's answer once its status is known."""
        return self.cookies if self.always or status in COOKIE_STATUSES else b""


class AuthError(ValueError):
    """Settings that cannot be used; ``str()`` is a sentence for their owner."""


class AuthQuestion:
    """``ExternalAuth`` made ready for one worker."""

    __slots__ = (
        "_always",
        "_cache_key",
        "_copied",
        "_fixed_target",
        "_headers",
        "_join",
        "_redirect",
        "_scope",
        "_set_names",
        "_set_or_ours",
        "_sign_in",
        "_sign_in_template",
        "_url",
        "_without",
        "method",
        "settings",
    )

    def __init__(self, settings: ExternalAuth, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """``headers`` is what ``settings.headers`` names: names and values, which may hold variables.

        Raises:
            AuthError, or TemplateError, which is a ValueError too: the route must be denied.
        """
        self.settings = settings
        if settings.method and not _METHOD.fullmatch(settings.method):
            raise AuthError(f"{settings.method[:40]!r} is no method")
        self.method = settings.method.encode("ascii") or b"GET"
        self._url = _url_parts(settings.url)
        is_fixed = not any(part.variables for part in self._url)
        self._fixed_target = _target(*(part.text.encode() for part in self._url)) if is_fixed else None
        self._headers = tuple((_own_field_name(name), compile_template(value)) for name, value in headers)
        self._set_names = _SET_BY_US | {name.lower() for name, _ in self._headers}
        self._set_or_ours = self._set_names | UPSTREAM_FIELDS
        copied = [_field_name(name) for name in settings.response_headers]
        self._copied = tuple((name, name.lower()) for name in copied if name.lower() not in _NEVER_COPIED)
        self._without = frozenset(lower for _, lower in self._copied)
        self._redirect = compile_template(settings.request_redirect) if settings.request_redirect else None
        self._sign_in_template = compile_template(settings.sign_in) if settings.sign_in else None
        self._join = _join(settings.sign_in, settings.sign_in_parameter)
        self._always = settings.always_set_cookie
        self._cache_key: Template | None = compile_template(settings.cache_key) if settings.cache_key else None
        self._scope = f"{settings.scope}\n{settings.method}\n{settings.url}".encode()

    def target(self, ask: Ask, extra: Extra = _NO_EXTRA) -> AuthTarget:
        """Where to ask. Raises AuthError when the variables make no URL of it: answer ``FAILED``."""
        return self._fixed_target or _target(*(part.expand(ask, extra) for part in self._url))

    def head(
        self,
        ask: Ask,
        target: AuthTarget,
        forwarded_for: bytes = b"",
        extra: Extra = _NO_EXTRA,
        certificate: bytes | None = None,
    ) -> bytes:
        """The question's head. It has no body, and says nothing about one.

        ``forwarded_for`` is ``Seen.forwarded_for``; without it the client's address is told. ``certificate`` are the
        lines about the client's (``client_certificate.upstream_lines``), None on hosts that ask for none: with them
        nothing that the client says of one itself goes on.
        """
        client = ask.client.encode("latin-1")
        uri = ask.target.encode("latin-1")
        host = ask.fields.host_field or ask.authority
        head = [
            b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (self.method, target.path, target.authority),
            without_named(ask.fields.onward, self._set_names if certificate is None else self._set_or_ours),
            _line(b"X-Request-ID", ask.request_id),
            b"X-Original-URL: %b://%b%b\r\nX-Original-Method: %b\r\n"
            b"X-Sent-From: nginx-ingress-controller\r\nX-Real-IP: %b\r\nX-Forwarded-For: %b\r\n"
            b"X-Auth-Request-Redirect: %b\r\n"
            % (
                b"https" if ask.is_tls else b"http",
                host,
                uri,
                ask.method,
                client,
                forwarded_for or client,
                uri if self._redirect is None else _in_url(self._redirect.expand(ask, extra)),
            ),
        ]
        if self.settings.method:
            head.append(b"X-Original-URI: %b\r\nX-Scheme: %b\r\n" % (uri, ask.scheme))
        if certificate:
            head.append(without_named(certificate, self._set_names))
        head += (_line(name, value.expand(ask, extra)) for name, value in self._headers)
        head.append(b"\r\n")
        return b"".join(head)

    def cache_key(self, ask: Ask, extra: Extra = _NO_EXTRA) -> bytes | None:
        """Requests with the same key get the same verdict for a while; None: each is asked about."""
        if self._cache_key is None:
            return None
        return cache_digest(self._scope, self._cache_key.expand(ask, extra))

    def verdict(self, ask: Ask, answer: AuthAnswer, extra: Extra = _NO_EXTRA) -> Allowed | Answer:
        """What the service's answer means for this request."""
        status = answer.status
        if 200 <= status < 300:
            added = b"".join(
                _line(name, value) for name, lower in self._copied if (value := field_value(answer.lines, lower))
            )
            return Allowed(self._without, added, _lines_of(answer.lines, b"set-cookie"), self._always)
        if status == 401:
            return self._unauthorized(ask, answer, extra)
        if status == 403:
            cookies = _lines_of(answer.lines, b"set-cookie") if self._always else b""
            return Answer(403, _FORBIDDEN.reason, cookies) if cookies else _FORBIDDEN
        return FAILED

    def _unauthorized(self, ask: Ask, answer: AuthAnswer, extra: Extra) -> Answer:
        cookies = _lines_of(answer.lines, b"set-cookie")
        if self._sign_in_template is None:
            challenges = _lines_of(answer.lines, b"www-authenticate")
            return Answer(401, "external-auth-unauthorized", challenges + (cookies if self._always else b""))
        location = self._sign_in_template.expand(ask, extra) + self._way_back(ask)
        return Answer(302, "external-auth-sign-in", location_line(location) + cookies)

    def _way_back(self, ask: Ask) -> bytes:
        if not self._join:
            return b""
        host = ask.fields.host_field or ask.authority
        return self._join + ask.scheme + b"://" + host + _ESCAPED_URI.expand(ask)


_ESCAPED_URI: Final = compile_template("$escaped_request_uri")


def _url_parts(url: str) -> tuple[Template, Template, Template]:
    found = _URL.fullmatch(url)
    if found is None:
        raise AuthError("it is no http:// or https:// URL")
    scheme, authority, path = found.groups()
    return compile_template(scheme), compile_template(authority), compile_template(path)


def _target(scheme_sent: bytes, authority: bytes, path: bytes) -> AuthTarget:
    scheme = scheme_sent.lower().decode("latin-1")
    if scheme not in ("http", "https"):
        raise AuthError("it is no http:// or https:// URL")
    try:
        host, port = split_host(authority.decode("latin-1"))
    except BadRequest:
        raise AuthError("its host is malformed") from None
    number = int(port or ("443" if scheme == "https" else "80"))
    if not path.startswith(b"/"):
        path = b"/" + path
    return AuthTarget(scheme, host.strip("[]"), number, authority, _in_url(path))


def _in_url(text: bytes) -> bytes:
    """``text`` with what cannot stand in a URL percent-encoded: variables hold what a client sent."""
    return _NOT_IN_URL.sub(lambda found: b"%%%02X" % found.group()[0], text)


def _join(sign_in: str, parameter: str) -> bytes:
    """What stands between the sign-in page's URL and the way back; empty: the URL has a way back of its own."""
    query = sign_in.partition("#")[0].partition("?")[2]
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if parameters.get(parameter):
        return b""
    return ("&" if parameters else "?").encode() + parameter.encode("ascii", "replace") + b"="


def _field_name(name: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise AuthError(f"{name[:60]!r} is no header name")
    return name.encode("ascii")


def _own_field_name(name: str) -> bytes:
    encoded = _field_name(name)
    if encoded.lower() in _NEVER_COPIED:
        raise AuthError(f"{name} is not for others to set: it says where the question goes or how it is framed")
    return encoded


def _line(name: bytes, value: bytes) -> bytes:
    """A field line; none for an empty value, which is how nginx says that a field is not sent."""
    value = _LINE_BREAK.sub(b"", value).strip()
    return name + b": " + value + b"\r\n" if value else b""


def _lines_of(lines: bytes, name: bytes) -> bytes:
    """The whole field lines of one name, for those fields that are not lists (RFC 9110 §5.3)."""
    if name not in lines.lower():
        return b""
    return b"".join(line + b"\r\n" for line in lines.split(b"\r\n") if line.partition(b":")[0].lower() == name)
