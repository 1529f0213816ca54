"""The two ways to write lines: into a pipe from the loop, into anything else from a thread."""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from ingressd.telemetry.pipe_writer import PIPE_BUF, PipeWriter, whole_lines
from ingressd.telemetry.thread_writer import ThreadWriter

LINE = b"x" * 99 + b"\n"


def chunk(lines: int) -> bytearray:
    return bytearray(LINE * lines)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    yield read_end, write_end
    for fd in (read_end, write_end):
        with contextlib.suppress(OSError):  # the test closed it
            os.close(fd)


def drain(fd: int) -> bytes:
    """What is in the pipe now."""
    os.set_blocking(fd, False)
    parts = []
    try:
        while part := os.read(fd, 1 << 20):
            parts.append(part)
    except BlockingIOError:
        pass
    return b"".join(parts)


def fill(fd: int) -> None:
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, b"\n" * PIPE_BUF)
    except BlockingIOError:
        os.set_blocking(fd, True)


# ── pieces ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lines", "pieces"),
    [
        (b"", []),
        (b"a\n", [b"a\n"]),
        (b"a\nb\nc\n", [b"a\nb\n", b"c\n"]),
        (b"abc\nde\n", [b"abc\n", b"de\n"]),
        (b"abcdef\ng\n", [b"abcdef\n", b"g\n"]),  # longer than allowed: alone
        (b"g\nabcdef\n", [b"g\n", b"abcdef\n"]),
    ],
)
def test_pieces_are_whole_lines(lines: bytes, pieces: list[bytes]) -> None:
    assert [bytes(piece) for piece in whole_lines(bytearray(lines), 4)] == pieces


# ── pipe ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pipe_gets_whole_lines_in_small_writes(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = pipe
    sizes = []
    real_write = os.write

    def write(fd: int, lines: bytes) -> int:
        sizes.append(len(lines))
        return real_write(fd, lines)

    writer = PipeWriter(write_end, max_waiting_bytes=1 << 20)
    monkeypatch.setattr(os, "write", write)
    writer.put(chunk(300))
    assert writer.close(timeout_s=0)
    assert drain(read_end) == LINE * 300
    assert max(sizes) <= PIPE_BUF
    assert all(size % len(LINE) == 0 for size in sizes)


