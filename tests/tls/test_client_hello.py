"""ClientHellos cut anywhere, in any number of records, and what is none."""

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.tls import client_hello
from ingressd.tls.client_hello import MAX_HELLO_BYTES, ClientHello, HelloError, HelloReader, read_client_hello
from tests.support.tools import find_tool
from tests.tls import hellos
from tests.tls.hellos import alpn_extension, body, hello, message, name_extension, records, vector

GREASE = b"\x0a\x0a\x00\x00"

GOOD = {
    "OpenSSL, TLS 1.3": (hellos.real_hello(), ClientHello("shop.example")),
    "OpenSSL, TLS 1.2": (hellos.real_hello(tls_1_2=True), ClientHello("shop.example")),
    "OpenSSL, ALPN": (
        hellos.real_hello("a.b.example", ("h2", "http/1.1")),
        ClientHello("a.b.example", (b"h2", b"http/1.1")),
    ),
    "OpenSSL, no name": (hellos.real_hello(""), ClientHello("")),
    "no extensions": (hello(), ClientHello("")),
    "upper case and a trailing dot": (hello(name_extension(b"Shop.EXAMPLE.")), ClientHello("shop.example")),
    "names of underscores and addresses are names": (hello(name_extension(b"_x.10.0.0.1")), ClientHello("_x.10.0.0.1")),
    "unknown extensions": (hello(GREASE, alpn_extension(b"h2"), b"\xff\x01\0\1\0"), ClientHello("", (b"h2",))),
    "a fragment each byte": (
        records(message(body(name_extension(b"a.example"))), 1),
        ClientHello("a.example"),
    ),
    "in two records": (records(message(body(name_extension(b"a.example"))), 40), ClientHello("a.example")),
    "with what follows it": (hello(name_extension(b"a.example")) + b"\x14\x03\x03\0\1\1", ClientHello("a.example")),
    "large": (hello(b"\x00\x15" + vector(2, b"\0" * 15_000), name_extension(b"a.example")), ClientHello("a.example")),
}

BAD = {
    "HTTP": (b"GET / HTTP/1.1\r\n", "not_tls"),
    "SSH": (b"SSH-2.0-OpenSSH", "not_tls"),
    "SSL 2": (b"\x80\x2e\x01\x00\x02", "not_tls"),
    "an alert": (b"\x15\x03\x01\0\2\2\x28", "not_tls"),
    "a handshake that is no ClientHello": (records(message(body(), 2)), "not_tls"),
    "version 4 of the record": (b"\x16\x04\x01\0\1\1", "not_tls"),
    "an empty record": (b"\x16\x03\x01\0\0", "malformed"),
    "a record of 16 KiB and a byte": (b"\x16\x03\x01\x40\x01", "malformed"),
    "a hello of 16 MiB": (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", "too_large"),
    "a hello of more than fits": (hello(b"\x00\x15" + vector(2, b"\0" * MAX_HELLO_BYTES)), "too_large"),
    "too much in small records": (records(message(body(b"\x00\x15" + vector(2, b"\0" * 9000))), 1), "too_large"),
    "another message in the record": (records(message(body()) + b"\x01"), "malformed"),
    "version of the message": (records(message(body(version=b"\x02\x03"))), "malformed"),
    "no suites": (records(message(body(suites=b""))), "malformed"),
    "half a suite": (records(message(body(suites=b"\x13\x01\x13"))), "malformed"),
    "no compression": (records(message(body(compression=b""))), "malformed"),
    "a long session id": (records(message(body(session_id=b"s" * 33))), "malformed"),
    "bytes after the extensions": (records(message(body(GREASE) + b"x")), "malformed"),
    "cut in the random": (records(message(b"\x03\x03short")), "malformed"),
    "two names": (hello(b"\0\0" + vector(2, vector(2, (b"\0" + vector(2, b"a")) * 2))), "malformed"),
    "two name extensions": (hello(name_extension(b"a"), name_extension(b"b")), "malformed"),
    "two unknown extensions of a kind": (hello(GREASE, GREASE), "malformed"),
    "an empty name": (hello(name_extension(b"")), "malformed"),
    "an empty list of names": (hello(b"\0\0" + vector(2, vector(2, b""))), "malformed"),
    "an empty name extension": (hello(b"\0\0\0\0"), "malformed"),
    "a name of another type": (hello(name_extension(b"a", 1)), "malformed"),
    "bytes after the list of names": (hello(b"\0\0" + vector(2, vector(2, b"\0\0\1a") + b"x")), "malformed"),
    "a name with a zero byte": (hello(name_extension(b"good.example\0.bad")), "malformed"),
    "a name with a space": (hello(name_extension(b"a b")), "malformed"),
    "a name that is not ASCII": (hello(name_extension("bücher".encode())), "malformed"),
    "a name of 256": (hello(name_extension(b"a" * 256)), "malformed"),
    "no protocols": (hello(alpn_extension()), "malformed"),
    "an empty protocol": (hello(alpn_extension(b"h2", b"")), "malformed"),
    "a protocol beyond its list": (hello(b"\0\x10" + vector(2, vector(2, b"\5h2"))), "malformed"),
    "an extension beyond the message": (records(message(body(GREASE)[:-4] + b"\0\0\0\7")), "malformed"),
}


@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD)
def test_what_a_client_asks_for(data: bytes, expected: ClientHello) -> None:
    assert read_client_hello(data) == expected


