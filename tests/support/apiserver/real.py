"""A real kube-apiserver and etcd with the harness's interface, when KUBEBUILDER_ASSETS holds them. No faults, no
control port; no controllers run either, so tests write their EndpointSlices themselves.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.apiserver.certificates import Authority
from tests.support.apiserver.client import ObjectClient, RefusedError
from tests.support.apiserver.kubeconfig import user_entry, write_kubeconfig

_START_TIMEOUT_S = 60.0


class RealApiServer(ObjectClient):
    def __init__(self, url: str, kubeconfig: Path, token: str, context: ssl.SSLContext) -> None:
        super().__init__(url, context, {"Authorization": f"Bearer {token}"})
        self.url = url
        self.kubeconfig = kubeconfig

    def fault(self, name: str, **_: Any) -> None:
        raise NotImplementedError(f"a real API server commits no fault ({name}) on command")


@contextlib.contextmanager
def real_apiserver() -> Iterator[RealApiServer]:
    assets = Path(os.environ["KUBEBUILDER_ASSETS"])
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="real-apiserver-")))
        etcd_url = _start_etcd(stack, assets, directory)
        yield _start_apiserver(stack, assets, directory, etcd_url)


def _start_etcd(stack: contextlib.ExitStack, assets: Path, directory: Path) -> str:
    url, peer_url = (f"http://127.0.0.1:{port}" for port in _free_ports(2))
    _start(
        stack,
        directory / "etcd.log",
        assets / "etcd",
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--unsafe-no-fsync",
    )
    return url


def _start_apiserver(stack: contextlib.ExitStack, assets: Path, directory: Path, etcd_url: str) -> RealApiServer:
    authority, token, [port] = Authority(), secrets.token_hex(16), _free_ports(1)
    pair = authority.issue_server("127.0.0.1")
    (directory / "tls.crt").write_bytes(pair.certificate)
    (directory / "tls.key").write_bytes(pair.key)
    (directory / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    (directory / "accounts.key").write_bytes(_account_key())
    server = _start(
        stack,
        directory / "apiserver.log",
        assets / "kube-apiserver",
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={directory / 'tls.crt'}",
        f"--tls-private-key-file={directory / 'tls.key'}",
        f"--cert-dir={directory}",
        f"--token-auth-file={directory / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={directory / 'accounts.key'}",
        f"--service-account-signing-key-file={directory / 'accounts.key'}",
        "--disable-admission-plugins=ServiceAccount",
    )
    url, kubeconfig = f"https://127.0.0.1:{port}", directory / "kubeconfig"
    write_kubeconfig(kubeconfig, url, authority.certificate, user_entry(token, None, None))
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    api = RealApiServer(url, kubeconfig, token, context)
    _wait_until_ready(api, server, directory / "apiserver.log")
    return api


def _start(stack: contextlib.ExitStack, log: Path, program: Path, *flags: str) -> subprocess.Popen[bytes]:
    if shutil.which(program) is None:
        raise FileNotFoundError(f"KUBEBUILDER_ASSETS is set but holds no {program.name}")
    output = stack.enter_context(log.open("wb"))
    process = subprocess.Popen([program, *flags], stdout=output, stderr=output)
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(api: RealApiServer, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            # The namespace is made a while after /readyz is content, and tests write to it.
            api.get("namespaces", "default")
            return
        except (OSError, RefusedError) as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"kube-apiserver is not ready:\n{log.read_text()[-3000:]}") from error
        # Nothing announces readiness, so this asks.
        time.sleep(0.2)


def _account_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _free_ports(count: int) -> list[int]:
    """Asked of the kernel and given back: these programs do not tell which port they would choose themselves."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports
