"""What the ConfigMap says of TLS for all hosts, as handshakes show it."""

import socket
import ssl
from collections.abc import Iterator

import pytest

from ingressd.tls import groups
from tests.annotations.case import Ask, Case, Want
from tests.annotations.desk import Desk

_STEP = ((Ask(tls=True), Want(seen="echo")),)
USUAL = Case(title="usual", steps=_STEP, tls=True)
TICKETS = Case(title="tickets", steps=_STEP, tls=True, config={"ssl-session-tickets": "true"})
NO_TICKETS = Case(title="no tickets", steps=_STEP, tls=True, config={"ssl-session-tickets": "false"})
CURVES = Case(title="curves", steps=_STEP, tls=True, config={"ssl-ecdh-curve": "secp384r1:X25519"})
BAD_CURVES = Case(title="bad curves", steps=_STEP, tls=True, config={"ssl-ecdh-curve": "secp521r1"})


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with Desk("listeners", [USUAL, TICKETS, NO_TICKETS, CURVES, BAD_CURVES]) as desk:
        yield desk


def visit(
    desk: Desk, case: Case, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession | None, bool | None]:
    """The session of a connection over which one request was answered, and whether it was resumed."""
    host = desk.host(case)
    plain = socket.create_connection(("127.0.0.1", desk.daemon.https_port), 20.0)
    connection = context.wrap_socket(plain, server_hostname=host, session=session)
    connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    seen = connection.session, connection.session_reused
    connection.close()
    return seen


def trusting(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, offer: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    assert not offer or groups._set_groups(context, offer)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda one: one.name)
@pytest.mark.parametrize(("case", "has_tickets"), [(USUAL, True), (TICKETS, True), (NO_TICKETS, False)], ids=str)
def test_tickets(desk: Desk, case: Case, has_tickets: bool, version: ssl.TLSVersion) -> None:
    desk.show(case)
    context = trusting(version)

    session, _ = visit(desk, case, context)

    assert (session is not None and session.has_ticket) is has_tickets
    if has_tickets:
        assert visit(desk, case, context, session)[1]


@pytest.mark.parametrize(
    ("case", "offer", "is_taken"),
    [
        (USUAL, "P-256", True),
        (CURVES, "P-256", False),
        (CURVES, "P-384", True),
        (CURVES, "X25519", True),
        (BAD_CURVES, "P-256", True),
        (BAD_CURVES, "P-521", False),
    ],
)
def test_curves(desk: Desk, case: Case, offer: str, is_taken: bool) -> None:
    desk.show(case)
    if is_taken:
        visit(desk, case, trusting(offer=offer))
        return
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        visit(desk, case, trusting(offer=offer))
