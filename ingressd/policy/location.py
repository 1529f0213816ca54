"""Location field lines: whatever goes in, one line of plain ASCII comes out, so that no answer can be split."""

import re

from ingressd.policy.ask import Ask

# Controls, spaces, what is not ASCII, and what no URI holds (RFC 3986 §2); a percent sign stays, for it is an escape.
_UNSAFE = re.compile(rb'[^\x21-\x7e]|["<>\\^`{|}]')


def location_line(location: str | bytes) -> bytes:
    """The field line for ``location``; text beyond ASCII is percent-encoded as UTF-8, bytes as they are."""
    value = location if isinstance(location, bytes) else location.encode(errors="surrogatepass")
    if _UNSAFE.search(value):
        value = _UNSAFE.sub(_percent_encoded, value)
    return b"Location: " + value + b"\r\n"


def own_origin(ask: Ask) -> bytes:
    """``scheme://host`` as nginx writes it for redirects of its own: the connection's scheme, the host without port."""
    return (b"https://" if ask.is_tls else b"http://") + ask.host.encode("latin-1")


def _percent_encoded(odd: re.Match[bytes]) -> bytes:
    return b"%%%02X" % odd.group()[0]
