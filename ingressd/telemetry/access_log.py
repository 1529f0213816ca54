"""The access log: one JSON object per line, made on the loop and written where it cannot wait for the reader.

Promises: a reader that is slow or stuck never slows a request (lines beyond a bound are dropped and counted); a line is
whole or absent, also when several workers write to one pipe; whatever a client sent, the line is valid JSON; a line
never holds Authorization, Cookie or any other header but the user agent and the referrer. The query string is kept:
people who read access logs expect it.
"""

import contextlib
import os
import stat
from datetime import UTC, datetime
from time import time
from typing import Final

from msgspec import Struct
from msgspec.json import Encoder

from ingressd.telemetry.log_format import LogChoice, LogFormat
from ingressd.telemetry.log_variables import LogFacts
from ingressd.telemetry.pipe_writer import PIPE_BUF, PipeWriter
from ingressd.telemetry.thread_writer import ThreadWriter, open_for_append

MAX_TARGET_BYTES: Final = 2048

MAX_LINE_BYTES: Final = PIPE_BUF
"""So that a line is whole even in a pipe that several workers share. A longer line has its longest fields cut and says
``"truncated": true``."""

MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""What a stuck reader costs in memory, about 8,000 lines of 500 bytes; after that it costs lines."""

CLOSE_TIMEOUT_S: Final = 2.0
_FILE_WRITE_BYTES: Final = 1024 * 1024  # a file opened for append keeps whole writes apart, whatever their size


class AccessRecord(Struct, gc=False, omit_defaults=True):
    """One line, in the order written. Names end in their unit. ``time`` is when the answer ended.

    Encoding a Struct costs half of what a dict costs, in msgspec or orjson: see `benchmarks/telemetry.py`.
    """

    time: str
    client: str
    request_id: str
    method: str
    host: str
    target: str
    version: str
    status: int
    bytes_in: int
    bytes_out: int
    duration_s: float
    upstream: str | None
    upstream_s: float | None
    attempts: int
    namespace: str
    ingress: str
    service: str
    route: str
    tls: str | None
    user_agent: str
    referer: str
    truncated: bool = False


_encode_into = Encoder(order=None).encode_into


class AccessLog:
    """The lines of one worker. ``fd`` None: the log is off and ``record`` does nothing.

    Make it after the fork, on the loop that will use it. The descriptor stays the caller's unless ``path`` is given:
    then ``reopen`` opens that path anew, for log rotation.

    ``format`` None: lines are our own JSON, by ``record``; else ``record_facts`` must be called instead. Not every
    request is in the log: see ``use``. Ask ``is_on`` first, which is all that a log that is off costs.
    """

    __slots__ = (
        "_buffer",
        "_choice",
        "_hand_over_bytes",
        "_is_closed",
        "_is_silenced",
        "_second",
        "_stamp",
        "_stamp_from",
        "_stamp_second",
        "_stamp_until",
        "_writer",
        "format",
        "is_on",
    )

    def __init__(self, fd: int | None, *, path: str | None = None, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self.is_on = fd is not None
        self.format: LogFormat | None = None
        self._choice: LogChoice | None = None
        self._is_silenced = self._is_closed = False
        self._buffer = bytearray()
        self._stamp_from = self._stamp_until = 0.0
        self._second = -1
        self._stamp = self._stamp_second = ""
        self._writer = None if fd is None else _writer_for(fd, path, max_waiting_bytes)
        self._hand_over_bytes = 0 if self._writer is None else self._writer.hand_over_bytes

    @classmethod
    def open(cls, target: str) -> "AccessLog":
        """``-`` is standard output, ``off`` nothing, anything else a file to append to. Raises OSError."""
        if target == "off":
            return cls(None)
        if target == "-":
            return cls(1)
        return cls(open_for_append(target), path=target)

    def use(self, format_: LogFormat | None, choice: LogChoice | None, *, is_off: bool) -> None:
        """From now on lines have this format, for requests of this choice (None: all); ``is_off``: there are none."""
        self.format = format_
        self._choice = choice
        if is_off and self.is_on:
            self.is_on, self._is_silenced = False, True
        elif not is_off and self._is_silenced:
            self.is_on, self._is_silenced = True, False

    @property
    def dropped(self) -> int:
        """Lines lost so far: the reader was too slow, or writing failed."""
        return 0 if self._writer is None else self._writer.dropped

    def record(
        self,
        client: str,
        request_id: str,
        method: bytes,
        host: bytes,
        target: str | bytes,
        version: str,
        status: int,
        bytes_in: int,
        bytes_out: int,
        duration_s: float,
        upstream: str | None,
        upstream_s: float | None,
        attempts: int,
        namespace: str,
        ingress: str,
        service: str,
        route: str,
        tls: str | None,
        user_agent: bytes,
        referer: bytes,
    ) -> None:
        """Note one exchange that ended. ``upstream`` and ``tls`` are None where there was none.

        So many arguments because this runs once per request and a value in between would cost as much as the line.
        Durations in seconds. Bytes are as received: each becomes the character of the same number (latin-1), so nothing
        is lost or refused.
        """
        if not self.is_on or (self._choice is not None and not self._choice.is_logged(_text(target))):
            return
        now = time()
        if not self._stamp_from <= now < self._stamp_until:
            self._stamp_at(now)
        buffer = self._buffer
        start = len(buffer)
        fields = AccessRecord(
            self._stamp,
            client,
            request_id,
            method.decode("latin-1"),
            host.decode("latin-1"),
            target if isinstance(target, str) else target.decode("latin-1"),
            version,
            status,
            bytes_in,
            bytes_out,
            int(duration_s * 1e6) / 1e6,  # to the microsecond, at a third of what round() costs
            upstream,
            None if upstream_s is None else int(upstream_s * 1e6) / 1e6,
            attempts,
            namespace,
            ingress,
            service,
            route,
            tls,
            user_agent.decode("latin-1"),
            referer.decode("latin-1"),
        )
        _encode_into(fields, buffer, -1)
        buffer += b"\n"
        size = len(buffer)
        if size - start > MAX_TARGET_BYTES and (size - start > MAX_LINE_BYTES or len(target) > MAX_TARGET_BYTES):
            del buffer[start:]
            buffer += _shortened(fields)
        if size >= self._hand_over_bytes:
            self.flush()

    def record_facts(self, facts: LogFacts) -> None:
        """Note one exchange that ended, in the format of somebody's choice."""
        if not self.is_on or self.format is None:
            return
        if self._choice is not None and not self._choice.is_logged(facts.target):
            return
        self._buffer += self.format.line(facts)
        if len(self._buffer) >= self._hand_over_bytes:
            self.flush()

    def _stamp_at(self, now: float) -> None:
        second, millisecond = divmod(int(now * 1000.0), 1000)
        self._stamp_from = second + millisecond / 1000
        self._stamp_until = second + (millisecond + 1) / 1000
        if second != self._second:
            self._second = second
            self._stamp_second = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self._stamp = f"{self._stamp_second}.{millisecond:03d}Z"

    def flush(self) -> None:
        """Hand what there is to the writer. Call it on a timer, so that a quiet worker's lines appear."""
        if self._writer is None or self._is_closed:
            return
        if self._buffer:
            chunk, self._buffer = self._buffer, bytearray()
            self._writer.put(chunk)
        else:
            self._writer.resume()

    def reopen(self) -> None:
        """Lines from here on go to a newly opened file, if the log is a file. Opening happens off the loop."""
        self.flush()
        if self._writer is not None and not self._is_closed:
            self._writer.reopen()

    def close(self, *, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Flush and stop; blocks for at most ``timeout_s``. False: the reader is stuck and lines may be lost."""
        if self._writer is None or self._is_closed:
            return True
        self.flush()
        self._is_closed = True
        self.is_on = self._is_silenced = False
        return self._writer.close(timeout_s=timeout_s)


def _text(target: str | bytes) -> str:
    return target if isinstance(target, str) else target.decode("latin-1")


def _writer_for(fd: int, path: str | None, max_waiting_bytes: int) -> PipeWriter | ThreadWriter:
    is_pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
    if is_pipe and path is None:
        with contextlib.suppress(OSError):  # the pipe belongs to another user: only the descriptor given can write
            return PipeWriter(fd, max_waiting_bytes=max_waiting_bytes)
    max_write_bytes = PIPE_BUF if is_pipe else _FILE_WRITE_BYTES
    return ThreadWriter(fd, path=path, max_write_bytes=max_write_bytes, max_waiting_bytes=max_waiting_bytes)


def _shortened(fields: AccessRecord) -> bytes:
    """The line with its longest fields cut to what fits. Only hostile or very strange requests come here."""
    line = bytearray()
    limit = MAX_TARGET_BYTES
    while True:
        for name in AccessRecord.__struct_fields__:
            value = getattr(fields, name)
            if isinstance(value, str) and len(value) > limit:
                setattr(fields, name, value[:limit])
                fields.truncated = True
        _encode_into(fields, line, 0)
        if len(line) < MAX_LINE_BYTES:
            return bytes(line) + b"\n"
        limit //= 2
