"""A large cluster as plain objects: what a person would apply with kubectl, ten thousand times.

Every Ingress has one host with two paths to its own Service, which has one slice of three endpoints. Endpoints have
addresses of their own in 127.0.0.0/8, all of which reach one backend process that answers with the address it was
asked at: so each of them works, and an answer says which one gave it. Every host has TLS; a Secret serves every
``secrets``-th host.
"""

import base64
import datetime
from collections.abc import Iterator
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Object = dict[str, Any]
NAMESPACE = "farm"
RSA_EACH = 20
"""Every so many certificates one has an RSA key: they are slow to make, and few are left in the wild."""
_SPAN = datetime.timedelta(days=90)
PLAIN_TOO = {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}
"""Hosts with TLS redirect plain requests; here clients of both kinds are served."""


def host_name(number: int) -> str:
    return f"host-{number}.example.com"


def service_name(number: int) -> str:
    return f"service-{number}"


def meta(name: str, **more: Any) -> Object:
    return {"name": name, "namespace": NAMESPACE, **more}


def ingress(number: int, secrets: int) -> Object:
    backend = {"service": {"name": service_name(number), "port": {"number": 80}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend} for path in ("/", "/api")]
    host = host_name(number)
    spec: Object = {"ingressClassName": "ingressd", "rules": [{"host": host, "http": {"paths": paths}}]}
    if secrets:
        spec["tls"] = [{"hosts": [host], "secretName": f"secret-{number % secrets}"}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": meta(f"ingress-{number}", annotations=PLAIN_TOO),
        "spec": spec,
    }


def service(number: int) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    spec = {"selector": {"app": service_name(number)}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(service_name(number)), "spec": spec}


def slice_name(number: int) -> str:
    return f"{service_name(number)}-abcde"


def addresses_of(number: int, generation: int = 0) -> tuple[str, ...]:
    """Three addresses that no other Service and no other generation (of 60) has."""
    first = generation % 60 * 4 + 10
    return tuple(f"127.{1 + number // 250}.{1 + number % 250}.{first + offset}" for offset in range(3))


def endpoints_of(number: int, generation: int = 0) -> list[Object]:
    """As the EndpointSlice controller writes them, with what we do not read."""
    return [
        {
            "addresses": [address],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": f"node-{number % 50}",
            "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": f"{service_name(number)}-{address}"},
        }
        for address in addresses_of(number, generation)
    ]


def endpoint_slice(number: int, port: int, generation: int = 0) -> Object:
    labels = {"kubernetes.io/service-name": service_name(number), "app": service_name(number)}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": meta(slice_name(number), labels=labels),
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": endpoints_of(number, generation),
    }


def ingress_class() -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "ingressd"},
        "spec": {"controller": "ingressd.io/ingress-controller"},
    }


class Issuer:
    """Self-signed certificates, each with names and a serial number of its own; keys are taken from a small stock."""

    def __init__(self, keys: int = 8) -> None:
        self._elliptic = [ec.generate_private_key(ec.SECP256R1()) for _ in range(keys)]
        self._rsa = [rsa.generate_private_key(65537, 2048) for _ in range(2)]

    def secret(self, number: int, ingresses: int, secrets: int, generation: int = 0) -> Object:
        names = [host_name(host) for host in range(number, ingresses, secrets)] or [f"secret-{number}.example.com"]
        chain, private = self._pair(number, names, generation)
        data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(private).decode()}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": meta(f"secret-{number}"),
            "data": data,
        }

    def _pair(self, number: int, names: list[str], generation: int) -> tuple[bytes, bytes]:
        stock: list[Any] = self._rsa if number % RSA_EACH == RSA_EACH - 1 else self._elliptic
        key = stock[(number + generation) % len(stock)]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + _SPAN)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.public_bytes(serialization.Encoding.PEM), private


def cluster(ingresses: int, secrets: int, port: int, issuer: Issuer) -> Iterator[Object]:
    """Everything; ``port`` is the backend's."""
    yield ingress_class()
    for number in range(ingresses):
        yield service(number)
        yield endpoint_slice(number, port)
        yield ingress(number, secrets)
    for number in range(secrets):
        yield issuer.secret(number, ingresses, secrets)
