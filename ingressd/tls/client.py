"""OpenSSL contexts for connections to backends: one for each profile, made when the first route needs it.

As ingress-nginx has it, nothing is verified and no server name is sent unless a profile asks for it. What Python's
``ssl`` lacks is made up for after the handshake, before a byte of a request is sent (``check_peer``): a name that is to
be verified but not sent, and the depth of the chain.
"""

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from ingressd.tls.context import memory_file

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}

# OpenSSL's own default. Distributions raise it, and backends that a proxy has always reached must stay in reach: it
# concerns what may sign a handshake that mostly is not even verified.
_SECURITY_LEVEL = ":@SECLEVEL=1"


class ProfileError(ValueError):
    """A profile no context can be made of; ``str()`` completes "the TLS settings of the backend …", quoting no key."""


class PeerRefused(OSError):
    """The backend's certificate is valid, but not the one that was asked for."""


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """How to speak TLS to a backend. Two connections of different profiles are never the same to anybody.

    ``name`` is what a verified certificate must be for; ``server_name``: it is also sent (SNI), unless it is an
    address. ``protocols`` are keys of ``VERSIONS``, none: both. ``ciphers`` is OpenSSL's list for TLS 1.2. A chain may
    have ``verify_depth`` certificates between the backend's and one of ``ca_pem``. ``alpn``: what is offered,
    if anything.
    """

    verify: bool = False
    name: str = ""
    server_name: bool = False
    protocols: tuple[str, ...] = ()
    ciphers: str = ""
    verify_depth: int = 1
    ca_pem: bytes = field(default=b"", repr=False)
    chain_pem: bytes = field(default=b"", repr=False)
    key_pem: bytes = field(default=b"", repr=False)
    alpn: tuple[str, ...] = ()

    @property
    def sent_name(self) -> str | None:
        """``server_hostname`` for OpenSSL: sent, and verified when anything is."""
        return self.name if self.name and self.server_name else None


_contexts: "WeakValueDictionary[UpstreamTls, ssl.SSLContext]" = WeakValueDictionary()


def client_context(profile: UpstreamTls) -> ssl.SSLContext:
    """The context of ``profile``; one for all who hold it, gone with the last. Costs about 1 ms to make.

    Raises ProfileError.
    """
    context = _contexts.get(profile)
    if context is None:
        context = _contexts[profile] = _made(profile)
    return context


def check_peer(profile: UpstreamTls, connection: ssl.SSLObject) -> None:
    """Look at the certificate of a finished handshake for what OpenSSL was not asked to.

    Raises PeerRefused. A resumed session was looked at when it began (RFC 8446 §2.2).
    """
    if not profile.verify or connection.session_reused:
        return
    if profile.sent_name is None and not names_match(connection.getpeercert() or {}, profile.name):
        raise PeerRefused(f"the certificate is not for {profile.name!r}")
    # The leaf and the trusted one are not counted, as SSL_CTX_set_verify_depth has it.
    between = _chain_length(connection) - 2
    if between > profile.verify_depth:
        raise PeerRefused(
            f"{between} certificates between the backend's and a trusted one, {profile.verify_depth} allowed"
        )


def names_match(certificate: dict[str, Any], name: str) -> bool:
    """Whether ``certificate`` (as ``getpeercert`` gives it) is for ``name``: RFC 9525 §6, wildcards of a whole label.

    Without any DNS name in it its common name counts, as for OpenSSL: certificates of private authorities have no more.
    """
    subject_names: tuple[tuple[str, str], ...] = certificate.get("subjectAltName", ())
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        return any(kind == "IP Address" and _is_address(value, address) for kind, value in subject_names)
    names = [value for kind, value in subject_names if kind == "DNS"]
    if not names:
        names = [value for rdn in certificate.get("subject", ()) for key, value in rdn if key == "commonName"]
    return any(_is_for(pattern.lower(), name.lower()) for pattern in names)


def _is_address(value: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ipaddress.ip_address(value.strip()) == address
    except ValueError:
        return False


def _is_for(pattern: str, name: str) -> bool:
    if not pattern.startswith("*."):
        return bool(name) and pattern == name
    label, dot, parent = name.partition(".")
    return bool(label and dot) and "." in parent and pattern == f"*.{parent}"


def _chain_length(connection: ssl.SSLObject) -> int:
    if hasattr(connection, "get_verified_chain"):  # Python 3.13
        return len(connection.get_verified_chain())
    return len(connection._sslobj.get_verified_chain())  # type: ignore[attr-defined]


def _made(profile: UpstreamTls) -> ssl.SSLContext:
    if profile.verify and not profile.name:
        raise ProfileError("ask for verification and name nobody to verify: set proxy-ssl-name")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if profile.verify else ssl.CERT_NONE
    context.check_hostname = profile.verify and profile.sent_name is not None
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    _limit_versions(context, profile.protocols)
    try:
        context.set_ciphers((profile.ciphers or "DEFAULT") + _SECURITY_LEVEL)
    except ssl.SSLError:
        raise ProfileError(f"name no cipher that OpenSSL knows: {profile.ciphers!r}") from None
    if profile.alpn:
        context.set_alpn_protocols(list(profile.alpn))
    if profile.verify:
        _load_authorities(context, profile.ca_pem)
    if profile.chain_pem:
        _load_pair(context, profile)
    return context


def _limit_versions(context: ssl.SSLContext, protocols: tuple[str, ...]) -> None:
    try:
        versions = sorted(VERSIONS[name] for name in protocols or VERSIONS)
    except KeyError as error:
        raise ProfileError(f"name a protocol that is not spoken here: {error}") from None
    context.minimum_version, context.maximum_version = versions[0], versions[-1]


def _load_authorities(context: ssl.SSLContext, ca_pem: bytes) -> None:
    try:
        context.load_verify_locations(cadata=ca_pem.decode("ascii", "ignore"))  # bundles have comments
    except (ValueError, ssl.SSLError):
        raise ProfileError("trust nobody: ca.crt holds no certificate that OpenSSL can read") from None


def _load_pair(context: ssl.SSLContext, profile: UpstreamTls) -> None:
    descriptor = memory_file(profile.key_pem + b"\n" + profile.chain_pem)
    try:
        # An empty password, because otherwise OpenSSL would ask for one on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
    except ssl.SSLError:
        raise ProfileError("have a client certificate (tls.crt, tls.key) that OpenSSL does not take") from None
    finally:
        os.close(descriptor)