def test_writing_into_a_full_pipe_waits_for_nobody(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    fill(write_end)
    writer = PipeWriter(write_end, max_waiting_bytes=10 * len(LINE))
    writer.put(chunk(10))
    writer.put(chunk(1))
    assert writer.dropped == 1
    drain(read_end)
    writer.resume()
    assert drain(read_end) == LINE * 10
    writer.put(chunk(2))
    assert drain(read_end) == LINE * 2
    assert writer.close(timeout_s=0)
    assert writer.dropped == 1


def test_our_not_waiting_is_not_forced_on_others_who_share_the_pipe(pipe: tuple[int, int]) -> None:
    _, write_end = pipe
    writer = PipeWriter(write_end, max_waiting_bytes=1000)
    assert fcntl.fcntl(write_end, fcntl.F_GETFL) & os.O_NONBLOCK == 0
    writer.close(timeout_s=0)


def test_a_pipe_nobody_reads_costs_lines_only(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    writer = PipeWriter(write_end, max_waiting_bytes=1 << 20)
    os.close(read_end)
    writer.put(chunk(100))
    assert writer.dropped == 100
    assert writer.close(timeout_s=0)


def test_closing_with_a_stuck_reader_ends_and_counts(pipe: tuple[int, int]) -> None:
    _, write_end = pipe
    fill(write_end)
    writer = PipeWriter(write_end, max_waiting_bytes=1 << 20)
    writer.put(chunk(100))
    assert not writer.close(timeout_s=0.01)
    assert writer.dropped == 100


def test_closing_waits_for_a_slow_reader(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    writer = PipeWriter(write_end, max_waiting_bytes=4 << 20)
    writer.put(chunk(10_000))  # more than a pipe holds
    received: list[bytes] = []
    reader = Thread(target=lambda: received.extend(iter(lambda: os.read(read_end, 65536), b"")))
    reader.start()
    assert writer.close(timeout_s=30)
    os.close(write_end)
    reader.join()
    assert b"".join(received) == LINE * 10_000


def test_several_writers_of_one_pipe_do_not_mix_lines(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    received: list[bytes] = []
    reader = Thread(target=lambda: received.extend(iter(lambda: os.read(read_end, 1000), b"")))
    reader.start()

    def work(letter: bytes) -> None:
        writer = PipeWriter(write_end, max_waiting_bytes=4 << 20)
        for _ in range(50):
            writer.put(bytearray((letter * 600 + b"\n") * 55))
        assert writer.close(timeout_s=30)

    threads = [Thread(target=work, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(write_end)
    reader.join()
    lines = b"".join(received).splitlines()
    assert len(lines) == 3 * 50 * 55
    assert set(lines) == {b"a" * 600, b"b" * 600, b"c" * 600}


# ── thread ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def thread_writer_for(fd: int, *, max_waiting_bytes: int = 1 << 20, max_write_bytes: int = 1 << 20) -> ThreadWriter:
    return ThreadWriter(fd, path=None, max_write_bytes=max_write_bytes, max_waiting_bytes=max_waiting_bytes)


def test_a_thread_writes_in_order(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    writer = thread_writer_for(write_end, max_write_bytes=PIPE_BUF)
    for letter in (b"a", b"b", b"c"):
        writer.put(bytearray((letter + b"\n") * 3000))
    assert writer.close(timeout_s=30)
    assert drain(read_end) == b"a\n" * 3000 + b"b\n" * 3000 + b"c\n" * 3000


def test_a_stuck_reader_blocks_the_thread_and_not_the_caller(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    fill(write_end)
    writer = thread_writer_for(write_end, max_waiting_bytes=10 * len(LINE))
    writer.put(chunk(10))
    writer.put(chunk(3))
    assert writer.dropped == 3
    assert not writer.close(timeout_s=0.01)
    drain(read_end)  # lets the thread end


def test_the_descriptor_given_is_not_closed(pipe: tuple[int, int]) -> None:
    _, write_end = pipe
    writer = thread_writer_for(write_end)
    writer.put(chunk(1))
    writer.close(timeout_s=30)
    assert os.fstat(write_end)


def test_a_shared_non_blocking_descriptor_is_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer = thread_writer_for(ours.fileno())
        writer.put(chunk(5000))
        received = 0
        while received < 5000 * len(LINE):
            received += len(theirs.recv(1 << 20))
        assert writer.close(timeout_s=30)
        assert writer.dropped == 0


class FullDisk:
    """os.write that writes ``room`` bytes and then fails until there is room again."""

    def __init__(self) -> None:
        self.room = 0
        self.written = b""
        self.has_failed = Event()

    def __call__(self, fd: int, lines: bytes) -> int:
        if self.room == 0:
            self.has_failed.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        part = bytes(lines[: self.room])
        self.room -= len(part)
        self.written += part
        return len(part)


def test_a_full_disk_costs_lines_and_leaves_no_half_line_joined_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk()
    monkeypatch.setattr(os, "write", disk)
    writer = thread_writer_for(1)
    disk.room = 150
    writer.put(chunk(3))
    assert disk.has_failed.wait(30)
    disk.room = 10_000
    writer.put(bytearray(b"after\n"))
    assert writer.close(timeout_s=30)
    assert disk.written == LINE + LINE[:50] + b"\nafter\n"
    assert writer.dropped == 2


def test_every_line_lost_to_a_full_disk_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk()
    monkeypatch.setattr(os, "write", disk)
    writer = thread_writer_for(1)
    disk.room = 150
    for _ in range(3):
        writer.put(chunk(3))
    assert writer.close(timeout_s=30)
    assert writer.dropped == 8


def test_closing_without_a_line_ends_at_once(pipe: tuple[int, int]) -> None:
    writer = thread_writer_for(pipe[1])
    assert writer.close(timeout_s=30)
