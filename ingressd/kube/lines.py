"""Newline-delimited JSON out of chunks that know nothing of lines."""

MAX_LINE_BYTES = 16 << 20
"""etcd takes objects of about 1.5 MiB; the rest of this is room for what a server may add to one. Beyond it, the
stream is not a watch."""


class LineTooLongError(ValueError):
    """A line went over the limit."""


class LineSplitter:
    """Chunks in, whole lines out, without their line ends; blank lines are left out.

    A line in many chunks is put together once, when its end comes.
    """

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes. Raises LineTooLongError."""
        *ended, rest = chunk.split(b"\n")
        if ended:
            ended[0] = b"".join((*self._pieces, ended[0]))
            self._pieces.clear()
            self._held = 0
        if rest:
            self._pieces.append(rest)
            self._held += len(rest)
        longest = max(self._held, max(map(len, ended), default=0))
        if longest > self._limit:
            raise LineTooLongError(f"a line of more than {self._limit} bytes")
        return [line for line in ended if line.strip()]

    @property
    def is_between_lines(self) -> bool:
        """False while the beginning of a line waits for its end: a stream that ends now was cut."""
        return not self._held
