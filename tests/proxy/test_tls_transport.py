"""The TLS transport by transcripts, without sockets: what the inner protocol, the owner and the client see."""

import asyncio
import ssl
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.tls.context import listener_context
from ingressd.tls.sni import CertificateSwitch, ServerNames
from tests.tls.peers import (
    BOTH_VERSIONS,
    Client,
    FakeTcp,
    Inner,
    Owner,
    Wire,
    client_context,
    connected,
    server_context,
)

PAUSE_OF_ONE_TURN = 1 << 20
SERVER = server_context()

each_version = pytest.mark.parametrize("version", BOTH_VERSIONS, ids=lambda v: v.name)


# ── the handshake ──


@each_version
@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 30])
async def test_a_request_and_its_answer_in_pieces_of_any_size(version: ssl.TLSVersion, piece: int) -> None:
    wire = connected(version=version, piece=piece)
    wire.inner.on_data = lambda data: wire.transport.write(data.upper())
    wire.send(b"hello")
    wire.exchange()
    assert bytes(wire.inner.received) == b"hello"
    assert bytes(wire.client.received) == b"HELLO"
    assert wire.owner.ended == [""]
    assert wire.transport.handshake_done
    assert wire.client.tls.selected_alpn_protocol() == "http/1.1"


@each_version
async def test_a_flight_is_one_write(version: ssl.TLSVersion) -> None:
    wire = connected(version=version)
    assert len(wire.tcp.written) == 2


async def test_a_request_with_the_last_flight_is_answered_in_the_same_write() -> None:
    wire = Wire(version=ssl.TLSVersion.TLSv1_3)
    wire.inner.on_data = lambda data: wire.transport.write(b"answer")
    wire.to_server(wire.client.step())
    finished = wire.client.step(wire.from_server())
    wire.to_server(finished + wire.client.send(b"request"))
    assert wire.inner.transcript == ["made", len(b"request")]
    assert len(wire.tcp.written) == 2  # the server's flight; session ticket and answer
    wire.exchange()
    assert bytes(wire.client.received) == b"answer"


async def test_nothing_is_made_before_it_is_needed() -> None:
    def make() -> Inner:
        raise AssertionError("no handshake, no inner protocol")

    wire = Wire()
    wire.transport._make_inner = make
    assert wire.transport.get_extra_info("ssl_object") is None
    wire.to_server(wire.client.step()[:50])
    assert isinstance(wire.transport.get_extra_info("ssl_object"), ssl.SSLObject)
    assert wire.transport.get_extra_info("peername") == ("192.0.2.1", 4711)
    assert wire.transport.get_extra_info("nothing", "default") == "default"
    assert wire.owner.started == 1
    assert wire.owner.ended == []


@pytest.mark.parametrize("sent", [0, 1, 100, 5000])
@pytest.mark.parametrize("end", ["abort", "close", "deadline", "eof", "reset"])
async def test_an_end_in_the_middle_of_the_handshake(sent: int, end: str) -> None:
    wire = Wire()
    wire.to_server(wire.client.step()[:sent])
    if end == "abort":
        wire.transport.abort()
    elif end == "close":
        wire.transport.close()
    elif end == "deadline":
        wire.transport.on_deadline(0.0)
    elif end == "eof":
        assert not wire.transport.eof_received()  # the loop closes
        wire.tcp.close()
    assert wire.is_tcp_closed() or end == "reset"
    assert wire.owner.ended == []  # so that the owner's deadline covers the goodbye
    wire.transport.connection_lost(ConnectionResetError() if end == "reset" else None)
    assert wire.owner.ended == ["closed" if end in ("eof", "reset") else "aborted"]
    assert wire.inner.transcript == []


def _client(change: Callable[[ssl.SSLContext], object]) -> Client:
    context = client_context()
    change(context)
    return Client(context)


