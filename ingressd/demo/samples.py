"""The sample manifests, as text for people to read and edit."""

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ingressd.demo.certificates import IssuedPair

ROUTES_FILE = "routes.yaml"
SERVICES_FILE = "services.yaml"
ENDPOINTS_FILE = "endpoints.yaml"
TLS_FILE = "tls.yaml"
AUTHORITY_FILE = "ca.pem"
EDITED_BY_PEOPLE = (ROUTES_FILE, SERVICES_FILE)
WRITTEN_BY = "# Written by `ingressd demo`"

BACKEND_PORT = 80  # what the Services say; their endpoints have ports of their own


def routes(plain_host: str, tls_host: str, http_port: int, https_port: int) -> str:
    """The IngressClass and one Ingress for each host."""
    return f"""\
{WRITTEN_BY}: change it while the demo runs, a change is live within a second.
# http on port {http_port or "(see the ready line)"}, https on port {https_port or "(see the ready line)"}
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: ingressd
spec:
  controller: ingressd.io/ingress-controller
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: demo
spec:
  ingressClassName: ingressd
  rules:
    - host: {plain_host}
      http:
        paths:
          - path: /offers
            pathType: Prefix
            backend: {{service: {{name: offers, port: {{number: {BACKEND_PORT}}}}}}}
          - path: /menu
            pathType: Prefix
            backend: {{service: {{name: menu, port: {{number: {BACKEND_PORT}}}}}}}
          - path: /
            pathType: Prefix
            backend: {{service: {{name: welcome, port: {{name: http}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: cafe
  namespace: demo
spec:
  ingressClassName: ingressd
  tls:
    - hosts: [{tls_host}]
      secretName: cafe-tls
  rules:
    - host: {tls_host}
      http:
        paths:
          - path: /menu
            pathType: Prefix
            backend: {{service: {{name: menu, port: {{number: {BACKEND_PORT}}}}}}}
          - path: /
            pathType: Prefix
            backend: {{service: {{name: welcome, port: {{name: http}}}}}}
"""


def services(names: Sequence[str]) -> str:
    return f"{WRITTEN_BY}.\n" + "---\n".join(
        f"""\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: demo
spec:
  ports:
    - name: http
      port: {BACKEND_PORT}
"""
        for name in names
    )


def endpoints(ports: Mapping[str, Sequence[int]]) -> str:
    """One EndpointSlice per endpoint, because each has a port of its own."""
    return f"{WRITTEN_BY} at each start: the backends' addresses.\n" + "---\n".join(
        f"""\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {service}-{number}
  namespace: demo
  labels:
    kubernetes.io/service-name: {service}
addressType: IPv4
ports:
  - name: http
    port: {port}
endpoints:
  - addresses: [127.0.0.1]
"""
        for service, its_ports in ports.items()
        for number, port in enumerate(its_ports, 1)
    )


def tls_secret(pair: IssuedPair) -> str:
    return f"""\
{WRITTEN_BY} at each start: a certificate by the authority in {AUTHORITY_FILE}.
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata:
  name: cafe-tls
  namespace: demo
data:
  tls.crt: {base64.b64encode(pair.certificate).decode()}
  tls.key: {base64.b64encode(pair.key).decode()}
"""


def check_free(directory: Path) -> None:
    """Raises FileExistsError when writing would destroy something that no demo wrote."""
    for name in (ROUTES_FILE, SERVICES_FILE, ENDPOINTS_FILE, TLS_FILE, AUTHORITY_FILE):
        path = directory / name
        if path.exists() and not path.read_bytes().startswith(WRITTEN_BY.encode()):
            raise FileExistsError(f"{path} was not written by `ingressd demo`: choose another directory")


def write(directory: Path, texts: Mapping[str, str], pair: IssuedPair) -> Path:
    """Write the files; what people edit stays as they left it. Returns where the authority's certificate is."""
    for name, text in texts.items():
        path = directory / name
        if name not in EDITED_BY_PEOPLE or not path.exists():
            _write(path, text)
    authority = directory / AUTHORITY_FILE
    _write(authority, f"{WRITTEN_BY}: trust it for the demo only.\n{pair.authority.decode()}")
    return authority


def _write(path: Path, text: str) -> None:
    """Readable by their owner alone: one of them holds a private key."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
