"""Client certificates: who gets in with which verdict, and what the upstream is told of it.

The verdict belongs to a *connection*, the question to a *host*, and a client may name one host in its handshake and
another in its request. So a verdict counts only for hosts that ask for verification against the very same thing
(``ClientCertificates.trust``). Any other request is misdirected (421, RFC 9110 section 15.5.20: the client may come
again on a connection of its own), and a connection without a name has simply presented nothing. The same rule makes a
renewed revocation list count for connections that were open before it.
"""

from enum import IntEnum
from typing import Protocol

from msgspec import Struct

from ingressd.policy.ask import Answer

_SUCCESS, _NONE = "SUCCESS", "NONE"

UPSTREAM_FIELDS = frozenset(
    {b"ssl-client-verify", b"ssl-client-subject-dn", b"ssl-client-issuer-dn", b"ssl-client-cert"}
)
"""What only we may say: a client's own copies never pass on a host that asks for certificates (``Plan.without``)."""


class Verify(IntEnum):
    """What a host wants of its clients."""

    REQUIRED = 1
    OPTIONAL = 2  # none will do; one that is presented must be good
    OPTIONAL_NO_CA = 3  # any will do that is sound in itself; the upstream judges by the verdict
    OFF = 4  # none is asked for, and nobody may pretend to the upstream that one was shown


class ClientCertificates(Struct, frozen=True, gc=False, array_like=True):
    """What one host asks for.

    ``trust`` names what certificates are verified against; "" when it could not be had, and then the host is closed
    unless ``verify`` is OFF.
    ``error_page``: where clients are sent (302) instead of being answered 400. ``name_pattern`` is searched for in the
    subject. ``pass_certificate``: the upstream gets the whole certificate too.
    """

    trust: str = ""
    verify: Verify = Verify.REQUIRED
    error_page: str = ""
    name_pattern: str = ""
    pass_certificate: bool = False


class Presented(Protocol):
    """``tls.client_certificate.ClientCertificate``: what a connection's client presented, and what was found."""

    @property
    def trust(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def is_merely_untrusted(self) -> bool: ...
    @property
    def subject(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def escaped_pem(self) -> bytes: ...


class Pattern(Protocol):
    """Compiled ``name_pattern``."""

    def search(self, text: str, /) -> object | None: ...


class Connection(Struct, frozen=True):
    """What is known of the client's connection. Make it once per connection.

    ``server_name``: of its handshake; "" when the client sent none, None when nobody looked, or could read it.
    """

    is_tls: bool
    server_name: str | None = None
    certificate: Presented | None = None


def may_serve(settings: ClientCertificates, connection: Connection) -> Answer | None:
    """For Phase.CLIENT_CERTIFICATE: the answer when the verdict, or its absence, does not let the request in.

    Every answer should end the connection: on this one the client cannot present anything else. Plain HTTP passes
    here, to be redirected, and is refused by ``needs_tls`` after that.
    """
    if settings.verify is Verify.OFF:
        return None
    if not settings.trust:
        return Answer(403, "client_certificate_authority_missing")
    if not connection.is_tls:
        return None
    certificate = connection.certificate
    if certificate is None or certificate.trust != settings.trust:
        if connection.server_name != "":
            return Answer(421, "client_certificate_misdirected")
        return _refused(settings, "client_certificate_missing") if settings.verify is Verify.REQUIRED else None
    return _judge(settings, certificate)


def _judge(settings: ClientCertificates, certificate: Presented) -> Answer | None:
    verdict = certificate.verdict
    if verdict == _SUCCESS:
        return None
    if verdict == _NONE:
        return _refused(settings, "client_certificate_missing") if settings.verify is Verify.REQUIRED else None
    if settings.verify is Verify.OPTIONAL_NO_CA and certificate.is_merely_untrusted:
        return None  # expired or revoked is refused all the same, as nginx does
    return _refused(settings, "client_certificate_untrusted")


def _refused(settings: ClientCertificates, reason: str) -> Answer:
    if not settings.error_page:
        return Answer(400, reason)
    return Answer(302, reason, fields=b"Location: %b\r\n" % settings.error_page.encode())


def needs_tls(settings: ClientCertificates, connection: Connection) -> Answer | None:
    """For after the HTTPS redirect: what must not be served over plain HTTP.

    ingress-nginx serves it to everybody there when nothing redirects; who asked for certificates did not mean that.
    """
    if connection.is_tls or settings.verify is not Verify.REQUIRED:
        return None
    return Answer(400, "client_certificate_needs_tls")


def may_serve_name(settings: ClientCertificates, pattern: Pattern, connection: Connection) -> Answer | None:
    """For Phase.CERTIFICATE_NAME: 403 unless the subject matches. No certificate has the empty subject."""
    certificate = certificate_for(settings, connection)
    if pattern.search("" if certificate is None else certificate.subject) is not None:
        return None
    return Answer(403, "client_certificate_name", body=b"client certificate unauthorized")


def upstream_lines(settings: ClientCertificates, connection: Connection) -> bytes:
    """Whole field lines for the upstream, the same for every request of a connection; see ``UPSTREAM_FIELDS``."""
    if not connection.is_tls:
        return b""
    certificate = certificate_for(settings, connection)
    if certificate is None or certificate.verdict == _NONE:
        return b"ssl-client-verify: NONE\r\n"
    lines = [
        b"ssl-client-verify: " + certificate.verdict.encode("latin-1"),
        b"ssl-client-subject-dn: " + certificate.subject.encode("latin-1"),
        b"ssl-client-issuer-dn: " + certificate.issuer.encode("latin-1"),
    ]
    if settings.pass_certificate:
        lines.append(b"ssl-client-cert: " + certificate.escaped_pem)
    return b"\r\n".join((*lines, b""))


def certificate_for(settings: ClientCertificates, connection: Connection) -> Presented | None:
    """What of the connection counts here: None when it was verified against something else, or not at all."""
    certificate = connection.certificate
    return certificate if certificate is not None and settings.trust and certificate.trust == settings.trust else None