def _speak_tls_1_1(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def _offer_only_cbc(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")


def _distrust(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("change", "failure"),
    [(_speak_tls_1_1, "protocol_version"), (_offer_only_cbc, "no_shared_cipher"), (_distrust, "peer_alert")],
)
async def test_why_a_handshake_failed(change: Callable[[ssl.SSLContext], object], failure: str) -> None:
    wire = Wire(client=_client(change))
    with pytest.raises(ssl.SSLError):
        wire.exchange()
    wire.to_server(wire.client.outgoing.read() or b"\x15")
    assert wire.is_tcp_closed()
    wire.transport.connection_lost(None)
    assert wire.owner.ended == [failure]
    assert wire.inner.transcript == []


async def test_a_listener_without_any_certificate_says_so_with_an_alert() -> None:
    listener = listener_context()
    CertificateSwitch(ServerNames()).install(listener)
    wire = Wire(server=listener)
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        wire.exchange()
    wire.transport.connection_lost(None)
    assert wire.owner.ended == ["no_certificate"]


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"P"])
async def test_plain_http_is_answered_in_plain_text(request_: bytes) -> None:
    wire = Wire()
    wire.to_server(request_)
    assert wire.owner.plain == request_
    assert wire.tcp.written == [Owner.answer]
    assert wire.tcp.ended
    assert not wire.is_tcp_closed()  # what the client still sends must not reset the answer away
    wire.to_server(b"more of the body")
    assert not wire.transport.eof_received()
    wire.transport.connection_lost(None)
    assert wire.owner.ended == ["plain_http"]


async def test_a_plain_client_that_never_leaves_is_aborted_by_the_owner() -> None:
    wire = Wire()
    wire.tcp.takes_everything, wire.tcp.limit = False, 0
    wire.to_server(b"GET")
    wire.tcp.drain()
    wire.transport.on_deadline(0.0)
    assert wire.tcp.aborted
    wire.transport.connection_lost(None)
    assert wire.owner.ended == ["plain_http"]


@pytest.mark.parametrize("noise", [b"\x80\x2e\x01", b"\x00", b"get / HTTP", b"\xffX", b"1"])
async def test_what_is_neither_is_closed(noise: bytes) -> None:
    wire = Wire()
    wire.to_server(noise)
    assert wire.is_tcp_closed()
    assert wire.tcp.written == []
    wire.transport.connection_lost(None)
    assert wire.owner.ended == ["not_tls"]


KNOWN_FAILURES = {
    *("", "closed", "plain_http", "not_tls", "no_certificate"),
    *("no_shared_cipher", "peer_alert", "protocol_error", "protocol_version"),
}


@given(st.data())
def test_a_mangled_handshake_never_raises(data: st.DataObject) -> None:
    async def run() -> None:
        wire = Wire(server=SERVER)
        hello = bytearray(wire.client.step())
        for position in data.draw(st.lists(st.integers(0, len(hello) - 1), max_size=6)):
            hello[position] = data.draw(st.integers(0, 127))  # a server name that is not ASCII: see test_sni
        wire.to_server(bytes(hello[: data.draw(st.integers(0, len(hello)))]))
        wire.to_server(data.draw(st.binary(max_size=100)))
        wire.transport.connection_lost(None)
        assert len(wire.owner.ended) == 1
        assert wire.owner.ended[0] in KNOWN_FAILURES

    asyncio.run(run())


# ── receiving ──


async def test_a_batch_of_records_is_handed_on_together() -> None:
    wire = connected()
    wire.to_server(wire.client.send(b"one") + wire.client.send(b"two"))
    assert wire.inner.transcript == ["made", len(b"onetwo")]


async def test_answers_to_one_batch_leave_in_one_write() -> None:
    wire = connected()
    before = len(wire.tcp.written)

    def answer_thrice(data: bytes) -> None:
        for _ in range(3):
            wire.transport.write(b"answer")

    wire.inner.on_data = answer_thrice
    wire.send(b"request")
    assert len(wire.tcp.written) == before + 1
    wire.exchange()
    assert bytes(wire.client.received) == b"answer" * 3


async def test_many_answers_to_one_batch_do_not_pile_up() -> None:
    wire = connected()

    def answer_much(data: bytes) -> None:
        for _ in range(100):
            wire.transport.write(bytes(10_000))
            assert wire.transport._outgoing.pending < 64 * 1024

    wire.inner.on_data = answer_much
    wire.send(b"request")
    wire.exchange()
    assert len(wire.client.received) == 1_000_000


