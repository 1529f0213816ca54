"""The PROXY protocol, versions 1 and 2: a load balancer in front says who the client is, before anything else.

A connection that does not begin so is closed. It is never taken for plain HTTP or TLS: whoever reaches the port
directly could then choose its own address by saying nothing (proxy-protocol.txt, section 2: "must not guess").
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol, cast

from msgspec import Struct

from ingressd.proxy.timers import NEVER

MAX_V1_BYTES = 107  # section 2.1, with CRLF
MAX_V2_BYTES = 536  # what every sender can count on to arrive in one segment (section 2.2)

_V1, _V2 = b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n"
_V2_START = 16
_LOCAL, _PROXY = 0x20, 0x21  # version 2 and the command
_UNSPECIFIED, _TCP4, _TCP6 = 0x00, 0x11, 0x21

Endpoint = tuple[str, int]


class ProxyProtocolError(ValueError):
    """Not a PROXY protocol header, or one that we cannot go by."""


class ProxyHeader(Struct, frozen=True, gc=False):
    """Who is connected to whom. None: the sender itself speaks, or does not know; the connection's own ends count."""

    source: Endpoint | None = None
    destination: Endpoint | None = None


NOBODY = ProxyHeader()


def read_proxy_header(data: bytes) -> tuple[ProxyHeader, int] | None:
    """The header that ``data`` begins with, and its length; None when it is not whole yet.

    Raises ProxyProtocolError, at the first byte that fits neither version.
    """
    if data.startswith(_V1):
        return _read_v1(data)
    if data.startswith(_V2):
        return _read_v2(data)
    if _V1.startswith(data) or _V2.startswith(data):
        return None
    raise ProxyProtocolError("the connection does not begin with a PROXY protocol header")


def _read_v1(data: bytes) -> tuple[ProxyHeader, int] | None:
    end = data.find(b"\r\n", 0, MAX_V1_BYTES)
    if end < 0:
        if len(data) >= MAX_V1_BYTES or b"\n" in data:
            raise ProxyProtocolError(f"a header of version 1 without an end in {MAX_V1_BYTES} bytes")
        return None
    try:
        words = data[:end].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise ProxyProtocolError("a header of version 1 that is not ASCII") from None
    if words[1] == "UNKNOWN":  # the rest of the line is to be ignored
        return NOBODY, end + 2
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise ProxyProtocolError("a header of version 1 with other than TCP4, TCP6 and four words, or UNKNOWN")
    family: type[IPv4Address | IPv6Address] = IPv4Address if words[1] == "TCP4" else IPv6Address
    source = _address(family, words[2]), _port(words[4])
    return ProxyHeader(source, (_address(family, words[3]), _port(words[5]))), end + 2


def _address(family: type[IPv4Address | IPv6Address], text: str) -> str:
    try:
        if "%" not in text:  # a zone is no part of an address that travels
            return _text(family(text))
    except ValueError:
        pass
    raise ProxyProtocolError("a header of version 1 with a bad address")


def _port(text: str) -> int:
    if not text.isdigit() or len(text) > 5 or (text[0] == "0" and text != "0") or int(text) > 0xFFFF:
        raise ProxyProtocolError("a header of version 1 with a bad port")
    return int(text)


