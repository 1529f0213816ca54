"""The body of one request on its way to an endpoint: counted, framed anew, and kept for another attempt while small."""

from ingressd.errors import BadRequest
from ingressd.http.framing import ChunkReader, FramingError, encode_chunk, encode_end
from ingressd.http.head import RequestFields

_MAX_PIECES = 64
"""Kept apart. A piece of two bytes costs fifty, and a client may send a body in such pieces."""


class RequestBody:
    """Takes what the client sends after the head; ``rest`` is what of the last bytes taken follows the body.

    ``kept`` holds all framed bytes so far, until there are more than ``max_kept_bytes``: then it is None, and the
    request cannot be sent again. Trailer fields end here: an endpoint has no way to say that it wants them, and one
    that merges them into the header would take them for checked.
    """

    __slots__ = ("_chunks", "_kept_bytes", "_left", "_max_bytes", "_max_kept_bytes", "bytes_in", "done", "kept", "rest")

    def __init__(self, fields: RequestFields, *, max_bytes: int, max_kept_bytes: int) -> None:
        self._chunks = ChunkReader() if fields.chunked else None
        self._left = fields.content_length
        self._max_bytes = max_bytes  # 0: no limit
        self._max_kept_bytes = max_kept_bytes
        self._kept_bytes = 0
        self.kept: list[bytes] | None = []
        self.bytes_in = 0  # payload
        self.rest = b""
        self.done = False

    def take(self, data: bytes) -> bytes:
        """Framed bytes for the endpoint; empty when ``data`` held only framing.

        Raises:
            BadRequest: ``bad_chunk`` or ``body_too_large``
        """
        framed = self._take_counted(data) if self._chunks is None else self._take_chunks(self._chunks, data)
        if framed and self.kept is not None:
            self._kept_bytes += len(framed)
            self.kept.append(framed)
            if len(self.kept) > _MAX_PIECES:
                self.kept = [b"".join(self.kept)]
        return framed

    @property
    def is_large(self) -> bool:
        """Whether there is more than is kept."""
        return self._kept_bytes > self._max_kept_bytes

    def forget_if_large(self) -> None:
        """To be called after what was taken was sent: lets go of what is too much to keep."""
        if self._kept_bytes > self._max_kept_bytes:
            self.kept = None

    def _take_counted(self, data: bytes) -> bytes:
        left = self._left
        if len(data) > left:
            data, self.rest = data[:left], data[left:]
        self._left = left = left - len(data)
        self.bytes_in += len(data)
        self.done = not left
        return data

    def _take_chunks(self, chunks: ChunkReader, data: bytes) -> bytes:
        try:
            payload = chunks.feed(data)
        except FramingError as error:
            raise BadRequest("bad_chunk", str(error)) from None
        framed = b""
        if payload:
            self.bytes_in += sum(map(len, payload))
            if self.bytes_in > self._max_bytes > 0:
                raise BadRequest("body_too_large", f"more than {self._max_bytes} bytes")
            framed = encode_chunk(payload)
        if chunks.done:
            self.done = True
            self.rest = chunks.rest
            framed += encode_end()
        return framed


class DroppedBody(RequestBody):
    """The rest of a body of which nobody gets a byte: read to its end, so that it is known where the next request is.

    In its own place an endpoint gets an empty one.
    """

    __slots__ = ()

    def __init__(self, body: RequestBody) -> None:
        self._chunks, self._left = body._chunks, body._left
        self._max_bytes, self._max_kept_bytes = body._max_bytes, 0
        self._kept_bytes = 0
        self.kept = []
        self.bytes_in, self.rest, self.done = body.bytes_in, body.rest, body.done

    def take(self, data: bytes) -> bytes:
        super().take(data)
        self.kept = []
        return b""

    def forget_if_large(self) -> None:
        """Nothing is kept."""