async def test_paused_reading_stops_decrypting_and_tcp() -> None:
    wire = connected()
    body = bytes(range(256)) * 1200  # 300 KiB in one delivery
    wire.inner.on_data = lambda data: wire.transport.pause_reading()
    wire.send(body)
    assert wire.is_tcp_paused()
    assert not wire.transport.is_reading()
    assert len(wire.inner.received) <= 48 * 1024
    await asyncio.sleep(0)
    before = len(wire.inner.received)
    wire.transport.resume_reading()
    assert len(wire.inner.received) == before  # not out of resume_reading itself
    while len(wire.inner.received) < len(body):
        assert wire.is_tcp_paused()
        wire.transport.resume_reading()
        await asyncio.sleep(0)
    assert bytes(wire.inner.received) == body
    wire.inner.on_data = lambda data: None
    wire.transport.resume_reading()
    assert not wire.is_tcp_paused()
    wire.send(b"next")
    assert wire.inner.received.endswith(b"next")


async def test_pausing_and_resuming_at_once_loses_nothing() -> None:
    wire = connected()
    body = bytes(range(256)) * 1200

    def pause_and_resume(data: bytes) -> None:
        wire.transport.pause_reading()
        wire.transport.resume_reading()

    wire.inner.on_data = pause_and_resume
    wire.send(body)
    await asyncio.sleep(0)
    assert bytes(wire.inner.received) == body
    assert not wire.is_tcp_paused()


async def test_a_tcp_transport_that_delivers_though_paused() -> None:
    wire = connected()
    wire.transport.pause_reading()
    wire.transport.pause_reading()
    wire.send(b"one")
    wire.send(b"two")
    assert wire.inner.received == b""
    wire.transport.resume_reading()
    await asyncio.sleep(0)
    assert wire.inner.received == b"onetwo"


async def test_the_end_waits_until_reading_is_resumed() -> None:
    wire = connected()
    wire.inner.on_data = lambda data: wire.transport.pause_reading()
    wire.to_server(wire.client.send(b"last") + wire.client.close_notify())
    assert wire.inner.transcript == ["made", 4]
    wire.transport.resume_reading()
    await asyncio.sleep(0)
    assert wire.inner.transcript == ["made", 4, "eof"]


@pytest.mark.parametrize("piece", [1, 1 << 30])
async def test_a_forged_record_ends_the_connection_after_the_good_ones(piece: int) -> None:
    wire = connected(piece=piece)
    good, forged = wire.client.send(b"good"), bytearray(wire.client.send(b"forged"))
    forged[-1] ^= 1
    wire.to_server(good + bytes(forged))
    assert wire.inner.received == b"good"
    assert wire.is_tcp_closed()
    with pytest.raises(ssl.SSLError, match="ALERT_BAD_RECORD_MAC"):
        wire.exchange()
    wire.to_server(good)
    wire.transport.write(b"too late")
    wire.transport.connection_lost(None)
    assert wire.inner.transcript == ["made", 4, ssl.SSLError]


# ── sending ──


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 100_000, 3_000_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_writes_of_any_size_and_kind(size: int, kind: Callable[[bytes], bytes]) -> None:
    wire = connected()
    content = bytes(i % 251 for i in range(size))
    wire.transport.write(kind(content))
    while wire.transport._backlog:
        await asyncio.sleep(0)
    wire.exchange()
    assert bytes(wire.client.received) == content


async def test_writelines_is_one_record_when_small() -> None:
    wire = connected()
    wire.from_server()
    wire.transport.writelines([b"head", b"", b"body"])
    assert len(wire.from_server()) < 2 * (5 + 1 + 16) + 8
    wire.transport.writelines([b"head", bytes(100_000), b"", b"tail"])
    wire.transport.write(b"")
    assert wire.transport.get_write_buffer_size() == 0


