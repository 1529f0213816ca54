"""OpenSSL contexts as workers use them: one for the listener, one for each certificate.

Imports only the standard library, so that the lean parent and the workers stay small. A connection begins with the
listener's context and is switched to a certificate's by its server name (``tls/sni.py``). After the switch OpenSSL
still takes session-ticket keys, protocol versions and options (so also whose order of ciphers counts) from the *first*
context, and from the *second* the certificate, ALPN and the ciphers of TLS 1.2. Those of TLS 1.3 are fixed: Python
before 3.15 cannot choose them. Hence the division below; ``tests/tls/test_resumption.py`` and ``test_parameters.py``
hold OpenSSL to it.

Session tickets: made once in the parent and inherited by fork, the listener's context lets every worker open tickets
sealed by any other. Python offers no way to change ticket keys, so they live as long as the parent does.
"""

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from ingressd.tls.groups import limit_groups

HTTP_1_1 = ("http/1.1",)

# TLS 1.2 suites with forward secrecy and an AEAD; those of TLS 1.3 are all good and stay as OpenSSL has them. The
# security level is pinned because distributions differ in it, and what `check_pair` accepts must load everywhere.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"

_MFD_NOEXEC_SEAL = 0x8  # Linux 6.3; demanded where sysctl vm.memfd_noexec is 2. Not named by Python's os.


@dataclass(frozen=True, slots=True)
class TlsParameters:
    """What a listener offers; checked by ``tls/checks.py`` before it comes here. ``ciphers`` are TLS 1.2's.

    ``prefers_server_order``: the first of ours that the client knows, instead of the client's first.
    """

    ciphers: str = CIPHERS
    prefers_server_order: bool = False
    minimum_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum_version: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    sends_tickets: bool = True
    groups: str = ""  # of the key exchange, as ``limit_groups`` takes them; "": those that cost little


def apply_parameters(context: ssl.SSLContext, parameters: TlsParameters) -> None:
    """Change what a listener's context offers, to handshakes that begin from now on. In this process only.

    Raises ssl.SSLError when OpenSSL refuses the ciphers; then nothing has changed.
    """
    context.set_ciphers(parameters.ciphers)
    limit_groups(context, parameters.groups)
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    context.minimum_version = parameters.minimum_version
    context.maximum_version = parameters.maximum_version
    # Every suite of ours is sound, so the client may choose: phones without AES instructions prefer ChaCha20.
    if parameters.prefers_server_order:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if parameters.sends_tickets:
        context.options &= ~ssl.OP_NO_TICKET
        context.num_tickets = 1  # a resumed connection gets its successor; each ticket costs 8 % of a handshake
    else:
        # Without OP_NO_TICKET old tickets would be taken, without 0 TLS 1.3 would send names of sessions in our memory.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0


def listener_context(alpn: Sequence[str] = HTTP_1_1) -> ssl.SSLContext:
    """The context every TLS connection begins with. Make it once, before workers are forked.

    It holds no certificate: a connection needs one from the server-name callback.
    """
    context = _context(alpn)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION  # CRIME; handshakes as a CPU attack
    apply_parameters(context, TlsParameters())
    return context


def certificate_context(
    chain_pem: bytes, key_pem: bytes, alpn: Sequence[str] = HTTP_1_1, *, ciphers: str = CIPHERS
) -> ssl.SSLContext:
    """A context holding one certificate chain (leaf first) and its key; costs about 1 ms. ``ciphers`` are TLS 1.2's.

    Raises ssl.SSLError when OpenSSL refuses the pair or the ciphers, OSError when there is no memory for it.
    """
    context = _context(alpn, ciphers)
    _load_pair(context, chain_pem, key_pem)
    return context


def whole_context(
    chain_pem: bytes, key_pem: bytes, parameters: TlsParameters, alpn: Sequence[str] = HTTP_1_1
) -> ssl.SSLContext:
    """A listener's and a certificate's context in one, for a name with parameters that no switch can give it.

    Connections must begin with it (``proxy.verified_tls.HelloChoices``). Its tickets are this worker's own. Raises as
    ``certificate_context``.
    """
    context = listener_context(alpn)
    apply_parameters(context, parameters)
    _load_pair(context, chain_pem, key_pem)
    return context


def _load_pair(context: ssl.SSLContext, chain_pem: bytes, key_pem: bytes) -> None:
    # OpenSSL reads files only. A memfd is one without a disk: it works for any user and with a read-only root.
    descriptor = memory_file(key_pem + b"\n" + chain_pem)
    try:
        # An empty password, because otherwise OpenSSL would ask for one on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
    finally:
        os.close(descriptor)


def _context(alpn: Sequence[str], ciphers: str = CIPHERS) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.set_alpn_protocols(list(alpn))
    return context


def memory_file(content: bytes) -> int:
    """A file descriptor of a file without a disk, for what OpenSSL reads from files only. To be closed."""
    try:
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC | _MFD_NOEXEC_SEAL)
    except OSError:  # EINVAL: a kernel that does not know the flag
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
