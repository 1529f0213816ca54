"""TLS to an endpoint: our own layer over memory buffers, on the client's side of the connection.

It costs what the event loop's does (``benchmarks/upstream_tls.py``), and can what that cannot: resume a session, look
at the certificate before anybody writes a request, and tell an end from a truncation.
"""

from __future__ import annotations

import asyncio
import ssl
from errno import EMFILE, ENFILE
from time import monotonic

from ingressd.errors import OUT_OF_DESCRIPTORS, UpstreamError
from ingressd.policy.upstream_tls import BackendTls
from ingressd.proxy.tls_sending import HANDSHAKE, OPEN, WAITING
from ingressd.proxy.tls_transport import TlsTransport
from ingressd.tls.client import UpstreamTls, check_peer, client_context

SESSION_S = 3600.0
"""A session is resumed for so long after the handshake that verified its certificate; then there is a full one."""
REFUSED_S = 60.0
"""Who did not resume a session is offered none for so long: to take one and offer it costs more than is saved."""


class EndpointTls:
    """What one endpoint and one profile share: the context, and the session to resume. Keep it with the endpoint.

    A session is taken once and then offered with every connection, because Python copies one, certificates and all,
    whenever it is looked at: 0.2 ms. Nobody's privacy is at stake that fresh tickets would protect (RFC 8446 §C.4).
    """

    __slots__ = ("_latest", "_none_before", "_session", "_since", "context", "profile")

    def __init__(self, profile: UpstreamTls) -> None:
        """Raises ProfileError, see ``client_context``."""
        self.profile = profile
        self.context = client_context(profile)
        self._latest: ClientTls | None = None  # open, and had a full handshake: its ticket comes after it
        self._session: ssl.SSLSession | None = None
        self._since = 0.0  # when the full handshake of the session was, monotonic seconds
        self._none_before = 0.0

    def session(self, now: float) -> ssl.SSLSession | None:
        """The session to begin a connection with, None for a full handshake."""
        if now - self._since > SESSION_S or now < self._none_before:
            return None
        if self._session is None and self._latest is not None:
            self._session = _resumable(self._latest.ssl_object)
        return self._session

    def opened(self, transport: ClientTls, connection: ssl.SSLObject, now: float) -> None:
        """A handshake has succeeded. Raises PeerRefused when the endpoint is not who was asked for."""
        if connection.session_reused:
            return
        check_peer(self.profile, connection)
        if transport.offered:
            self._none_before = now + REFUSED_S
        self._since = now
        self._session = None
        self._latest = transport

    def closed(self, transport: ClientTls, connection: ssl.SSLObject) -> None:
        """A connection that had been opened is about to be forgotten."""
        if self._latest is transport:
            self._latest = None
            if self._session is None:
                self._session = _resumable(connection)


class ClientTls(TlsTransport):
    """The client's side of one TLS connection; everything else is as in ``TlsTransport``."""

    __slots__ = ("_tls", "offered")

    def __init__(self, tls: EndpointTls, inner: asyncio.Protocol, opening: _Opening) -> None:
        super().__init__(tls.context, lambda: inner, opening)
        self._tls = tls
        self.offered = False  # a session to resume

    @property
    def ssl_object(self) -> ssl.SSLObject:
        return self._ssl

    @property
    def error(self) -> OSError | None:
        """What the TLS layer failed of."""
        return self._error

    def abandon(self) -> None:
        """Nobody waits for this connection any more, whether it is there yet or not."""
        if self._phase is not WAITING:
            self.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._phase = HANDSHAKE
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self._tls.session(monotonic())
        self.offered = session is not None
        name = self._tls.profile.sent_name
        self._ssl = self._context.wrap_bio(self._incoming, self._outgoing, server_hostname=name, session=session)
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except OSError as error:  # OpenSSL cannot even say hello, such as with ciphers of no version on offer
            self._failure = "protocol_error"
            self._break(error)

    def eof_received(self) -> bool:
        # RFC 9112 §9.8: what is read up to the end of the connection may have been cut off by anybody on the way. The
        # inner protocol is told so by an exception, and needs to know nothing of TLS.
        if self._phase is OPEN and not self._close_notify and self._error is None:
            self._error = ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the endpoint ended without close_notify")
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.handshake_done:
            self._tls.closed(self, self._ssl)
        super().connection_lost(exc)

    def _open(self) -> None:
        try:
            self._tls.opened(self, self._ssl, monotonic())
        except OSError as error:
            self._failure = "refused"
            self._break(error)
        else:
            super()._open()


def profile_of(
    settings: BackendTls, *, ca_pem: bytes = b"", chain_pem: bytes = b"", key_pem: bytes = b""
) -> UpstreamTls:
    """The profile of ``settings``, with what its ``material`` holds."""
    return UpstreamTls(
        verify=settings.verify,
        name=settings.name,
        server_name=settings.server_name,
        protocols=settings.protocols,
        ciphers=settings.ciphers,
        verify_depth=settings.verify_depth,
        ca_pem=ca_pem if settings.verify else b"",
        chain_pem=chain_pem,
        key_pem=key_pem,
    )


class _Opening:
    """Waits for the end of a handshake: the transport's owner until then."""

    __slots__ = ("ended",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ended: asyncio.Future[str] = loop.create_future()

    def handshake_started(self, transport: TlsTransport) -> None:
        """Whoever connects has the deadline."""

    def handshake_ended(self, transport: TlsTransport, failure: str) -> None:
        if not self.ended.done():
            self.ended.set_result(failure)

    def plain_http(self, data: bytes) -> bytes:
        return b""


async def connect_tls(
    loop: asyncio.AbstractEventLoop,
    inner: asyncio.Protocol,
    address: str,
    port: int,
    tls: EndpointTls,
    timeout_s: float,
) -> ClientTls:
    """Connect and shake hands within ``timeout_s`` seconds; ``inner`` then has its ``connection_made`` behind it.

    Raises:
        UpstreamError: ``connect_timeout`` and ``connect_failed`` as without TLS, ``tls_handshake_timeout`` and
            ``tls_handshake_failed``; all of them before a byte of a request was sent.
    """
    opening = _Opening(loop)
    transport = ClientTls(tls, inner, opening)
    step = "connect"
    try:
        async with asyncio.timeout(timeout_s):
            await loop.create_connection(lambda: transport, address, port)
            step = "tls_handshake"
            failure = await opening.ended
    except TimeoutError:
        transport.abandon()
        detail = f"{address} port {port}: not within {timeout_s:g} s"
        raise UpstreamError(f"{step}_timeout", detail, unheard=True) from None
    except OSError as error:
        reason = OUT_OF_DESCRIPTORS if error.errno in (EMFILE, ENFILE) else "connect_failed"
        raise UpstreamError(reason, f"{address} port {port}: {error}", unheard=True) from None
    except asyncio.CancelledError:
        transport.abandon()
        raise
    if failure:
        why = _explained(failure, transport.error)
        raise UpstreamError("tls_handshake_failed", f"{address} port {port}: {why}", unheard=True)
    return transport


def _explained(failure: str, error: OSError | None) -> str:
    if error is None:
        return "closed during the handshake" if failure == "closed" else failure
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return getattr(error, "reason", None) or str(error)


def _resumable(connection: ssl.SSLObject) -> ssl.SSLSession | None:
    session = connection.session
    if session is None or (not session.has_ticket and (connection.version() == "TLSv1.3" or not session.id)):
        return None
    return session