def _text(address: IPv4Address | IPv6Address) -> str:
    """An IPv4 address in an IPv6 one is that client's IPv4 address: lists of addresses must meet it as such."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _read_v2(data: bytes) -> tuple[ProxyHeader, int] | None:
    if len(data) < _V2_START:
        return None
    command, family = data[12], data[13]
    end = _V2_START + int.from_bytes(data[14:_V2_START])
    if command not in (_LOCAL, _PROXY):
        raise ProxyProtocolError("a header of version 2 with an unknown version or command")
    if end > MAX_V2_BYTES:
        raise ProxyProtocolError(f"a header of version 2 of {end} bytes; at most {MAX_V2_BYTES} are read")
    if len(data) < end:
        return None
    if command == _LOCAL or family == _UNSPECIFIED:
        return NOBODY, end
    if family == _TCP4:
        return _read_ends(data[_V2_START:end], IPv4Address, 4), end
    if family == _TCP6:
        return _read_ends(data[_V2_START:end], IPv6Address, 16), end
    raise ProxyProtocolError("a header of version 2 for other than TCP over IPv4 or IPv6")


def _read_ends(block: bytes, family: type[IPv4Address | IPv6Address], size: int) -> ProxyHeader:
    """Addresses and ports; what follows them (TLVs) is not ours."""
    if len(block) < 2 * size + 4:
        raise ProxyProtocolError("a header of version 2 that is too short for its addresses")
    source, destination = _text(family(block[:size])), _text(family(block[size : 2 * size]))
    ports = block[2 * size :]
    return ProxyHeader(
        (source, int.from_bytes(ports[:2])),
        (destination, int.from_bytes(ports[2:4])),
    )


def _anybody(_: str) -> bool:
    return True


class Relays(Struct, frozen=True):
    """That connections begin with a header. ``trusts``: whether what an address says of clients counts; else its header
    is read, and ignored. ``header_s``: time for it, in seconds.
    """

    trusts: Callable[[str], bool] = _anybody
    header_s: float = 5.0


class HeaderOwner(Protocol):
    """Who accepted the connection: counts, and sets a time limit, until its header is read."""

    def header_started(self, connection: AwaitedHeader) -> None:
        """TCP is open. It is the owner's to call ``abort`` when ``header_ended`` does not come in time."""

    def header_ended(self, connection: AwaitedHeader, failure: str) -> None:
        """Once after each start; "" when the inner protocol takes over, else ``closed`` or ``proxy_protocol``."""


class AwaitedHeader(asyncio.Protocol):
    """A connection until its header is read. Then ``make_inner`` makes the protocol it speaks after that."""

    __slots__ = ("_data", "_make_inner", "_owner", "_tcp", "deadline", "relays", "wake_at")

    _tcp: asyncio.Transport

    def __init__(
        self, make_inner: Callable[[ProxyHeader], asyncio.Protocol], owner: HeaderOwner, relays: Relays
    ) -> None:
        self._make_inner = make_inner
        self.relays = relays
        self._owner: HeaderOwner | None = owner
        self._data = b""
        self.deadline = NEVER  # the owner's
        self.wake_at = NEVER

    def on_deadline(self, now: float) -> None:
        """The header takes too long."""
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._tcp.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = cast("asyncio.Transport", transport)
        if self._owner is not None:
            self._owner.header_started(self)

    def data_received(self, data: bytes) -> None:
        if self._owner is None:
            return  # refused, and the rest is still coming
        self._data += data  # bounded: a header is whole, or refused, after some hundred bytes
        try:
            found = read_proxy_header(self._data)
        except ProxyProtocolError:
            self._end("proxy_protocol")
            self._tcp.close()
            return
        if found is not None:
            self._hand_over(*found)

    def _hand_over(self, header: ProxyHeader, size: int) -> None:
        peer = self._tcp.get_extra_info("peername")
        if not peer or not self.relays.trusts(peer[0]):
            header = NOBODY
        rest, self._data = self._data[size:], b""
        self._end("")
        inner = self._make_inner(header)
        self._tcp.set_protocol(inner)
        inner.connection_made(self._tcp if header is NOBODY else RelayedTransport(self._tcp, header))
        if rest:
            inner.data_received(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("closed")

    def _end(self, failure: str) -> None:
        if self._owner is not None:
            owner, self._owner = self._owner, None
            owner.header_ended(self, failure)


class RelayedTransport(asyncio.Transport):
    """A TCP transport whose ``peername`` and ``sockname`` are the client's view; ``relay`` is who is really connected.

    Everything else is TCP's own, method by method and without a call in between.
    """

    __slots__ = (
        "_header",
        "_tcp",
        "abort",
        "can_write_eof",
        "close",
        "get_protocol",
        "get_write_buffer_limits",
        "get_write_buffer_size",
        "is_closing",
        "is_reading",
        "pause_reading",
        "resume_reading",
        "set_protocol",
        "set_write_buffer_limits",
        "write",
        "write_eof",
        "writelines",
    )

    def __init__(self, tcp: asyncio.Transport, header: ProxyHeader) -> None:
        # Without asyncio.Transport's own: it makes a dictionary for every connection.
        self._tcp = tcp
        self._header = header
        for name in _OF_TCP:
            setattr(self, name, getattr(tcp, name))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername":
            return self._header.source
        if name == "sockname":
            return self._header.destination
        return self._tcp.get_extra_info("peername" if name == "relay" else name, default)


_OF_TCP = tuple(name for name in RelayedTransport.__slots__ if not name.startswith("_"))
