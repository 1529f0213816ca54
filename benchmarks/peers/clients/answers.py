"""Reading answers of a known kind as cheaply as a Python client can."""

import re

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


class Answers:
    """Collects one answer at a time: a head and a body of its Content-Length (or of chunks, read to their end)."""

    __slots__ = ("_data", "_wanted", "is_chunked", "ok")

    def __init__(self) -> None:
        self._data = b""
        self._wanted = 0
        self.ok = True

    def feed(self, data: bytes) -> bool:
        """Is the answer complete? Then the next call begins another. ``ok``: was every status so far 200?"""
        data = self._data + data if self._data else data
        if not self._wanted:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._data = data
                return False
            self._begin(data[:end], end + 4)
        if len(data) < self._wanted:
            self._data = data
            return False
        if len(data) > self._wanted:
            raise ValueError(f"{len(data) - self._wanted} bytes more than an answer")
        self._data, self._wanted = b"", 0
        return True

    def _begin(self, head: bytes, start: int) -> None:
        length = _LENGTH.search(head)
        if length is None:
            raise ValueError(f"an answer without Content-Length: {head!r}")
        self._wanted = start + int(length.group(1))
        self.ok = self.ok and head[9:12] == b"200"


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of ``ordered`` (ascending) do not exceed; 0 for none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1e6) * len(ordered) // 1_000_000) - 1))]
