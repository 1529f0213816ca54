"""ClientHellos: of real clients, and put together by hand."""

import ssl
import struct


def real_hello(name: str = "shop.example", protocols: tuple[str, ...] = (), tls_1_2: bool = False) -> bytes:
    """What Python's OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if tls_1_2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if protocols:
        context.set_alpn_protocols(list(protocols))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name or None)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size) + content


def name_extension(name: bytes, kind: int = 0) -> bytes:
    return struct.pack("!H", 0) + vector(2, vector(2, bytes([kind]) + vector(2, name)))


def alpn_extension(*protocols: bytes) -> bytes:
    return struct.pack("!H", 16) + vector(2, vector(2, b"".join(vector(1, p) for p in protocols)))


def body(
    *extensions: bytes,
    version: bytes = b"\x03\x03",
    session_id: bytes = b"",
    suites: bytes = b"\x13\x01",
    compression: bytes = b"\0",
) -> bytes:
    start = version + b"r" * 32 + vector(1, session_id) + vector(2, suites) + vector(1, compression)
    return start + (vector(2, b"".join(extensions)) if extensions else b"")


def message(content: bytes, kind: int = 1) -> bytes:
    return bytes([kind]) + vector(3, content)


def records(handshake: bytes, fragment: int = 1 << 14) -> bytes:
    pieces = [handshake[i : i + fragment] for i in range(0, len(handshake), fragment)]
    return b"".join(b"\x16\x03\x01" + vector(2, piece) for piece in pieces)


def hello(*extensions: bytes) -> bytes:
    return records(message(body(*extensions)))
