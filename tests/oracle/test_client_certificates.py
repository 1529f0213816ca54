"""Client certificates: nginx's verdict, answer and facts for each kind of client are ours."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingressd.policy.client_certificate import ClientCertificates, Connection, Verify, may_serve
from ingressd.tls.verify import VerifyingContext
from tests.tls import clients
from tests.tls.authority import leaf
from tests.tls.test_verify import context_of, revoked_list, visit

MODES = {"on": Verify.REQUIRED, "optional": Verify.OPTIONAL, "optional_no_ca": Verify.OPTIONAL_NO_CA}
HTTP = """
daemon off;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{ access_log off; {servers} }}
"""
SERVER = """
server {{
  listen {listen} ssl;
  server_name {name};
  ssl_certificate {directory}/server.pem;
  ssl_certificate_key {directory}/server.key;
  ssl_client_certificate {directory}/ca.pem;
  ssl_verify_client {mode};
  ssl_verify_depth 1;
  {crl}
  return 200 "$ssl_client_verify|$ssl_client_s_dn|$ssl_client_i_dn|$ssl_client_fingerprint|$ssl_client_escaped_cert";
}}
"""
# With revocation lists OpenSSL 3.0 says of a self-signed certificate that it is on none; later ones do not get so far.
UNLIKE = {("self-signed", True)}


def hosts() -> list[tuple[str, str, bool]]:
    """Name, mode, and whether there is a revocation list."""
    return [
        (f"{mode.replace('_', '-')}.{str(crl).lower()}.example", mode, crl) for mode in MODES for crl in (False, True)
    ]


@pytest.fixture(scope="module")
def nginx_port(nginx_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An nginx with one server for each of ``hosts``."""
    directory = tmp_path_factory.mktemp("nginx")
    files = {
        "server.pem": leaf().pem,
        "server.key": leaf().key_pem,
        "ca.pem": clients.root().pem,
        "crl.pem": revoked_list(),
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)  # nginx expects it of a socket that it takes over
        port = listening.getsockname()[1]
        servers = "".join(
            SERVER.format(
                listen=f"127.0.0.1:{port}",
                name=name,
                directory=directory,
                mode=mode,
                crl=f"ssl_crl {directory}/crl.pem;" if crl else "",
            )
            for name, mode, crl in hosts()
        )
        (directory / "nginx.conf").write_text(HTTP.format(directory=directory, servers=servers))
        number = listening.fileno()
        with (directory / "error.log").open("w") as log:
            process = subprocess.Popen(
                [nginx_program, "-p", str(directory), "-c", str(directory / "nginx.conf")],
                env={**os.environ, "NGINX": f"{number};"},
                pass_fds=[number],
                stderr=log,
            )
        yield port
        process.terminate()
        process.wait(10)


def asked(port: int, name: str, kind: str, folder: Path) -> tuple[int, str]:
    """nginx's status, and its body where that is 200."""
    tcp = socket.create_connection(("127.0.0.1", port), 30)
    with context_of(kind, None, folder).wrap_socket(tcp, server_hostname=name) as tls:
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while data := tls.recv(1 << 16):
            answer += data
    head, _, body = answer.decode().partition("\r\n\r\n")
    status = int(head.split(" ")[1])
    return status, body if status == 200 else ""


def ours(context: VerifyingContext, mode: str, kind: str, folder: Path) -> tuple[int, str]:
    certificate = visit(context, context_of(kind, None, folder)).certificate
    connection = Connection(True, "shop.example", certificate)
    refused = may_serve(ClientCertificates(context.trust, MODES[mode]), connection)
    if refused is not None:
        return refused.status, ""
    facts = (certificate.verdict, certificate.subject, certificate.issuer, certificate.fingerprint)
    return 200, "|".join((*facts, certificate.escaped_pem.decode()))


@pytest.mark.parametrize("kind", [*clients.VERDICTS, "revoked"])
async def test_each_client_gets_nginxs_answer(nginx_port: int, kind: str, tmp_path: Path) -> None:
    pair = leaf()
    contexts = {
        crl: VerifyingContext(
            pair.pem, pair.key_pem, ca_pem=clients.root().pem, crl_pem=revoked_list() if crl else b"", depth=1
        )
        for crl in (False, True)
    }
    for name, mode, crl in hosts():
        if (kind, crl) not in UNLIKE:
            assert ours(contexts[crl], mode, kind, tmp_path) == asked(nginx_port, name, kind, tmp_path), (mode, crl)
