"""Long answers in plain text go from the endpoint's socket to the client's without passing through this process.

splice(2) moves the kernel's own pages from one socket into a pipe and out of it into the other one. Each pipe is used
for one answer only, so that no byte of it can ever reach somebody else.

The sockets stay their transports', which read and write nothing meanwhile. What wakes us is an epoll set of our own
beside the loop's: neither loop watches a descriptor that a transport has, and a duplicate would keep a connection open
that was closed. A splice watches one side at a time, the one that it waits for: the other might have ended, and an end
wakes again and again.

Whatever goes wrong, the ordinary path goes on from where we are, finds the same, and knows what to do.
"""

from __future__ import annotations

import logging
import os
import select
import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from ingressd.proxy.timers import NEVER

if sys.platform == "linux":
    import fcntl
    import termios

if TYPE_CHECKING:
    import asyncio

    from ingressd.proxy.forward import Forwarding
    from ingressd.proxy.upstream import UpstreamConnection

log = logging.getLogger(__name__)

# CPU time against the ordinary path, on loopback: 0.91 for bodies of 512 KiB, 0.73 for 1 MiB, 0.53 for 2 MiB, 0.34 for
# 100 MiB. Where each segment is a page of its own (1,500 bytes, no offloads): 0.95 for 1 MiB, 0.8 for more.
LONG_BODY_BYTES = 1 << 19 if hasattr(os, "splice") else sys.maxsize
"""So much of a body, or more, must be left when its head and what came with that is read."""
_TURN_BYTES = 1 << 19
"""What everybody else on the loop waits for, one turn at most: 70 µs, as the ordinary path takes for 256 KiB. Half as
much would cost 0.42 instead of 0.34, and twice as much 0.28."""
_MAX_RUNNING = 32
"""In a worker. Each has two descriptors and a pipe of a turn's bytes: 16 MiB, a quarter of what Linux lets a user have
in pipes before it makes all others tiny (pipe-user-pages-soft)."""


class Splices:
    """All of one worker. While there are none there is nothing to close."""

    __slots__ = ("_epoll", "_loop", "_waiting", "running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll: select.epoll | None = None
        self._waiting: dict[int, Splice] = {}
        self.running = 0

    def begin(self, forwarding: Forwarding, left: int) -> None:
        """Have the kernel pass on the last ``left`` bytes of a body, where it can. Where not, nothing has happened."""
        up, down = forwarding.up, forwarding.down
        if up is None or self.running >= _MAX_RUNNING or up.endpoint.tls is not None or down.tls_version is not None:
            return
        endpoint, client = _plain_socket(up.transport), _plain_socket(down.transport)
        if endpoint < 0 or client < 0:
            return
        try:
            if self._epoll is None:
                self._open()
            pipe = _new_pipe()
        except OSError:  # no descriptor to be had, or no pipe of that size
            self._close_if_unused()
            return
        self.running += 1
        Splice(self, forwarding, up, endpoint, client, pipe, left).begin()

    def end(self, pipe: tuple[int, int]) -> None:
        """A splice that waits for nobody any more is over."""
        for descriptor in pipe:
            os.close(descriptor)
        self.running -= 1
        self._close_if_unused()

    def wait(self, descriptor: int, events: int, splice: Splice) -> None:
        """``splice`` has its turn when ``descriptor`` is ready. Raises OSError."""
        assert self._epoll is not None  # noqa: S101 - it is open while a splice is running
        self._epoll.register(descriptor, events)
        self._waiting[descriptor] = splice

    def forget(self, descriptor: int) -> None:
        """Nobody waits for ``descriptor`` any more, which is still open."""
        assert self._epoll is not None  # noqa: S101 - as above
        del self._waiting[descriptor]
        with suppress(OSError):
            self._epoll.unregister(descriptor)

    def _open(self) -> None:
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._on_ready)

    def _close_if_unused(self) -> None:
        epoll = self._epoll
        if epoll is not None and not self.running:
            self._epoll = None
            self._loop.remove_reader(epoll.fileno())
            epoll.close()

    def _on_ready(self) -> None:
        if self._epoll is None:
            return
        if len(self._waiting) == 1:
            ready = list(self._waiting.values())  # no need to ask who
        else:
            # Who has had a turn goes to the end of the kernel's queue.
            ready = [self._waiting[descriptor] for descriptor, _ in self._epoll.poll(0, 1)]
        for splice in ready:
            try:
                splice.turn()
            except Exception:
                log.exception("an answer could not be passed on")
                splice.abort()


