"""Where a request came from, when a proxy in front of us may say so: ingress-nginx's rules for X-Forwarded-*.

A client's own word counts for nothing. A peer in the trusted networks is believed: its X-Forwarded-For is read from the
right, past every trusted address, and the first one that is not trusted is the client. An entry that is no address ends
the reading, for everything left of it was said by somebody unknown.

Beyond nginx: X-Forwarded-Proto, -Host and -Port count from trusted peers only; of several values the first counts; what
is malformed is not there. Nothing that was claimed reaches an upstream without being looked at.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple

from msgspec import Struct

from ingressd.errors import BadRequest
from ingressd.http.head import RequestFields
from ingressd.http.hops import forwarded_fields
from ingressd.http.target import normalise_host
from ingressd.policy.address_list import AddressSet, read_address
from ingressd.policy.ask import field_value

MAX_ADDRESSES: Final = 64
"""Of one list; a longer one is read from the right this far."""
MAX_PASSED_BYTES: Final = 2048
"""Of one value that is passed on as it was claimed; a longer one is not."""
_MAX_REMEMBERED: Final = 1024
_MAX_CLAIM_TO_REMEMBER: Final = 1024  # together: 2 MiB for each worker at the very most
_EVERYBODY: Final = "0.0.0.0/0"

_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{0,31}")
_PORT = re.compile(rb"[0-9]{1,5}")
_PASSED = re.compile(rb"[\x20-\x7e]{1,%d}" % MAX_PASSED_BYTES)
_LIST = re.compile(rb"[A-Za-z0-9.:,_ \[\]-]{1,%d}" % MAX_PASSED_BYTES)
_BETWEEN = re.compile(rb"[ ,]+")
_IPV4 = re.compile(rb"\.".join([rb"(0|[1-9][0-9]{0,2})"] * 4) + rb"(?::([0-9]{1,5}))?")
_IPV6_IN_BRACKETS = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\]:([0-9]{1,5})")
_IPV6 = re.compile(rb"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def originals(claimed: bytes, header: bytes = b"x-forwarded-for", host_header: bytes = b"x-forwarded-host") -> bytes:
    """Lines that tell the upstream what a client claimed, by names that say whose word it is. ``header`` and
    ``host_header`` (lower case) are those looked at in ``claimed``, which are whole lines.
    """
    return _original(claimed, header, b"For") + _original(claimed, host_header, b"Host")


class Forwarding(Struct, frozen=True, gc=False, array_like=True):
    """Who is believed what. By default nobody is believed anything.

    ``client_from_header``: ``use-forwarded-headers``, or ``enable-real-ip`` without the PROXY protocol, which has told
    the client's address already. ``target_from_headers``: ``use-forwarded-headers``. ``full_list``: with
    ``compute-full-forwarded-for`` too. ``header``: ``forwarded-for-header``. ``trusted``: ``proxy-real-ip-cidr`` as
    ``address_list.read_networks`` returns it. ``originals``: what the client claimed goes upstream as
    X-Original-Forwarded-For and -Host.
    """

    client_from_header: bool = False
    target_from_headers: bool = False
    full_list: bool = False
    header: str = "X-Forwarded-For"
    host_header: str = "X-Forwarded-Host"
    trusted: tuple[str, ...] = (_EVERYBODY,)
    originals: bool = False


class Seen(NamedTuple):
    """A request's origin as we and the upstream see it. ``lines`` are whole field lines for the upstream.

    ``client`` is an address without a port; ``forwarded_for`` the value of X-Forwarded-For in ``lines``.
    """

    client: str
    scheme: bytes
    authority: bytes
    port: bytes
    forwarded_for: bytes
    lines: bytes


_Key = tuple[str, bytes, bytes, bytes, bytes]


class ForwardingRules:
    """``Forwarding`` made ready for one worker."""

    __slots__ = ("_all_trusted", "_header", "_host_header", "_remembered", "_trusted", "settings")

    def __init__(self, settings: Forwarding) -> None:
        self.settings = settings
        self._trusted = AddressSet(settings.trusted)
        # nginx's 0.0.0.0/0 holds no IPv6 address, but there X-Forwarded-Proto counts whoever the peer is. With this
        # default an IPv6 load balancer would otherwise be sent redirects to HTTPS for ever.
        self._all_trusted = _EVERYBODY in settings.trusted
        self._header = settings.header.lower().encode("ascii", "replace")
        self._host_header = settings.host_header.lower().encode("ascii", "replace")
        self._remembered: dict[_Key, Seen] = {}

    def claims_of(self, fields: RequestFields) -> bytes:
        """The field lines to give to ``seen_as``: what was claimed, and the header that somebody chose to trust.

        Connection has no say here either: by naming that header a client would be taken for the proxy in front of us.
        """
        claimed, lines = fields.claimed, fields.whole or fields.onward
        for name in {self._header, self._host_header}:
            value = None if name.startswith(b"x-forwarded") else field_value(lines, name)
            if value is not None:
                claimed += b"%b: %b\r\n" % (name, value)
        return claimed

    def seen_as(self, peer: str, scheme: bytes, port: bytes, host_field: bytes, claimed: bytes) -> Seen:
        """The origin of a request that came over a connection from ``peer`` to our ``port``.

        ``peer`` is the connection's other end, or what the PROXY protocol said; ``claimed`` is from ``claims_of``.
        """
        key = (peer, scheme, port, host_field, claimed)
        seen = self._remembered.get(key)
        if seen is not None:
            return seen
        seen = self._see(peer, scheme, port, host_field, claimed)
        if len(claimed) <= _MAX_CLAIM_TO_REMEMBER:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = seen
        return seen

    def _see(self, peer: str, scheme: bytes, port: bytes, host_field: bytes, claimed: bytes) -> Seen:
        settings = self.settings
        is_trusted = self._trusts(peer)
        client, authority = peer, host_field
        if claimed and settings.client_from_header and is_trusted:
            client = self._client_of(field_value(claimed, self._header) or b"") or peer
        if claimed and settings.target_from_headers and (is_trusted or self._all_trusted):
            scheme = _scheme(claimed) or scheme
            port = _port(claimed) or port
            authority = _host(claimed, self._host_header) or authority
        list_before = field_value(claimed, b"x-forwarded-for") if settings.full_list and is_trusted else None
        sender = client.encode("latin-1")
        if settings.full_list:
            sender = peer.encode("latin-1")
            if list_before is not None and _LIST.fullmatch(list_before):
                sender = list_before + b", " + sender
        lines = forwarded_fields(client=client.encode("latin-1"), host_field=authority, port=port, scheme=scheme)
        if settings.full_list:
            lines = lines.replace(b"X-Forwarded-For: " + client.encode("latin-1"), b"X-Forwarded-For: " + sender, 1)
        if settings.originals:
            lines += originals(claimed, self._header, self._host_header)
        return Seen(client, scheme, authority, port, sender, lines)

    def _trusts(self, peer: str) -> bool:
        address = _entry_address(peer.encode("latin-1"))
        packed = read_address(peer) if address is None else address[1]
        return packed is not None and packed in self._trusted

    def _client_of(self, listed: bytes) -> str | None:
        """The first address from the right that is not trusted; all trusted: the leftmost. None: nothing readable."""
        found = None
        for entry in _from_the_right(listed):
            address = _entry_address(entry)
            if address is None:
                break
            found, packed = address
            if packed not in self._trusted:
                break
        return found


def _from_the_right(listed: bytes) -> Iterator[bytes]:
    """Entries, the last one first; nginx parts them at commas and at spaces."""
    entries = [entry for entry in _BETWEEN.split(listed) if entry]
    yield from entries[: -MAX_ADDRESSES - 1 : -1]


def _entry_address(entry: bytes) -> tuple[str, bytes] | None:
    """An address in its one spelling, and as 4 or 16 bytes. As in nginx it may have a port, and brackets only with one;
    unlike there no number may begin with a zero, which some read as octal.
    """
    found = _IPV4.fullmatch(entry)
    if found is not None:  # ipaddress would take ten times as long, and most are of this kind
        *parts, port = found.groups(b"1")
        numbers = [int(number) for number in parts]
        if max(numbers) > 255 or not 0 < int(port) < 65536:
            return None
        return ".".join(map(str, numbers)), bytes(numbers)
    found = _IPV6_IN_BRACKETS.fullmatch(entry)
    if found and not 0 < int(found.group(2)) < 65536:
        return None
    text = found.group(1) if found else entry
    packed = read_address(text.decode("ascii")) if len(text) <= 45 and _IPV6.fullmatch(text) else None
    return None if packed is None else (str(ip_address(packed)), packed)


def _first(claimed: bytes, name: bytes) -> bytes:
    return (field_value(claimed, name) or b"").partition(b",")[0].strip()


def _scheme(claimed: bytes) -> bytes:
    value = _first(claimed, b"x-forwarded-proto")
    return value.lower() if _SCHEME.fullmatch(value) else b""


def _port(claimed: bytes) -> bytes:
    value = _first(claimed, b"x-forwarded-port")
    return value if _PORT.fullmatch(value) and 0 < int(value) < 65536 else b""


def _host(claimed: bytes, name: bytes) -> bytes:
    value = _first(claimed, name)
    try:
        return value if value and normalise_host(value.decode("latin-1")) else b""
    except BadRequest:
        return b""


def _original(claimed: bytes, name: bytes, suffix: bytes) -> bytes:
    value = field_value(claimed, name)
    if value is None or not _PASSED.fullmatch(value):
        return b""
    return b"X-Original-Forwarded-%b: %b\r\n" % (suffix, value)
