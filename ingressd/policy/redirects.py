"""Answers that send the client elsewhere: fixed targets, HTTPS, an application's root, the www sibling.

Each is ingress-nginx's answer to the letter, odd ones too: a slash that ends a URI is dropped where it drops it, and
the host is told with or without its port as it tells it.
"""

from msgspec import Struct

from ingressd.policy.ask import Answer, Ask
from ingressd.policy.location import location_line, own_origin


class FixedRedirect(Struct, frozen=True, gc=False, array_like=True):
    """``permanent-redirect`` and ``temporal-redirect``: every request of the route goes to ``location``, as it stands.

    A bare path is made absolute unless ``relative``.
    """

    location: str
    status: int = 301
    relative: bool = False


class HttpsRedirect(Struct, frozen=True, gc=False, array_like=True):
    """``ssl-redirect`` and ``force-ssl-redirect``: plain HTTP goes to the same place on HTTPS.

    ``port`` is named in the target unless "" (``use-port-in-redirects``).
    """

    status: int = 308
    preserve_trailing_slash: bool = False
    port: str = ""


class AppRoot(Struct, frozen=True, gc=False, array_like=True):
    """``app-root``: ``/`` of the host goes to ``path``."""

    path: str


class WwwRedirect(Struct, frozen=True, gc=False, array_like=True):
    """``from-to-www-redirect``: every request of the sibling host goes to the host ``to``."""

    to: str
    status: int = 308


def fixed_redirect(settings: FixedRedirect, ask: Ask) -> Answer:
    """The answer, always."""
    location = settings.location.encode(errors="surrogatepass")
    if location.startswith(b"/") and not location.startswith(b"//") and not settings.relative:
        location = own_origin(ask) + location
    return Answer(settings.status, "redirect", location_line(location))


def https_redirect(settings: HttpsRedirect, ask: Ask) -> Answer | None:
    """The answer to a request that came by plain HTTP, as far as we know; None: it came by something else.

    Without a Host there is nowhere to send it: 400, for the route must not be had in the clear.
    """
    if ask.scheme != b"http":
        return None
    host = without_port(ask.authority or ask.fields.host_field or b"")
    if not host:
        return Answer(400, "no_host")
    port = b":" + settings.port.encode("ascii") if settings.port else b""
    target = ask.target if settings.preserve_trailing_slash else ask.target.removesuffix("/")
    location = b"https://" + host + port + target.encode("latin-1")
    return Answer(settings.status, "https_redirect", location_line(location))


def app_root(settings: AppRoot, ask: Ask) -> Answer | None:
    """302 for the path ``/``, whatever the method; the query is dropped, the scheme is the connection's own."""
    if ask.path != "/":
        return None
    scheme = b"https://" if ask.is_tls else b"http://"
    host = ask.fields.host_field or ask.host.encode("latin-1")
    return Answer(302, "app_root", location_line(scheme + host + settings.path.encode(errors="surrogatepass")))


def www_redirect(settings: WwwRedirect, ask: Ask) -> Answer:
    """The answer, always; the port is always named, also where it is the scheme's own."""
    location = b"%b://%b:%b%b" % (
        ask.scheme,
        settings.to.encode("latin-1"),
        ask.port,
        ask.target.removesuffix("/").encode("latin-1"),
    )
    return Answer(settings.status, "www_redirect", location_line(location))


def without_port(authority: bytes) -> bytes:
    """The host of an authority, spelled as it was; an IPv6 address keeps its brackets."""
    end = authority.rfind(b"]") + 1
    colon = authority.find(b":", end)
    return authority if colon < 0 else authority[:colon]