async def test_a_body_of_16_mib_is_encrypted_in_turns() -> None:
    wire = connected()
    wire.transport.write(bytes(16 << 20))
    turns = 1
    while wire.transport._backlog:
        assert sum(map(len, wire.tcp.written)) < turns * (PAUSE_OF_ONE_TURN + 100_000)
        await asyncio.sleep(0)
        turns += 1
    assert turns == 16
    assert wire.inner.transcript == ["made", "pause", "resume"]
    wire.exchange()
    assert len(wire.client.received) == 16 << 20


async def test_what_tcp_does_not_take_is_not_even_encrypted() -> None:
    wire = connected()
    wire.tcp.takes_everything = False
    wire.transport.write(bytes(1 << 20))
    assert wire.inner.transcript == ["made", "pause"]
    assert wire.tcp.unsent < 2 * wire.tcp.limit
    assert 1 << 20 < wire.transport.get_write_buffer_size() < (1 << 20) + 10_000
    wire.transport.write(b"behind")
    await asyncio.sleep(0)
    assert wire.tcp.unsent < 2 * wire.tcp.limit  # nobody encrypts behind TCP's back
    while wire.tcp.unsent:
        wire.tcp.drain()
    assert wire.inner.transcript == ["made", "pause", "resume"]
    wire.exchange()
    assert bytes(wire.client.received) == bytes(1 << 20) + b"behind"


async def test_tcp_full_of_small_writes_pauses_the_inner_protocol() -> None:
    wire = connected()
    wire.tcp.takes_everything = False
    while "pause" not in wire.inner.transcript:
        wire.transport.write(bytes(1000))
    assert wire.transport.get_write_buffer_size() > wire.tcp.limit
    wire.tcp.drain()
    assert wire.inner.transcript == ["made", "pause", "resume"]


async def test_an_inner_protocol_made_while_tcp_is_full_hears_of_it() -> None:
    wire = Wire()
    wire.transport.pause_writing()
    wire.exchange()
    assert wire.inner.transcript == ["made", "pause"]
    wire.transport.resume_writing()
    assert wire.inner.transcript == ["made", "pause", "resume"]


# ── ends ──


@each_version
async def test_close_says_close_notify_after_the_answer_in_the_same_delivery(version: ssl.TLSVersion) -> None:
    wire = connected(version=version)

    def answer_and_close(data: bytes) -> None:
        wire.transport.write(b"bye")
        wire.transport.close()
        wire.transport.close()

    wire.inner.on_data = answer_and_close
    wire.send(b"request")
    assert wire.is_tcp_closed()
    assert wire.transport.is_closing()
    wire.exchange()
    assert wire.client.saw_close_notify
    assert bytes(wire.client.received) == b"bye"
    wire.transport.connection_lost(None)
    assert wire.inner.transcript == ["made", len(b"request"), "lost"]


async def test_close_sends_the_backlog_first_and_drops_what_arrives() -> None:
    wire = connected()
    wire.tcp.takes_everything = False
    wire.transport.write(bytes(1 << 20))
    wire.transport.close()
    assert not wire.is_tcp_closed()
    wire.send(b"ignored")
    assert wire.transport.eof_received()  # the loop must not close either
    while wire.tcp.unsent and not wire.tcp.closed:
        wire.tcp.drain()
    wire.exchange()
    assert len(wire.client.received) == 1 << 20
    assert wire.client.saw_close_notify
    assert wire.is_tcp_closed()
    assert "resume" not in wire.inner.transcript
    assert wire.inner.received == b""


async def test_abort_sends_nothing() -> None:
    wire = connected()
    wire.tcp.takes_everything = False
    wire.transport.write(bytes(1 << 20))
    wire.from_server()
    wire.transport.abort()
    assert wire.tcp.aborted
    wire.transport.write(b"late")
    wire.transport.resume_writing()
    assert wire.from_server() == b""
    wire.transport.connection_lost(None)
    assert wire.inner.transcript == ["made", "pause", "lost"]


async def test_abort_while_a_turn_is_due() -> None:
    wire = connected()
    wire.transport.write(bytes(4 << 20))
    wire.transport.abort()
    wire.from_server()
    await asyncio.sleep(0)
    assert wire.from_server() == b""