class Splice:
    """The rest of one answer. It ends by itself, or by ``close`` when one of the connections does."""

    __slots__ = (
        "_client", "_endpoint", "_forwarding", "_has_begun", "_in_pipe",
        "_left", "_pipe", "_splices", "_up", "_watched",
    )  # fmt: skip

    def __init__(
        self, splices: Splices, forwarding: Forwarding, up: UpstreamConnection,
        endpoint: int, client: int, pipe: tuple[int, int], left: int,
    ) -> None:  # fmt: skip
        self._splices = splices
        self._forwarding = forwarding
        self._up = up
        self._endpoint = endpoint
        self._client = client
        self._pipe = pipe
        self._left = left  # of the body, to be taken from the endpoint
        self._in_pipe = 0
        self._watched = -1
        self._has_begun = False

    def begin(self) -> None:
        """Begin when the client has taken what was written before: bytes keep their order."""
        self._up.hold_reading(True)
        self._up.splice = self
        down = self._forwarding.down
        down.transport.set_write_buffer_limits(high=0)  # so that "paused" is "not empty"
        if not down.write_paused:
            self._go()

    def hold(self, hold: bool) -> None:
        """The client cannot take more of the response, or can again."""
        if not hold and not self._has_begun:
            self._go()

    def close(self) -> None:
        """Whatever is still to come is for nobody, or for somebody else to read. Saying so again does nothing."""
        if self._up.splice is not self:
            return
        self._up.splice = None
        self._unwatch()
        self._splices.end(self._pipe)
        if self._in_pipe:
            self._forwarding.down.beside_bytes = 0
            self._forwarding.on_unsent(self._in_pipe)

    def abort(self) -> None:
        """Cut the client off; its connection's end closes this too."""
        self._unwatch()
        self._forwarding.down.abort()

    def turn(self) -> None:
        """Move what can be moved now."""
        was_blocked = self._in_pipe > 0
        try:
            if was_blocked:
                self._push()
            took_all = not self._in_pipe
            if took_all and self._left and self._pull():
                self._push()
            if self._in_pipe:
                self._watch(self._client, select.EPOLLOUT)
        except OSError as error:
            if self._in_pipe and isinstance(error, ConnectionError | TimeoutError):
                self.abort()  # the client is gone, and nobody else wants what is in the pipe
            else:
                self._fall_back()
            return
        if was_blocked or self._in_pipe:
            self._tell(was_blocked=was_blocked, took_all=took_all)
        if not self._left and not self._in_pipe:
            self._finish()

    # -- bytes

    def _go(self) -> None:
        self._has_begun = True
        self._forwarding.down.transport.set_write_buffer_limits()
        try:
            self._watch(self._endpoint, select.EPOLLIN)
        except OSError:
            self._fall_back()

    def _pull(self) -> bool:
        """From the endpoint into the pipe, which is empty; whether there was anything.

        Raises:
            OSError: also at the endpoint's end.
        """
        try:
            count = os.splice(self._endpoint, self._pipe[1], min(self._left, _TURN_BYTES), flags=_FLAGS)
        except BlockingIOError:
            self._watch(self._endpoint, select.EPOLLIN)
            return False
        if not count:
            raise ConnectionResetError
        self._left -= count
        self._in_pipe = count
        up = self._up
        if up.deadline != NEVER:
            up.arm(monotonic() + up.read_s)
        return True

    def _push(self) -> None:
        """From the pipe, which is not empty, to the client. Raises OSError."""
        try:
            count = os.splice(self._pipe[0], self._client, self._in_pipe, flags=_FLAGS)
        except BlockingIOError:
            return
        self._in_pipe -= count
        self._forwarding.bytes_out += count

    def _tell(self, *, was_blocked: bool, took_all: bool) -> None:
        """Whose turn it is now, which is whose time runs: as if the pipe were the transport's buffer."""
        down = self._forwarding.down
        down.beside_bytes = self._in_pipe
        if not self._in_pipe:
            if was_blocked:
                down.resume_writing()
        elif not was_blocked:
            down.pause_writing()
        elif took_all:
            down.await_reader()

    # -- the end

    def _finish(self) -> None:
        if _unread_bytes(self._endpoint):
            self._up.reusable = False  # more than it had announced: nobody gets that
        self.close()
        self._up.read_rest(0)

    def _fall_back(self) -> None:
        """What is in the pipe goes first, then the ordinary path goes on."""
        forwarding, up, down = self._forwarding, self._up, self._forwarding.down
        data = b""
        while len(data) < self._in_pipe:
            data += os.read(self._pipe[0], self._in_pipe - len(data))
        self._in_pipe = down.beside_bytes = 0
        self.close()
        if down.write_paused:
            down.resume_writing()
        if data:
            forwarding.on_response_body(data)
        up.hold_reading(down.write_paused)
        up.read_rest(self._left)

    def _watch(self, descriptor: int, events: int) -> None:
        if self._watched != descriptor:
            self._unwatch()
            self._splices.wait(descriptor, events, self)
            self._watched = descriptor

    def _unwatch(self) -> None:
        if self._watched >= 0:
            self._splices.forget(self._watched)
            self._watched = -1


def _plain_socket(transport: asyncio.Transport) -> int:
    """The descriptor behind ``transport``, or -1 when it is closing, or its bytes are not those that are written to it.

    Of TLS its owner knows as well: asked twice, because a mistake would be plain text on the wire.
    """
    if transport.is_closing() or transport.get_extra_info("ssl_object") is not None:
        return -1
    connection = transport.get_extra_info("socket")
    return -1 if connection is None else int(connection.fileno())


if sys.platform == "linux":
    _FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK

    def _new_pipe() -> tuple[int, int]:
        pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, _TURN_BYTES)
        except OSError:
            os.close(pipe[0])
            os.close(pipe[1])
            raise
        return pipe

    def _unread_bytes(descriptor: int) -> int:
        """How many bytes have come that nobody has read."""
        count = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)
