"""Texts with nginx's variables, such as ``$host$request_uri``: cut apart once, filled in for each request.

Values are what the client sent as far as it was checked: no line breaks, but anything else. Who puts one in a URL
encodes it there.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote_from_bytes

from ingressd.policy.ask import Ask

MAX_TEMPLATE_CHARACTERS: Final = 4096

Extra = Mapping[str, bytes]
_Getter = Callable[[Ask, Extra], bytes]

_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})|\$")
_NOTHING: Final[Extra] = {}

OF_ROUTE: Final = frozenset(
    {
        "ingress_name",
        "location_path",
        "namespace",
        "proxy_alternative_upstream_name",
        "proxy_upstream_name",
        "service_name",
        "service_port",
    }
)
OF_MOMENT: Final = frozenset({"hostname", "msec", "pid", "time_iso8601", "time_local"})
"""What is said of a request when it goes upstream, such as ``X-Request-Start: t=${msec}``."""

EXTRA: Final = (
    OF_ROUTE
    | OF_MOMENT
    | frozenset(
        {
            # of the connection and of what was decided
            "connection",
            "connection_requests",
            "proxy_protocol_addr",
            "proxy_protocol_port",
            "remote_port",
            "remote_user",
            "server_addr",
            "ssl_cipher",
            "ssl_client_fingerprint",
            "ssl_client_i_dn",
            "ssl_client_serial",
            "ssl_protocol",
            "ssl_server_name",
            # of the exchange when it has ended
            "body_bytes_sent",
            "bytes_sent",
            "pipe",
            "request_completion",
            "request_length",
            "request_time",
            "status",
            "upstream_addr",
            "upstream_bytes_received",
            "upstream_bytes_sent",
            "upstream_cache_status",
            "upstream_connect_time",
            "upstream_header_time",
            "upstream_response_length",
            "upstream_response_time",
            "upstream_status",
        }
    )
)
"""Variables that only the caller of ``expand`` knows, by name. One that it does not give is empty."""


class TemplateError(ValueError):
    """A text that cannot be filled in; ``str()`` is a sentence for its owner, and names the variable."""


class Template:
    """A compiled text."""

    __slots__ = ("_parts", "_single", "text", "variables")

    def __init__(self, text: str) -> None:
        """Use ``compile_template``. Raises TemplateError."""
        if len(text) > MAX_TEMPLATE_CHARACTERS:
            raise TemplateError(f"longer than {MAX_TEMPLATE_CHARACTERS} characters")
        self.text = text
        names: list[str] = []
        parts: list[bytes | _Getter] = []
        at = 0
        for found in _VARIABLE.finditer(text):
            name = (found.group(1) or found.group(2) or "").lower()  # case means nothing, as in nginx
            if not name:
                raise TemplateError(f"{_shown(text)}: a $ that no variable's name follows")
            if found.start() > at:
                parts.append(_literal(text[at : found.start()]))
            parts.append(_getter(name))
            names.append(name)
            at = found.end()
        if at < len(text):
            parts.append(_literal(text[at:]))
        self._parts = tuple(parts)
        only = parts[0] if len(parts) == 1 else None
        self._single = None if isinstance(only, bytes) else only
        self.variables = frozenset(names)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def expand(self, ask: Ask, extra: Extra = _NOTHING) -> bytes:
        """The text for one request. ``extra`` goes before what the request says, name by name."""
        if self._single is not None:
            return self._single(ask, extra)
        return b"".join([part if isinstance(part, bytes) else part(ask, extra) for part in self._parts])


def compile_template(text: str) -> Template:
    """Cut a text apart once; keep the result. Raises TemplateError."""
    return Template(text)


def _literal(text: str) -> bytes:
    if any(character < " " or character == "\x7f" for character in text):
        raise TemplateError(f"{_shown(text)} holds a control character")
    return text.encode(errors="surrogatepass")


def _getter(name: str) -> _Getter:
    """What a variable is. One of ``EXTRA``, or one that the caller may override, is looked up there first."""
    for prefix, of_name in _BY_PREFIX:
        if name.startswith(prefix) and len(name) > len(prefix):
            own = of_name(name[len(prefix) :])
            break
    else:
        known = _OWN.get(name)
        if known is None:
            if name in EXTRA:
                return lambda ask, extra: extra.get(name, b"")
            raise TemplateError(f"the variable ${name} is not known here")
        own = known
    return lambda ask, extra: found if (found := extra.get(name)) is not None else own(ask)


_Own = Callable[[Ask], bytes]


def _header(name: str) -> _Own:
    """Names have ``_`` for ``-``; a field whose own name has it comes this far only where somebody wants that."""
    spelled = name.lower().encode("ascii")
    field = spelled.replace(b"_", b"-")
    if field == spelled:
        return lambda ask: ask.field(field) or b""
    return lambda ask: ask.field(field) or ask.field(spelled) or b""


def _cookie(name: str) -> _Own:
    key = name.encode("ascii")
    return lambda ask: ask.cookie(key) or b""


def _argument(name: str) -> _Own:
    """The first of that name, as sent; names ignore case, as in nginx."""
    wanted = re.compile(rf"[?&]{re.escape(name)}=([^&]*)", re.IGNORECASE)

    def value(ask: Ask) -> bytes:
        found = wanted.search(ask.query)
        return found.group(1).encode("latin-1") if found else b""

    return value


def _request_uri(ask: Ask) -> bytes:
    return (ask.path + ask.query).encode("latin-1")


def _escaped_request_uri(ask: Ask) -> bytes:
    return quote_from_bytes(_request_uri(ask), safe="").encode("ascii")


def _request_line(ask: Ask) -> bytes:
    return b"%b %b HTTP/1.%d" % (ask.method, _request_uri(ask), ask.minor)


def _connection_scheme(ask: Ask) -> bytes:
    return b"https" if ask.is_tls else b"http"


def _authority(ask: Ask) -> bytes:
    return ask.authority or ask.fields.host_field or b""


_BY_PREFIX: Final[tuple[tuple[str, Callable[[str], _Own]], ...]] = (
    ("http_", _header),
    ("cookie_", _cookie),
    ("arg_", _argument),
)

_OWN: Final[dict[str, _Own]] = {
    "request_uri": _request_uri,
    "escaped_request_uri": _escaped_request_uri,
    "uri": lambda ask: ask.path.encode("latin-1"),
    "document_uri": lambda ask: ask.path.encode("latin-1"),
    "args": lambda ask: ask.query[1:].encode("latin-1"),
    "query_string": lambda ask: ask.query[1:].encode("latin-1"),
    "is_args": lambda ask: b"?" if len(ask.query) > 1 else b"",
    "host": lambda ask: ask.host.encode("latin-1"),
    "server_name": lambda ask: ask.host.encode("latin-1"),
    "best_http_host": _authority,
    "remote_addr": lambda ask: ask.client.encode("latin-1"),
    # As text: it is compared and hashed, and four bytes of an address may be a line break in a field.
    "binary_remote_addr": lambda ask: ask.client.encode("latin-1"),
    "the_real_ip": lambda ask: ask.client.encode("latin-1"),
    "realip_remote_addr": lambda ask: ask.client.encode("latin-1"),
    # What the client's own list said is not forwarded; where it is, the caller gives this one as extra.
    "proxy_add_x_forwarded_for": lambda ask: ask.client.encode("latin-1"),
    "full_x_forwarded_for": lambda ask: ask.client.encode("latin-1"),
    "scheme": _connection_scheme,
    "pass_access_scheme": lambda ask: ask.scheme,
    "https": lambda ask: b"on" if ask.is_tls else b"",
    "server_port": lambda ask: ask.port,
    "pass_port": lambda ask: ask.port,
    "pass_server_port": lambda ask: ask.port,
    "request_method": lambda ask: ask.method,
    "request": _request_line,
    "server_protocol": lambda ask: b"HTTP/1.%d" % ask.minor,
    "request_id": lambda ask: ask.request_id,
    "req_id": lambda ask: ask.request_id,
    "content_type": lambda ask: ask.field(b"content-type") or b"",
    "content_length": lambda ask: b"%d" % ask.fields.content_length if ask.fields.content_length >= 0 else b"",
    "ssl_client_verify": lambda ask: ask.client_verdict.encode("utf-8", "surrogatepass"),
    "ssl_client_s_dn": lambda ask: ask.client_name.encode("utf-8", "surrogatepass"),
}


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 100 else text[:99] + "…")
