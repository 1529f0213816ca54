"""TLS connections that are looked at before OpenSSL sees them: the name decides who speaks TLS, and how.

The listener makes ``ChosenTls`` instead of ``TlsTransport`` only while a host wants one of these; otherwise nobody
looks into a hello. A name that wants nothing special goes on as any other connection, with the bytes already read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from ingressd.proxy.passthrough import PassThrough
from ingressd.proxy.tls_sending import HANDSHAKE, LOST, Buffer
from ingressd.proxy.tls_transport import HANDSHAKE_RECORD, TlsOwner, TlsTransport
from ingressd.tls.client_hello import HelloError, HelloReader

if TYPE_CHECKING:
    from ingressd.tls.client_certificate import ClientCertificate


class VerifiedConnection(Protocol):
    """``tls.verify.VerifyingObject``, which is not imported before it is needed."""

    def receive(self, data: Buffer) -> None: ...
    def certificate(self) -> ClientCertificate: ...


class Verifying(Protocol):
    """``tls.verify.VerifyingContext``: this host asks for client certificates."""

    def accept(self, outgoing: ssl.MemoryBIO) -> VerifiedConnection: ...


Choice = Verifying | PassThrough | ssl.SSLContext
"""A context is for a name with TLS parameters of its own: connections begin with it (``tls.context.whole_context``)."""


class HelloChoices:
    """What a server name wants. Immutable: the worker replaces it whole, with a new state.

    ``names`` are lower case without a trailing dot, or ``*.parent``; None means TLS as usual, and must be there for
    each host that a wildcard with a choice would otherwise cover. ``otherwise`` is for any other name, and for none.
    """

    __slots__ = ("_names", "_otherwise")

    def __init__(self, names: Mapping[str, Choice | None], otherwise: Choice | None = None) -> None:
        self._names = names
        self._otherwise = otherwise

    def choose(self, server_name: str) -> Choice | None:
        names = self._names
        if server_name in names:
            return names[server_name]
        return names.get("*." + server_name.partition(".")[2], self._otherwise) if server_name else self._otherwise

    @property
    def is_empty(self) -> bool:
        """Whether nothing is gained by looking at hellos."""
        return self._otherwise is None and not any(self._names.values())


class _Feed:
    """Stands where ``TlsSending`` has the BIO for what arrives. ``pending``: OpenSSL may have more to read."""

    __slots__ = ("_connection", "pending")

    def __init__(self, connection: VerifiedConnection) -> None:
        self._connection = connection
        self.pending = 0

    def write(self, data: Buffer) -> None:
        self._connection.receive(data)
        self.pending = 1


class ChosenTls(TlsTransport):
    """A ``TlsTransport`` that reads the hello first. Beyond its face, ``get_extra_info`` knows:

    - ``server_name``: as the client sent it, lower case, "" for none; None when the hello could not be read;
    - ``client_certificate``: a ``ClientCertificate`` where the host asked for one, else the default.
    """

    __slots__ = ("_certificate", "_choices", "_hello", "_server_name", "_verified")

    def __init__(
        self,
        context: ssl.SSLContext,
        make_inner: Callable[[], asyncio.Protocol],
        owner: TlsOwner,
        choices: HelloChoices,
    ) -> None:
        super().__init__(context, make_inner, owner)
        self._choices = choices
        self._hello: HelloReader | None = HelloReader()
        self._server_name: str | None = None
        self._verified: VerifiedConnection | None = None
        self._certificate: ClientCertificate | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "client_certificate":
            return default if self._certificate is None else self._certificate
        if name == "server_name":
            return self._server_name
        return super().get_extra_info(name, default)

    def _receive_handshake(self, data: Buffer) -> None:
        if self._hello is None:
            super()._receive_handshake(data)
            return
        try:
            hello = self._hello.feed(data)
        except HelloError:  # plain HTTP, noise, or what only OpenSSL can make sense of: nothing is passed through
            choice = self._choices.choose("")
            self._go_on(None if isinstance(choice, PassThrough) else choice)
        else:
            if hello is not None:
                self._server_name = hello.server_name
                self._go_on(self._choices.choose(hello.server_name))

    def _go_on(self, choice: Choice | None) -> None:
        """Give the bytes read so far to whom they concern."""
        reader, self._hello = self._hello, None
        assert reader is not None  # noqa: S101 - read once
        data = bytes(reader.data)
        if isinstance(choice, PassThrough):
            self._hand_over(choice, data)
            return
        if isinstance(choice, ssl.SSLContext):
            self._context = choice
        elif choice is not None and data[0] == HANDSHAKE_RECORD:
            self._phase = HANDSHAKE
            self._outgoing = ssl.MemoryBIO()
            connection = choice.accept(self._outgoing)
            self._incoming = cast("ssl.MemoryBIO", _Feed(connection))
            self._ssl = cast("ssl.SSLObject", connection)
            self._verified = connection
        super()._receive_handshake(data)

    def _hand_over(self, target: PassThrough, data: bytes) -> None:
        """Ours no longer: neither a handshake nor a connection of ours."""
        self._phase = LOST
        data += bytes(self._undecrypted)
        self._undecrypted = b""
        if self._owner is not None:
            owner, self._owner = self._owner, None
            owner.handshake_ended(self, "")
        target.take_over(self._tcp, data)

    def _open(self) -> None:
        if self._verified is not None:
            self._certificate = self._verified.certificate()
        super()._open()

    def connection_lost(self, exc: Exception | None) -> None:
        self._verified = self._hello = None
        super().connection_lost(exc)
