"""Both ends of a TLS connection without a socket: a TCP transport that records, and a client made of ``ssl``."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any

from ingressd.proxy.tls_transport import TlsTransport
from ingressd.tls.context import certificate_context, listener_context
from ingressd.tls.sni import CertificateSwitch, ServerNames
from tests.tls.authority import leaf, root

BOTH_VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class FakeTcp(asyncio.Transport):
    """A TCP transport: ``written`` is one entry per write, ``unsent`` what the kernel has not taken."""

    def __init__(self, limit: int = 64 * 1024) -> None:
        super().__init__({"peername": ("192.0.2.1", 4711)})
        self.limit = limit
        self.written: list[bytes] = []
        self.unsent = 0
        self.takes_everything = True
        self.is_paused = self.ended = self.closed = self.aborted = False

    def attach(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        assert data
        assert not self.closed
        assert not self.ended
        self.written.append(bytes(data))
        if not self.takes_everything:
            was_full, self.unsent = self.unsent > self.limit, self.unsent + len(data)
            if self.unsent > self.limit and not was_full:
                self.protocol.pause_writing()

    def drain(self) -> None:
        """The kernel takes all that waits."""
        was_full, self.unsent = self.unsent > self.limit, 0
        if was_full:
            self.protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Inner(asyncio.Protocol):
    """Writes its transcript; ``on_data`` may do more. ``keep_open`` is what it answers to the peer's end."""

    transport: TlsTransport

    def __init__(self) -> None:
        self.transcript: list[object] = []
        self.received = bytearray()
        self.on_data: Callable[[bytes], object] = lambda data: None
        self.keep_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TlsTransport)
        self.transport = transport
        self.transcript.append("made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        self.received += data
        self.transcript.append(len(data))
        self.on_data(data)

    def eof_received(self) -> bool:
        self.transcript.append("truncated" if self.transport.truncated else "eof")
        return self.keep_open

    def pause_writing(self) -> None:
        self.transcript.append("pause")

    def resume_writing(self) -> None:
        self.transcript.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.transcript.append("lost" if exc is None else type(exc))


class Owner:
    """Writes down what it is told."""

    answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"

    def __init__(self) -> None:
        self.started = 0
        self.ended: list[str] = []
        self.plain = b""

    def handshake_started(self, transport: TlsTransport) -> None:
        self.started += 1

    def handshake_ended(self, transport: TlsTransport, failure: str) -> None:
        self.ended.append(failure)

    def plain_http(self, data: bytes) -> bytes:
        self.plain = data
        return self.answer


def server_context(kind: str = "p256") -> ssl.SSLContext:
    """A listener context that answers every name with one certificate."""
    listener = listener_context()
    contexts = {"default": certificate_context(leaf(kind).pem, leaf(kind).key_pem)}
    CertificateSwitch(ServerNames(contexts, {}, "default")).install(listener)
    return listener


def client_context(version: ssl.TLSVersion | None = None, *, verify: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if verify:
        context.load_verify_locations(cadata=root().pem.decode())
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class Client:
    """The other end: OpenSSL over memory, driven by the test."""

    def __init__(
        self, context: ssl.SSLContext, name: str = "shop.example", session: ssl.SSLSession | None = None
    ) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name or None, session=session)
        self.received = bytearray()
        self.handshake_done = self.saw_close_notify = False

    def step(self, data: bytes = b"") -> bytes:
        """Take what the server sent; what to send next."""
        self.incoming.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            if not self.handshake_done:
                self.tls.do_handshake()
                self.handshake_done = True
            try:
                while not self.saw_close_notify:
                    part = self.tls.read(1 << 16)
                    self.received += part
                    self.saw_close_notify = not part
            except ssl.SSLZeroReturnError:  # after our own
                self.saw_close_notify = True
        return self.outgoing.read()

    def send(self, data: bytes) -> bytes:
        sent = 0
        while sent < len(data):
            sent += self.tls.write(data[sent:])
        return self.outgoing.read()

    def close_notify(self) -> bytes:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()


class Wire:
    """A server transport, its inner protocol and a client. ``piece`` is how many bytes the server gets at a time."""

    def __init__(
        self,
        *,
        version: ssl.TLSVersion | None = None,
        server: ssl.SSLContext | None = None,
        client: Client | None = None,
        piece: int = 1 << 30,
    ) -> None:
        self.owner, self.inner, self.tcp = Owner(), Inner(), FakeTcp()
        self.client = client or Client(client_context(version))
        self.piece = piece
        self.transport = TlsTransport(server or server_context(), lambda: self.inner, self.owner)
        self.tcp.attach(self.transport)
        self.taken = 0

    def to_server(self, data: bytes) -> None:
        for start in range(0, len(data), self.piece):
            self.transport.data_received(data[start : start + self.piece])

    def from_server(self) -> bytes:
        """What the server has written since last asked."""
        new, self.taken = b"".join(self.tcp.written[self.taken :]), len(self.tcp.written)
        return new

    def is_tcp_paused(self) -> bool:
        return self.tcp.is_paused

    def is_tcp_closed(self) -> bool:
        return self.tcp.closed

    def exchange(self) -> None:
        """Carry bytes both ways until neither end has more to say."""
        while data := self.client.step(self.from_server()):
            self.to_server(data)

    def send(self, data: bytes) -> None:
        self.to_server(self.client.send(data))


def connected(**options: Any) -> Wire:
    """A wire after its handshake, with TLS 1.3 unless told otherwise."""
    wire = Wire(**options)
    wire.exchange()
    assert wire.client.handshake_done
    assert wire.inner.transcript == ["made"]
    return wire