@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD)
def test_cut_at_every_byte(data: bytes, expected: ClientHello) -> None:
    whole = next(n for n in range(1, len(data) + 1) if isinstance(read_client_hello(data[:n]), ClientHello))
    for cut in range(whole):
        reader = HelloReader()
        assert reader.feed(data[:cut]) is None
        assert reader.feed(data[cut:]) == expected
        assert reader.data == data


@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD)
def test_byte_by_byte(data: bytes, expected: ClientHello) -> None:
    reader = HelloReader()
    found = [hello for byte in data if (hello := reader.feed(bytes([byte]))) is not None]
    assert found[0] == expected


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_what_is_none(data: bytes, reason: str) -> None:
    with pytest.raises(HelloError) as caught:
        read_client_hello(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_what_is_none_byte_by_byte(data: bytes, reason: str) -> None:
    reader = HelloReader()

    def feed_all() -> None:
        for byte in data:
            assert reader.feed(bytes([byte])) is None

    with pytest.raises(HelloError) as caught:
        feed_all()
    assert caught.value.reason == reason
    assert len(reader.data) <= MAX_HELLO_BYTES + 1


def test_how_many_bytes_are_missing_is_never_too_many() -> None:
    data = GOOD["in two records"][0]
    for cut in range(len(data)):
        wanted = read_client_hello(data[:cut])
        assert isinstance(wanted, int)
        assert cut < wanted <= len(data)


def test_small_records_one_by_one_are_not_read_again_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a stranger could have 16 KiB cost seconds."""
    times = 0

    def counted(data: bytearray) -> ClientHello | int:
        nonlocal times
        times += 1
        return read_client_hello(data)

    monkeypatch.setattr(client_hello, "read_client_hello", counted)
    reader = HelloReader()
    data = records(message(body(b"\x00\x15" + vector(2, b"\0" * 2600))), 1)
    found = [reader.feed(data[i : i + 6]) for i in range(0, len(data), 6)]
    assert found[-1] == ClientHello("")
    assert times < 100


def test_the_openssl_program() -> None:
    """Its hello as hexadecimal, from its own trace of a connection that nobody answers."""
    openssl = find_tool("openssl")
    trace = subprocess.run(
        [sys.executable, "-m", "tests.tls.hello_of", openssl], capture_output=True, timeout=60, check=True
    ).stdout
    assert read_client_hello(trace) == ClientHello("s-client.example", (b"h2", b"http/1.1"))


def _never_raises_another(data: bytes) -> None:
    with contextlib.suppress(HelloError):
        found = read_client_hello(data)
        assert isinstance(found, ClientHello) or len(data) < found <= MAX_HELLO_BYTES


@given(st.binary(max_size=400))
def test_noise(data: bytes) -> None:
    _never_raises_another(data)
    _never_raises_another(records(b"\1" + vector(3, data)) if data else b"")


@given(st.sampled_from([data for data, _ in GOOD.values() if len(data) < 2000]), st.data())
def test_mutations(data: bytes, draw: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        position = draw.draw(st.integers(0, len(changed) - 1))
        changed[position : position + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=3))
        if not changed:
            break
    _never_raises_another(bytes(changed))
