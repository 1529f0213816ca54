"""PROXY protocol: headers cut at every byte, what is none, and who the data path believes the client to be."""

import asyncio
import contextlib
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.proxy.proxy_protocol import (
    MAX_V2_BYTES,
    NOBODY,
    AwaitedHeader,
    ProxyHeader,
    ProxyProtocolError,
    Relays,
    read_proxy_header,
)
from tests.tls.peers import FakeTcp, Inner

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(block: bytes = b"", *, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(block)) + block


def ends(source: str, destination: str, *ports: int) -> bytes:
    return ip_address(source).packed + ip_address(destination).packed + struct.pack("!HH", *ports)


TCP4 = ProxyHeader(("192.0.2.7", 56324), ("198.51.100.1", 443))
TCP6 = ProxyHeader(("2001:db8::7", 56324), ("2001:db8::1", 80))
IN_V4, IN_V6 = ends("192.0.2.7", "198.51.100.1", 56324, 443), ends("2001:db8::7", "2001:db8::1", 56324, 80)
TLVS = b"\x03\0\4abcd" + b"\x04\0\x20" + b"\0" * 32

GOOD = {
    "v1 TCP4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", TCP4),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 80\r\n", TCP6),
    "v1 TCP6, long": (
        b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        ProxyHeader(*(("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),) * 2),
    ),
    "v1 TCP6, upper case": (b"PROXY TCP6 2001:DB8::7 2001:0DB8:0::1 56324 80\r\n", TCP6),
    "v1 TCP6 of an IPv4 client": (
        b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 56324 443\r\n",
        TCP4,
    ),
    "v1 port 0": (b"PROXY TCP4 192.0.2.7 198.51.100.1 0 443\r\n", ProxyHeader(("192.0.2.7", 0), TCP4.destination)),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", NOBODY),
    "v1 UNKNOWN with more": (b"PROXY UNKNOWN ffff::1 ffff::1 65535 65535 and more\r\n", NOBODY),
    "v2 TCP4": (v2(IN_V4), TCP4),
    "v2 TCP4 with TLVs": (v2(IN_V4 + TLVS), TCP4),
    "v2 TCP6": (v2(IN_V6, family=0x21), TCP6),
    "v2 TCP6 with TLVs": (v2(IN_V6 + TLVS, family=0x21), TCP6),
    "v2 TCP6 of an IPv4 client": (
        v2(ends("::ffff:192.0.2.7", "::ffff:198.51.100.1", 56324, 443), family=0x21),
        TCP4,
    ),
    "v2 LOCAL": (v2(command=0x20, family=0x00), NOBODY),
    "v2 LOCAL with addresses, which mean nothing": (v2(IN_V4, command=0x20), NOBODY),
    "v2 LOCAL, whatever family": (v2(b"x", command=0x20, family=0x99), NOBODY),
    "v2 of an unknown family": (v2(b"xyz", family=0x00), NOBODY),
    "v2 as large as may be": (v2(IN_V4 + b"\xee\0\0" + b"\0" * (MAX_V2_BYTES - 16 - 12 - 3)), TCP4),
}

BAD = {
    "plain HTTP": b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "TLS": b"\x16\x03\x01\0\x05",
    "lower case": b"proxy TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    "another word": b"PROXZ",
    "an empty line": b"\r\n\r\nGET",
    "almost the signature": SIGNATURE[:-1] + b"\r",
    "v1 without a family": b"PROXY \r\n",
    "v1 of another family": b"PROXY UDP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    "v1 with an address of the other family": b"PROXY TCP4 2001:db8::7 198.51.100.1 56324 443\r\n",
    "v1 with an address that is none": b"PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n",
    "v1 with an octal address": b"PROXY TCP4 192.0.02.7 198.51.100.1 56324 443\r\n",
    "v1 with a zone": b"PROXY TCP6 fe80::1%eth0 2001:db8::1 56324 80\r\n",
    "v1 with a host name": b"PROXY TCP4 localhost 198.51.100.1 56324 443\r\n",
    "v1 with a port too large": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
    "v1 with a negative port": b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n",
    "v1 with a port of many zeros": b"PROXY TCP4 192.0.2.7 198.51.100.1 00080 443\r\n",
    "v1 without a port": b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 \r\n",
    "v1 with a word missing": b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
    "v1 with a word too many": b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 x\r\n",
    "v1 with two spaces": b"PROXY TCP4  192.0.2.7 198.51.100.1 56324 443\r\n",
    "v1 with a bare LF": b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n",
    "v1 that is not ASCII": b"PROXY UNKNOWN \xff\r\n",
    "v1 too long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "v1 without an end": b"PROXY UNKNOWN " + b"x" * 200,
    "v2 of version 1": v2(IN_V4, command=0x11),
    "v2 with another command": v2(IN_V4, command=0x22),
    "v2 over UDP": v2(IN_V4, family=0x12),
    "v2 of a UNIX socket": v2(b"\0" * 216, family=0x31),
    "v2 too short for IPv4": v2(IN_V4[:-1]),
    "v2 too short for IPv6": v2(IN_V6[:-1], family=0x21),
    "v2 too long": v2(b"\0" * (MAX_V2_BYTES - 15)),
    "v2 too long, LOCAL": v2(b"\0" * (MAX_V2_BYTES - 15), command=0x20),
}


@pytest.mark.parametrize(("data", "header"), GOOD.values(), ids=GOOD)
def test_headers_cut_at_every_byte(data: bytes, header: ProxyHeader) -> None:
    for cut in range(len(data)):
        assert read_proxy_header(data[:cut]) is None
    for rest in (b"", b"G", b"GET / HTTP/1.1\r\n\r\n", data, b"\n"):
        assert read_proxy_header(data + rest) == (header, len(data))


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(ProxyProtocolError):
        read_proxy_header(data)


@given(st.one_of(st.binary(max_size=64), st.binary(max_size=600).map(lambda noise: SIGNATURE + noise)))
def test_noise(data: bytes) -> None:
    with contextlib.suppress(ProxyProtocolError):
        found = read_proxy_header(data)
        assert found is None or found[1] <= len(data)


@given(st.sampled_from([data for data, _ in GOOD.values()]), st.integers(0, 600), st.binary(max_size=4))
def test_mutations(data: bytes, position: int, noise: bytes) -> None:
    at = position % len(data)
    with contextlib.suppress(ProxyProtocolError):
        found = read_proxy_header(data[:at] + noise + data[at + len(noise) :])
        assert found is None or found[1] <= MAX_V2_BYTES


# ── a connection that begins so ──


class Relayed(Inner):
    """An inner protocol on any transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.ends = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.below = transport
        self.transcript.append("made")


class Owner:
    def __init__(self) -> None:
        self.started = 0
        self.ended: list[str] = []

    def header_started(self, connection: AwaitedHeader) -> None:
        self.started += 1

    def header_ended(self, connection: AwaitedHeader, failure: str) -> None:
        self.ended.append(failure)


class SwitchingTcp(FakeTcp):
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol


class Path:
    """A connection up to its inner protocol."""

    def __init__(self, relays: Relays = Relays()) -> None:  # noqa: B008 - frozen
        self.owner, self.inner, self.tcp = Owner(), Relayed(), SwitchingTcp()
        self.headers: list[ProxyHeader] = []
        self.connection = AwaitedHeader(self._make, self.owner, relays)
        self.tcp.attach(self.connection)

    def _make(self, header: ProxyHeader) -> Relayed:
        self.headers.append(header)
        return self.inner

    def is_paused(self) -> bool:
        return self.tcp.is_paused

    def feed(self, data: bytes) -> None:
        self.tcp.protocol.data_received(data)


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize(("data", "header"), GOOD.values(), ids=GOOD)
def test_the_inner_protocol_sees_the_client(data: bytes, header: ProxyHeader, piece: int) -> None:
    path = Path()
    sent = data + b"GET / HTTP/1.1\r\n\r\n"
    for start in range(0, len(sent), piece):
        path.feed(sent[start : start + piece])
    assert bytes(path.inner.received) == b"GET / HTTP/1.1\r\n\r\n"
    assert path.headers == [header]
    assert path.owner.ended == [""]
    assert path.inner.ends == ((header.source, header.destination) if header.source else (("192.0.2.1", 4711), None))
    path.tcp.protocol.connection_lost(None)
    assert path.inner.transcript[-1] == "lost"
    assert path.owner.ended == [""]


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_anything_else_is_closed_without_a_word(data: bytes) -> None:
    path = Path()
    path.feed(data)
    path.feed(b"GET / HTTP/1.1\r\n\r\n")
    assert path.tcp.closed
    assert path.tcp.written == []
    assert path.owner.ended == ["proxy_protocol"]
    assert path.headers == []
    path.connection.connection_lost(None)
    assert path.owner.ended == ["proxy_protocol"]


def test_an_end_or_a_deadline_before_the_header_is_whole() -> None:
    path = Path()
    path.feed(b"PROXY TCP4 ")
    path.connection.on_deadline(0.0)
    assert path.tcp.aborted
    path.connection.connection_lost(None)
    assert path.owner.ended == ["closed"]
    assert path.headers == []


def test_only_who_is_trusted_says_who_the_client_is() -> None:
    for trusted, peer in (("192.0.2.1", TCP4.source), ("192.0.2.2", ("192.0.2.1", 4711))):
        path = Path(Relays(trusts=lambda address, trusted=trusted: address == trusted))  # type: ignore[misc]
        path.feed(GOOD["v2 TCP4"][0])
        assert path.inner.ends[0] == peer


def test_the_transport_below_is_tcps_own() -> None:
    path = Path()
    path.feed(GOOD["v1 TCP4"][0])
    below = path.inner.below
    assert isinstance(below, asyncio.Transport)
    assert below.get_extra_info("relay") == ("192.0.2.1", 4711)
    assert below.get_extra_info("nothing", "default") == "default"
    below.write(b"answer")
    below.pause_reading()
    assert path.tcp.written == [b"answer"]
    assert path.is_paused()
    below.resume_reading()
    assert not path.is_paused()
    assert below.get_write_buffer_size() == 0
    below.write_eof()
    assert path.tcp.ended
    assert not below.is_closing()
    below.close()
    assert path.tcp.closed
    assert below.is_closing()
    below.abort()
    assert path.tcp.aborted
    assert not hasattr(below, "__dict__")
