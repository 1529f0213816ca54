"""TLS for hosts that ask for client certificates: an untrusted one is an HTTP answer, not a broken handshake.

Python's ``ssl`` cannot accept what it has not verified: no callback, and CERT_OPTIONAL ends the handshake of whoever
presents a certificate that is expired, revoked or a stranger's. pyOpenSSL has the callback. Import this module only
where such a host exists: it brings ``cryptography`` along, 11 MiB and 40 ms, and with it an OpenSSL of its own.

Sessions are not resumed here: neither ticket nor cache. A resumed session has no certificate message, so nothing would
be verified anew, and a revoked client would go on (RFC 8446 section 4.6.1). Should OpenSSL resume one all the same,
the callback was not called and the verdict is not SUCCESS.
"""

import os
import ssl
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any, cast

from OpenSSL import SSL, crypto

from ingressd.tls.client_certificate import ClientCertificate, trust_key
from ingressd.tls.context import HTTP_1_1, TlsParameters, memory_file

_PIECE = 1 << 16
_LIMITED_GROUPS_SINCE = 0x30500000  # before, OpenSSL accepts groups that cost 250 ms (see tls/groups.py)

_DEFAULT = TlsParameters()
_OPTIONS = SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION


class VerifyingContext:
    """Answers with one certificate, asks for the client's, and verifies it without ever refusing it.

    ``trust`` names what it verifies against (``trust_key``). Costs about 1 ms to make; share it between the names that
    have the same certificate and authorities.
    """

    __slots__ = ("_context", "trust")

    def __init__(
        self,
        chain_pem: bytes,
        key_pem: bytes,
        *,
        ca_pem: bytes,
        crl_pem: bytes = b"",
        depth: int = 1,
        alpn: Sequence[str] = HTTP_1_1,
        parameters: TlsParameters = _DEFAULT,
    ) -> None:
        """``depth``: certificates allowed between the client's and an authority of ``ca_pem``, as OpenSSL counts.

        With ``crl_pem``, every certificate of a chain must be covered by a list, as nginx has it. Raises ssl.SSLError
        when OpenSSL refuses any of it.
        """
        self.trust = trust_key(ca_pem, crl_pem, depth)
        self._context = context = SSL.Context(SSL.TLS_SERVER_METHOD)
        try:
            _set_up(context, parameters, [name.encode() for name in alpn])
            _load_pair(context, chain_pem, key_pem)
            _load_authorities(context, ca_pem, crl_pem)
        except (SSL.Error, crypto.Error) as error:
            raise _translated(error) from None
        context.set_verify(SSL.VERIFY_PEER, _note)
        context.set_verify_depth(depth)

    def accept(self, outgoing: ssl.MemoryBIO) -> "VerifyingObject":
        """A new connection, the server's side; what is to be sent goes to ``outgoing``."""
        return VerifyingObject(self._context, self.trust, outgoing)


class _Judgement:
    """What OpenSSL found while it verified one chain."""

    __slots__ = ("is_judged", "problems")

    def __init__(self) -> None:
        self.is_judged = False
        self.problems: list[int] = []


class VerifyingObject:
    """One connection, with the part of ``ssl.SSLObject``'s face that ``TlsTransport`` uses, and a verdict."""

    __slots__ = ("_connection", "_judgement", "_outgoing", "_trust")

    def __init__(self, context: SSL.Context, trust: str, outgoing: ssl.MemoryBIO) -> None:
        self._trust = trust
        self._outgoing = outgoing
        self._judgement = _Judgement()
        self._connection = SSL.Connection(context, None)
        self._connection.set_app_data(self._judgement)
        self._connection.set_accept_state()

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes from the network."""
        view = memoryview(data)
        while view:
            view = view[self._connection.bio_write(view) :]

    def do_handshake(self) -> None:
        with self._sending():
            self._connection.do_handshake()

    def read(self, size: int) -> bytes:
        """Plaintext of one record; b"" after the peer's close_notify. Raises ssl.SSLError, SSLWantReadError."""
        try:
            return self._connection.recv(size)
        except SSL.ZeroReturnError:
            self._put_out()
            return b""
        except SSL.Error as error:  # most often: no more for now. What there is to send leaves no later than here
            self._put_out()
            raise _translated(error) from None

    def write(self, data: bytes | bytearray | memoryview) -> int:
        view = memoryview(data)
        try:
            while view:  # pyOpenSSL writes a record at a time
                view = view[self._connection.send(view) :]
        except SSL.Error as error:
            raise _translated(error) from None
        self._put_out()
        return len(data)

    def unwrap(self) -> None:
        """Say close_notify; the peer's is not waited for."""
        with self._sending():
            self._connection.shutdown()

    def version(self) -> str:
        return self._connection.get_protocol_version_name()

    def cipher(self) -> tuple[str, str, int] | None:
        name = self._connection.get_cipher_name()
        if name is None:
            return None
        return name, self._connection.get_cipher_version() or "", self._connection.get_cipher_bits() or 0

    def selected_alpn_protocol(self) -> str | None:
        return self._connection.get_alpn_proto_negotiated().decode("ascii", "replace") or None

    def certificate(self) -> ClientCertificate:
        """What the client presented, and the verdict; once the handshake is done."""
        presented = self._connection.get_peer_certificate()
        der = b"" if presented is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, presented)
        judgement = self._judgement
        return ClientCertificate(self._trust, der, tuple(judgement.problems), is_judged=judgement.is_judged)

    @contextmanager
    def _sending(self) -> Any:
        """Whatever OpenSSL has to send afterwards is put out, and its errors are those of ``ssl``."""
        try:
            yield
        except SSL.Error as error:
            raise _translated(error) from None
        finally:
            self._put_out()

    def _put_out(self) -> None:
        try:
            while self._outgoing.write(self._connection.bio_read(_PIECE)) == _PIECE:
                pass  # it was full: there may be more
        except SSL.WantReadError:
            pass  # nothing