@each_version
async def test_close_notify_is_an_end_and_a_bare_tcp_end_is_a_truncation(version: ssl.TLSVersion) -> None:
    wire = connected(version=version)
    wire.to_server(wire.client.close_notify())
    assert wire.inner.transcript == ["made", "eof"]
    assert wire.is_tcp_closed()
    wire = connected(version=version)
    assert wire.transport.eof_received()
    assert wire.inner.transcript == ["made", "truncated"]
    assert wire.is_tcp_closed()


async def test_a_peer_that_has_said_all_is_still_answered() -> None:
    wire = connected(version=ssl.TLSVersion.TLSv1_3)
    wire.inner.keep_open = True
    wire.to_server(wire.client.send(b"request") + wire.client.close_notify())
    wire.to_server(b"after the end")
    assert wire.transport.eof_received()
    assert wire.inner.transcript == ["made", 7, "eof"]  # the end is told once
    wire.transport.write(b"answer")
    wire.transport.close()
    wire.exchange()
    assert bytes(wire.client.received) == b"answer"


@each_version
async def test_write_eof_ends_one_direction(version: ssl.TLSVersion) -> None:
    wire = connected(version=version)
    assert wire.transport.can_write_eof()
    wire.transport.write(b"all I have to say")
    wire.transport.write_eof()
    wire.transport.write_eof()
    with pytest.raises(RuntimeError):
        wire.transport.write(b"one more thing")
    sent = wire.client.send(b"and I say")  # before it has seen the end
    wire.exchange()
    assert wire.client.saw_close_notify
    assert not wire.is_tcp_closed()
    wire.to_server(sent)
    assert wire.inner.received == b"and I say"
    wire.to_server(wire.client.close_notify())
    assert wire.inner.transcript == ["made", 9, "eof"]
    assert wire.is_tcp_closed()


async def test_write_eof_after_a_large_body() -> None:
    wire = connected()
    wire.tcp.takes_everything = False
    wire.transport.write(bytes(1 << 20))
    wire.transport.write_eof()
    while wire.tcp.unsent:
        wire.tcp.drain()
    wire.exchange()
    assert len(wire.client.received) == 1 << 20
    assert wire.client.saw_close_notify
    assert not wire.is_tcp_closed()


async def test_a_lost_connection_keeps_nothing_and_raises_nothing() -> None:
    wire = connected()
    transport = wire.transport
    transport.connection_lost(ConnectionResetError())
    assert wire.inner.transcript == ["made", ConnectionResetError]
    transport.write(b"x")
    transport.writelines([b"x", bytes(1 << 20)])
    transport.write_eof()
    transport.pause_reading()
    transport.resume_reading()
    transport.resume_writing()
    transport.close()
    transport.abort()
    assert transport.is_closing()
    assert transport.get_write_buffer_size() == 0
    assert transport.get_extra_info("ssl_object") is None
    for slot in ("_ssl", "_incoming", "_outgoing", "_inner", "_owner", "_backlog"):
        assert getattr(transport, slot) is None


async def test_losing_tcp_between_resume_and_the_next_turn() -> None:
    wire = connected()
    wire.inner.on_data = lambda data: wire.transport.pause_reading()
    wire.send(bytes(300_000))
    wire.transport.resume_reading()
    wire.transport.connection_lost(None)
    before = len(wire.inner.received)
    await asyncio.sleep(0)
    assert len(wire.inner.received) == before


async def test_another_protocol_takes_over() -> None:
    wire = connected()
    tunnel = Inner()
    wire.transport.set_protocol(tunnel)
    assert wire.transport.get_protocol() is tunnel
    wire.send(b"frames")
    assert tunnel.received == b"frames"


async def test_limits_are_tcps() -> None:
    class Limited(FakeTcp):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            self.limits = (low or 0, high or 0)

        def get_write_buffer_limits(self) -> tuple[int, int]:
            return self.limits

    wire = Wire()
    tcp = Limited()
    tcp.attach(wire.transport)
    wire.transport.set_write_buffer_limits(high=20, low=10)
    assert wire.transport.get_write_buffer_limits() == (10, 20)
