"""The first message of a TLS client, read without OpenSSL: which name and which protocols it asks for.

Needed only where the name decides who speaks TLS at all: connections passed through to a backend, and hosts that ask
for client certificates. Everybody else's first message goes to OpenSSL unseen.

The reader is stricter than OpenSSL on purpose: what it understands has one meaning. What it does not understand is
``HelloError``, and then OpenSSL may have the last word; nothing is granted on the strength of a name that was not read.
"""

from dataclasses import dataclass

MAX_HELLO_BYTES = 16 * 1024
"""Of a hello with its record headers. A large one (post-quantum key share, a big ticket) has 2 to 4 KiB."""

_MAX_FRAGMENT = 1 << 14  # RFC 8446 section 5.1
_MAX_NAME = 255  # RFC 1035 section 2.3.4, and OpenSSL's limit

_HANDSHAKE_RECORD, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN = 0, 16  # extension types: RFC 6066 section 3, RFC 7301 section 3.1

_RECORD_HEADER = 5
_MESSAGE_HEADER = 4
_RANDOM = 2 + 32  # legacy_version and random


class HelloError(ValueError):
    """No ClientHello. ``reason`` is one of: malformed, not_tls, too_large."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client asks for. ``server_name``: lower case, no trailing dot, "" when it sent none."""

    server_name: str
    protocols: tuple[bytes, ...] = ()


class HelloReader:
    """Collects what arrives until the hello is whole. ``data`` is everything so far, to be given on unchanged."""

    __slots__ = ("_wanted", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        self._wanted = 1

    def feed(self, data: bytes | bytearray | memoryview) -> ClientHello | None:
        """The hello once it is whole, None before. Raises HelloError.

        Bytes that come one by one are cheap: nothing is parsed again before what was missing can be there.
        """
        self.data += data
        if len(self.data) < self._wanted:
            return None
        found = read_client_hello(self.data)
        if isinstance(found, ClientHello):
            return found
        self._wanted = found
        return None


def read_client_hello(data: bytes | bytearray) -> ClientHello | int:
    """The hello that ``data`` begins with, or how many bytes there must be at least to try again.

    Raises HelloError.
    """
    message, wanted = _message(data)
    if wanted:
        if wanted > MAX_HELLO_BYTES:
            raise HelloError("too_large", f"a ClientHello of more than {MAX_HELLO_BYTES} bytes")
        return wanted
    return _read_body(_Reader(message))


def _message(data: bytes | bytearray) -> tuple[bytes, int]:
    """The hello's body, put together from as many records as it takes; else how many bytes are needed at least."""
    message = bytearray()
    offset = 0
    while True:
        body = offset + _RECORD_HEADER
        size = _fragment_size(data[offset:body])
        if not size:
            return b"", body
        end = body + size
        if end > MAX_HELLO_BYTES:
            raise HelloError("too_large", f"a ClientHello of more than {MAX_HELLO_BYTES} bytes")
        message += data[body:end]
        missing = _check_message(message)
        if end > len(data):  # what the message lacks beyond this record needs at least one more
            beyond = missing - (end - len(data))
            return b"", end + (_RECORD_HEADER + beyond if beyond > 0 else 0)
        if missing == 0:
            return bytes(message[_MESSAGE_HEADER:]), 0
        if end == len(data):
            return b"", end + _RECORD_HEADER + missing
        offset = end


def _fragment_size(header: bytes | bytearray) -> int:
    """Payload of the record that begins so; 0 when the header is not whole yet."""
    if (header and header[0] != _HANDSHAKE_RECORD) or (len(header) > 1 and header[1] != 3):
        raise HelloError("not_tls", "not a TLS handshake record")
    if len(header) < _RECORD_HEADER:
        return 0
    size = header[3] << 8 | header[4]
    if not 0 < size <= _MAX_FRAGMENT:
        raise HelloError("malformed", f"a handshake record of {size} bytes (RFC 8446 section 5.1)")
    return size


def _check_message(message: bytes | bytearray) -> int:
    """How many bytes the message still lacks, at least."""
    if message and message[0] != _CLIENT_HELLO:
        raise HelloError("not_tls", "the first handshake message is not a ClientHello")
    if len(message) < _MESSAGE_HEADER:
        return _MESSAGE_HEADER - len(message)
    size = int.from_bytes(message[1:_MESSAGE_HEADER])
    if size > MAX_HELLO_BYTES:
        raise HelloError("too_large", f"a ClientHello of {size} bytes")
    missing = _MESSAGE_HEADER + size - len(message)
    if missing < 0:
        raise HelloError("malformed", "something follows the ClientHello in its record (RFC 8446 section 5.1)")
    return missing


class _Reader:
    """Takes length-prefixed pieces off the front. Raises HelloError when there is less than a length says."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data)

    @property
    def is_empty(self) -> bool:
        return self._position == self._end

    def take(self, size: int) -> bytes:
        start = self._position
        if size > self._end - start:
            raise HelloError("malformed", "a length in the ClientHello goes beyond its end")
        self._position = start + size
        return self._data[start : start + size]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, length_size: int, least: int = 0) -> bytes:
        """What follows its own length, which must be ``least`` or more."""
        found = self.take(self.number(length_size))
        if len(found) < least:
            raise HelloError("malformed", "a field of the ClientHello is too short")
        return found

    def finish(self) -> None:
        if not self.is_empty:
            raise HelloError("malformed", "bytes are left over in the ClientHello")


def _read_body(body: _Reader) -> ClientHello:
    """RFC 8446 section 4.1.2; the same layout since TLS 1.0."""
    if body.take(_RANDOM)[0] != 3:
        raise HelloError("malformed", "not a version of TLS")
    session_id, suites = body.vector(1), body.vector(2, 2)
    if len(session_id) > 32 or len(suites) % 2:
        raise HelloError("malformed", "session id or cipher suites have an impossible length")
    body.vector(1, 1)  # compression methods
    extensions = {} if body.is_empty else _extensions(_Reader(body.vector(2)))
    body.finish()
    name, protocols = extensions.get(_SERVER_NAME), extensions.get(_ALPN)
    return ClientHello(
        "" if name is None else _server_name(_Reader(name)),
        () if protocols is None else _protocols(_Reader(protocols)),
    )


def _extensions(data: _Reader) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while not data.is_empty:
        kind, content = data.number(2), data.vector(2)
        if kind in found:  # RFC 8446 section 4.2
            raise HelloError("malformed", f"extension {kind} comes twice")
        found[kind] = content
    return found


def _server_name(extension: _Reader) -> str:
    """The one name of the list. No other type of name exists, and no client sends two (RFC 6066 section 3)."""
    names = _Reader(extension.vector(2, 1))
    extension.finish()
    if names.number(1) != 0:
        raise HelloError("malformed", "a server name of unknown type")
    name = names.vector(2, 1)
    names.finish()
    if len(name) > _MAX_NAME or not all(0x20 < byte < 0x7F for byte in name):
        raise HelloError("malformed", "a server name that cannot be one")
    return name.decode("ascii").lower().removesuffix(".")


def _protocols(extension: _Reader) -> tuple[bytes, ...]:
    names = _Reader(extension.vector(2, 2))
    extension.finish()
    found = []
    while not names.is_empty:
        found.append(names.vector(1, 1))
    return tuple(found)
