"""What OpenSSL takes from the context a connection began with, and what from the one its server name led to."""

import ssl
import subprocess
import sys

import pytest

from ingressd.tls.context import TlsParameters, apply_parameters, certificate_context
from ingressd.tls.sni import CertificateSwitch, ServerNames
from tests.tls.authority import leaf
from tests.tls.peers import BOTH_VERSIONS, Client, client_context, connected, server_context

each_version = pytest.mark.parametrize("version", BOTH_VERSIONS, ids=lambda v: v.name)


@each_version
def test_a_session_of_one_forked_worker_is_resumed_by_another(version: ssl.TLSVersion) -> None:
    command = [sys.executable, "-m", "tests.tls.workers", version.name]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == ("resumed\n", "")


async def _visit(listener: ssl.SSLContext, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Client:
    wire = connected(server=listener, client=Client(context, session=session))
    wire.transport.write(b"answer")  # TLS 1.3 tickets come after the handshake
    wire.exchange()
    return wire.client


@each_version
async def test_resumption_outlives_a_rotated_certificate(version: ssl.TLSVersion) -> None:
    listener, context = server_context(), client_context(version)
    first = await _visit(listener, context)
    new = leaf("rsa")
    names = ServerNames({"default": certificate_context(new.pem, new.key_pem)}, {}, "default")
    CertificateSwitch(names).install(listener)
    second = await _visit(listener, context, first.tls.session)
    assert second.tls.session_reused


@each_version
async def test_another_parent_cannot_open_the_ticket(version: ssl.TLSVersion) -> None:
    context = client_context(version)
    first = await _visit(server_context(), context)
    second = await _visit(server_context(), context, first.tls.session)
    assert not second.tls.session_reused


@each_version
async def test_without_tickets_nothing_is_handed_out_and_old_ones_are_not_taken(version: ssl.TLSVersion) -> None:
    listener, context = server_context(), client_context(version)
    first = await _visit(listener, context)
    apply_parameters(listener, TlsParameters(sends_tickets=False))
    second = await _visit(listener, context, first.tls.session)
    assert not second.tls.session_reused
    assert second.tls.session is None or not second.tls.session.has_ticket
    apply_parameters(listener, TlsParameters())
    third = await _visit(listener, context)
    assert (await _visit(listener, context, third.tls.session)).tls.session_reused


async def test_a_resumed_session_gets_a_new_ticket() -> None:
    listener, context = server_context(), client_context(ssl.TLSVersion.TLSv1_3)
    client = await _visit(listener, context)
    for _ in range(3):
        client = await _visit(listener, context, client.tls.session)
        assert client.tls.session_reused
