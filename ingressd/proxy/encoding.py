"""Streams of gzip and brotli, a slice at a time, so that no other request waits for one compression.

What comes in faster than it is compressed waits here: whoever feeds pauses its source while ``pending``, and calls
``more`` in the next turn of the loop.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, Final, Protocol

from ingressd.policy.compression import Coding

MAX_BROTLI_LEVEL: Final = 6
"""Beyond it the library works for 5 to 440 ms at a stretch, whatever it is fed; higher levels count as this one."""
_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS
_BROTLI_WINDOW_BITS: Final = 16  # twice gzip's; with more, levels 5 and 6 take up to 3 MB for each answer under way
MAX_MEMORY_BYTES: Final = 128 << 20
"""For all compressors of a worker together: 480 answers at a time with gzip, 150 with brotli. Others go out plain."""
_COST_BYTES: Final[dict[Coding, int]] = {"gzip": 270 << 10, "br": 830 << 10}  # measured, at any level used
_SLICE_BYTES: Final = 32 * 1024
"""In one turn: up to 0.9 ms with gzip at levels 1 to 6 and with brotli, on 1 core of a shared 2024 server."""
_SLICE_BYTES_HARD: Final = 16 * 1024  # gzip at levels 7 to 9: up to 1.7 ms


class _Compressor(Protocol):
    def compress(self, data: bytes | memoryview) -> bytes: ...
    def flush(self) -> bytes: ...
    def finish(self) -> bytes: ...


class _Gzip:
    __slots__ = ("_stream",)

    def __init__(self, level: int) -> None:
        self._stream = zlib.compressobj(level, zlib.DEFLATED, _GZIP_HEADER)

    def compress(self, data: bytes | memoryview) -> bytes:
        return self._stream.compress(data)

    def flush(self) -> bytes:
        return self._stream.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._stream.flush(zlib.Z_FINISH)


class _Brotli:
    """Brotli gathers input and then works on all of it: it is made to after each slice, at 1 to 2 % of the size."""

    __slots__ = ("_gathered", "_stream")

    def __init__(self, level: int) -> None:
        library = _brotli_library()
        assert library is not None  # noqa: S101 - has_brotli() was asked before this coding was chosen
        self._stream = library.Compressor(quality=min(level, MAX_BROTLI_LEVEL), lgwin=_BROTLI_WINDOW_BITS)
        self._gathered = 0

    def compress(self, data: bytes | memoryview) -> bytes:
        out: bytes = self._stream.process(bytes(data))
        self._gathered += len(data)
        return out + self.flush() if self._gathered >= _SLICE_BYTES else out

    def flush(self) -> bytes:
        if not self._gathered:
            return b""
        self._gathered = 0
        out: bytes = self._stream.flush()
        return out

    def finish(self) -> bytes:
        out: bytes = self._stream.finish()
        return out


def has_brotli() -> bool:
    """Whether brotli can be used; loads its library, so ask only where a setting wants it."""
    return _brotli_library() is not None


@lru_cache(maxsize=1)
def _brotli_library() -> Any:
    """Google's own bindings, or the ones for interpreters other than CPython; None: neither is there."""
    try:
        import brotli
    except ImportError:
        try:
            import brotlicffi as brotli
        except ImportError:
            return None
    return brotli


class Encoding:
    """One body on its way. Bytes go in by ``feed``, and come out of every method, in order."""

    __slots__ = ("_compressor", "_is_clean", "_slice_bytes", "_waiting", "coding", "pending")

    def __init__(self, coding: Coding, level: int) -> None:
        """``br`` only when ``has_brotli()``. Use ``Encoders.open``."""
        self.coding: Coding = coding
        self._compressor: _Compressor = _Brotli(max(level, 0)) if coding == "br" else _Gzip(min(max(level, 1), 9))
        self._slice_bytes = _SLICE_BYTES_HARD if coding == "gzip" and level > 6 else _SLICE_BYTES
        self._waiting: list[memoryview] = []  # in reverse: the next piece is the last
        self._is_clean = True  # nothing was compressed since the last flush
        self.pending = 0
        """Bytes that wait for their turn."""

    def feed(self, data: bytes) -> bytes:
        """Take more of the body. Compresses at most a slice, and nothing while something is pending."""
        if not data:
            return b""
        if not self.pending and len(data) <= self._slice_bytes:
            self._is_clean = False
            return self._compressor.compress(data)
        is_first = not self.pending
        self._waiting.insert(0, memoryview(data))
        self.pending += len(data)
        return self.more() if is_first else b""

    def more(self) -> bytes:
        """Compress the next slice of what is pending."""
        if not self._waiting:
            return b""
        piece = self._waiting.pop()
        if len(piece) > self._slice_bytes:
            self._waiting.append(piece[self._slice_bytes :])
            piece = piece[: self._slice_bytes]
        self.pending -= len(piece)
        self._is_clean = False
        return self._compressor.compress(piece)

    def flush(self) -> bytes:
        """Let out everything fed so far, because the body pauses; nothing while something is pending."""
        if self.pending or self._is_clean:
            return b""
        self._is_clean = True
        return self._compressor.flush()

    def finish(self) -> bytes:
        """The end of the body. Call it once, when nothing is pending."""
        assert not self.pending  # noqa: S101 - the body would be cut
        return self._compressor.finish()


class Encoders:
    """The encodings of one worker, as many as its memory allows."""

    __slots__ = ("_left",)

    def __init__(self, max_memory_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._left = max_memory_bytes

    def open(self, coding: Coding, level: int) -> Encoding | None:
        """None: there are too many, send the answer plain. Else ``close`` it once, however the answer ends."""
        if self._left < _COST_BYTES[coding]:
            return None
        self._left -= _COST_BYTES[coding]
        return Encoding(coding, level)

    def close(self, encoding: Encoding) -> None:
        self._left += _COST_BYTES[encoding.coding]