def _note(connection: SSL.Connection, _: crypto.X509, problem: int, __: int, is_good: int) -> bool:
    """OpenSSL's question after each step of the verification: go on in any case, we answer in HTTP."""
    judgement = cast("_Judgement", connection.get_app_data())
    judgement.is_judged = True
    if not is_good:
        judgement.problems.append(problem)
    return True


def _set_up(context: SSL.Context, parameters: TlsParameters, protocols: list[bytes]) -> None:
    context.set_min_proto_version(parameters.minimum_version)
    context.set_max_proto_version(max(0, parameters.maximum_version))  # 0: the highest there is
    context.set_options(_OPTIONS | (SSL.OP_CIPHER_SERVER_PREFERENCE if parameters.prefers_server_order else 0))
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"ingressd")  # without one, whoever offers a session of old would be refused
    context.set_cipher_list(parameters.ciphers.encode())
    if SSL.OPENSSL_VERSION_NUMBER < _LIMITED_GROUPS_SINCE:
        context.set_tmp_ecdh(cast("Any", _P256))

    def choose(_: SSL.Connection, offered: list[bytes]) -> Any:
        return next((name for name in protocols if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

    context.set_alpn_select_callback(choose)


class _P256:
    name = "secp256r1"  # all that pyOpenSSL asks of a curve


def _load_pair(context: SSL.Context, chain_pem: bytes, key_pem: bytes) -> None:
    if b"ENCRYPTED" in key_pem:  # OpenSSL would ask for the passphrase on the terminal
        raise ssl.SSLError(ssl.SSLErrorNumber.SSL_ERROR_SSL, "the key is encrypted")
    with _as_file(key_pem + b"\n" + chain_pem) as path:
        context.use_certificate_chain_file(path)
        context.use_privatekey_file(path)
    context.check_privatekey()


def _load_authorities(context: SSL.Context, ca_pem: bytes, crl_pem: bytes) -> None:
    with _as_file(ca_pem) as path:
        context.load_client_ca(path.encode())  # their names are sent, so that browsers offer what can match
    store = context.get_cert_store()
    assert store is not None  # noqa: S101 - every context has one
    with _as_file(ca_pem) as path:
        store.load_locations(path)
    if crl_pem.strip():
        with _as_file(crl_pem) as path:
            store.load_locations(path)
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)


@contextmanager
def _as_file(content: bytes) -> Any:
    descriptor = memory_file(content)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _translated(error: SSL.Error | crypto.Error) -> ssl.SSLError:
    """The same in the words of ``ssl``."""
    if isinstance(error, SSL.WantReadError):
        return ssl.SSLWantReadError(ssl.SSLErrorNumber.SSL_ERROR_WANT_READ, "more is needed")
    if isinstance(error, SSL.ZeroReturnError):
        return ssl.SSLZeroReturnError(ssl.SSLErrorNumber.SSL_ERROR_ZERO_RETURN, "closed")
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reason = str(queue[0][2]) if queue else "unexpected end"
    found = ssl.SSLError(ssl.SSLErrorNumber.SSL_ERROR_SSL, reason)
    found.reason = reason.upper().replace(" ", "_").replace("-", "_")
    return found
