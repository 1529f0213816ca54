"""What stands on every desk beside the cases' own Ingresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.annotations import manifests
from tests.annotations.case import Json
from tests.tls import clients

if TYPE_CHECKING:
    from tests.annotations.desk import Desk

# Passwords are "secret". Each hash as its usual program writes it.
HASHES = {
    "bcrypt": "$2b$05$OTQ9gLEuuf42wZoaPR149.vKgF1pxLIKyDr8C2SlCGCkCBOI.nVzS",
    "apr1": "$apr1$2IcF6RYg$E8j11Nyz6iKsc2k8P79P8/",
    "sha": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "ssha": "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
    "plain": "{PLAIN}secret",
    "sha256": "$5$rounds=1000$upWurHZEMviolSCa$fK.d9Dx8QcndBaJulPt4IJkUqcbrbw4kCdy8ZwuEPv2",
    "sha512": "$6$rounds=1000$iu5VxeuxDOR.ngm2$"
    "XzW399fbOq21vJNr0d.esNvLp.0klIbO4oxxPBpU2Q8WtBpUlxJThOLw/./mKFfpM1LcotXXcr7iOoBzAOZw7.",
}


def standing(desk: Desk) -> Iterator[Json]:
    """Class, Services in two namespaces, certificates, users, headers."""
    yield manifests.ingress_class()
    for name, origins in desk.services.items():
        yield from manifests.service(name, origins)
    yield from manifests.service("echo", desk.services["echo"], "elsewhere")
    pair = desk.authority.issue(f"*.{desk.topic}.example")
    yield manifests.secret("site", {"tls.crt": pair.chain_pem, "tls.key": pair.key_pem}, kind="kubernetes.io/tls")
    yield from _users()
    yield from _trust(desk)
    yield from _headers()


def _users() -> Iterator[Json]:
    lines = "".join(f"{name}:{text}\n" for name, text in HASHES.items()).encode()
    for namespace in ("default", "elsewhere"):
        yield manifests.secret("users", {"auth": lines}, namespace)
    yield manifests.secret("user-map", {name: text.encode() for name, text in HASHES.items()})
    yield manifests.secret("without-users", {"other": b"x"})
    yield manifests.secret("half-a-user", {"auth": b"ann:\n"})


def _trust(desk: Desk) -> Iterator[Json]:
    identity = clients.client("good")
    assert identity is not None
    yield manifests.secret("ca", {"ca.crt": clients.root().pem})
    yield manifests.secret(
        "identity", {"ca.crt": desk.authority.pem, "tls.crt": identity.chain, "tls.key": identity.key_pem}
    )
    yield manifests.secret("wrong-ca", {"ca.crt": clients.root().pem})


def _headers() -> Iterator[Json]:
    yield manifests.config_map("headers", {"X-Set": "by us", "X-Other": "too"})
    yield manifests.config_map("more-headers", {"X-Set": "by us", "X-Not-Allowed": "x"})
    yield manifests.config_map("dollar-headers", {"X-Dollar": "$remote_addr"})
