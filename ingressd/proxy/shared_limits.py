"""Counters of clients that all workers of a pod share.

One memory file, made by the parent before it forks, is mapped by every worker. A client of a limit has at most one slot
in it, in the bucket that a keyed hash of both names; a bucket is changed under a record lock of its own, which the
kernel releases when the worker that holds it dies. Nothing is written about clients that no limit concerns.

The counters outlive a worker and every change of the configuration. What each worker has under way is counted in
columns of its own: the replacement of a dead worker begins by clearing its column.

When a bucket is full, the client whose counters would be empty soonest makes room, and the newcomer takes over what
was left of its debt. So a client that is pushed out, perhaps by addresses of its own, never finds a fresh burst: while
everybody in a bucket is in debt, newcomers wait as if they were too. A slot with requests under way is not given away.
"""

import fcntl
import mmap
import os
import struct
import time
from hashlib import blake2b
from typing import Final

from ingressd.policy.address_list import address_set, read_address
from ingressd.policy.memory import SharedBound
from ingressd.policy.rate_limit import ONE, Leak, RateLimits, leak_per_minute, leak_per_second
from ingressd.proxy.password_checker import Turn

NOTHING_HELD: Final = 0
TOO_FAST: Final = -1
TOO_MANY: Final = -2
UNDECIDED: Final = -3
"""No counter could be had: the bucket is full of clients with requests under way, or a worker stopped inside it."""

_WAYS = 8
_BUCKETS = 16384
"""131,072 clients; 6 MiB when all are there, and half a MiB for each worker. Pages nobody needed cost nothing."""
_KEY_SIZE = 16
_KEYS = struct.Struct(f"={_WAYS * f'{_KEY_SIZE}s'}")
_STATE = struct.Struct("=qqqq")  # level of the second, of the minute; when last changed, when both are empty (ms)
_BUCKET_SIZE = _KEYS.size + _WAYS * _STATE.size
_FREE = bytes(_KEY_SIZE)
_HEADER_SIZE = 4096
_SECRET_SIZE = 32
_COUNTS_AT = _HEADER_SIZE + _BUCKETS * _BUCKET_SIZE
_STARTED_AT = 64
_TURNS_AT = 1 << 40  # beyond all buckets: only locked, never written
MAX_WORKERS: Final = _HEADER_SIZE - _STARTED_AT

_MAX_REMEMBERED = 4096
_all_places = SharedBound(8 * _MAX_REMEMBERED)  # 8 MiB for each worker
_YIELDS = 20
_NAPS = 40
_NAP_S = 0.0005
"""A lock is held for microseconds. Its holder may have lost the CPU meanwhile: wait 20 ms for it, no longer."""

_EXEMPT = (-1, _FREE)
_lock = fcntl.lockf
_LOCK, _UNLOCK = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN


class BoundLimits:
    """``RateLimits`` made ready for one worker."""

    __slots__ = ("connections", "exempt", "name", "per_minute", "per_second", "places")

    def __init__(self, limits: RateLimits) -> None:
        self.name = limits.id.encode()
        self.per_second = leak_per_second(limits)
        self.per_minute = leak_per_minute(limits)
        self.connections = limits.connections
        self.exempt = address_set(limits.exempt) if limits.exempt else None
        self.places: dict[str, tuple[int, bytes]] = {}


class SharedLimits:
    """A worker's view. ``fd`` is what ``create`` returned; one process makes one."""

    def __init__(self, fd: int, *, workers: int, index: int) -> None:
        self._fd = fd
        self._workers = workers
        self._index = index
        self._is_alone = workers == 1
        self._map = mmap.mmap(fd, _size(workers))  # kept for good: closing any descriptor of the file drops our locks
        self._secret = self._map[:_SECRET_SIZE]
        self._cells = memoryview(self._map)[_COUNTS_AT:].cast("I")
        self._counts = struct.Struct(f"={workers}I")
        if self._map[_STARTED_AT + index]:
            self.forget(index)
        self._map[_STARTED_AT + index] = 1

    @staticmethod
    def create(workers: int) -> int:
        """A descriptor of the shared memory for so many workers, not inherited by programs. To be made before forking.

        Raises:
            OSError: the kernel gives no memory file.
        """
        fd = os.memfd_create("ingressd-limits", os.MFD_CLOEXEC)
        os.ftruncate(fd, _size(workers))
        os.pwrite(fd, os.urandom(_SECRET_SIZE), 0)
        return fd

    @property
    def turn(self) -> Turn:
        """What this worker's ``PasswordChecks`` need to take turns with the others': one turn for each two workers."""
        return Turn(self._fd, _TURNS_AT + self._index % max(1, self._workers // 2))

    def forget(self, index: int) -> None:
        """The worker ``index`` is dead: what it had under way is not."""
        zeros = memoryview(bytes(4 * _BUCKETS * _WAYS)).cast("I")
        self._cells[index :: self._workers] = zeros

    def enter(self, limits: BoundLimits, client: str, now_ms: int) -> int:
        """May ``client`` make a request now? Below 0: no, and why (``TOO_FAST``, ``TOO_MANY``, ``UNDECIDED``).

        Otherwise yes; what is returned must be given to ``leave`` once when the request has ended, except
        ``NOTHING_HELD``, which need not. ``now_ms`` is CLOCK_MONOTONIC, which all processes share.
        """
        place = limits.places.get(client)
        if place is None:
            place = self._find_place(limits, client)
        bucket, key = place
        if bucket < 0:
            return NOTHING_HELD
        if self._is_alone:
            return self._decide(limits, bucket, key, now_ms)
        if not self._acquire(bucket):
            return UNDECIDED
        try:
            return self._decide(limits, bucket, key, now_ms)
        finally:
            _lock(self._fd, _UNLOCK, 1, bucket)

    def leave(self, held: int) -> None:
        """A request that entered has ended. No lock: this cell is written by this worker only."""
        if held > 0 and self._cells[held - 1]:
            self._cells[held - 1] -= 1

    def _find_place(self, limits: BoundLimits, client: str) -> tuple[int, bytes]:
        packed = read_address(client)
        if packed is not None and limits.exempt is not None and packed in limits.exempt:
            place = _EXEMPT
        else:
            who = packed if packed is not None else client.encode(errors="surrogateescape")
            of = b"%d:%b%b" % (len(limits.name), limits.name, who)
            key = blake2b(of, key=self._secret, digest_size=_KEY_SIZE).digest()
            place = (int.from_bytes(key[:4], "little") % _BUCKETS, key)
        _all_places.remember(limits.places, client, place, _MAX_REMEMBERED)
        return place

    def _acquire(self, bucket: int) -> bool:
        for attempt in range(_YIELDS + _NAPS):
            try:
                _lock(self._fd, _LOCK, 1, bucket)
                return True
            except OSError:  # held by another worker; or no memory for a lock, which waiting may mend
                if attempt < _YIELDS:
                    os.sched_yield()
                else:
                    time.sleep(_NAP_S)
        return False

    def _decide(self, limits: BoundLimits, bucket: int, key: bytes, now_ms: int) -> int:
        at = _HEADER_SIZE + bucket * _BUCKET_SIZE
        keys = _KEYS.unpack_from(self._map, at)
        if key in keys:
            way = keys.index(key)
            second, minute, last, _ = _STATE.unpack_from(self._map, at + _KEYS.size + way * _STATE.size)
            elapsed = now_ms - last
            if elapsed <= 0:  # the other worker read its clock later
                elapsed, now_ms = 0, last
        else:
            way, debt_ms = self._make_room(keys, bucket, at, now_ms)
            if way < 0:
                return UNDECIDED
            elapsed = 0
            second, minute = _inherited(limits.per_second, debt_ms), _inherited(limits.per_minute, debt_ms)
        second, minute = _levels(limits, second, minute, elapsed)
        if second > limits.per_second.burst or minute > limits.per_minute.burst:
            return TOO_FAST
        empty_at = now_ms + max(limits.per_second.empty_in_ms(second), limits.per_minute.empty_in_ms(minute))
        _STATE.pack_into(self._map, at + _KEYS.size + way * _STATE.size, second, minute, now_ms, empty_at)
        if keys[way] != key:  # last, so that whoever dies here leaves a slot that still makes sense
            start = at + way * _KEY_SIZE
            self._map[start : start + _KEY_SIZE] = key
        return self._begin(limits, bucket * _WAYS + way) if limits.connections else NOTHING_HELD

    def _begin(self, limits: BoundLimits, slot: int) -> int:
        """One more at a time. What the rate let through has been added to it, whatever comes out here: as in nginx."""
        if self._under_way(slot) >= limits.connections:
            return TOO_MANY
        cell = slot * self._workers + self._index
        self._cells[cell] += 1
        return cell + 1

    def _make_room(self, keys: tuple[bytes, ...], bucket: int, at: int, now_ms: int) -> tuple[int, int]:
        """A place for a newcomer, and the debt it takes over in ms; (-1, 0): there is none."""
        if _FREE in keys:
            return keys.index(_FREE), 0
        best, soonest = -1, 0
        for way in range(_WAYS):
            empty_at = _STATE.unpack_from(self._map, at + _KEYS.size + way * _STATE.size)[3]
            if (best < 0 or empty_at < soonest) and not self._under_way(bucket * _WAYS + way):
                best, soonest = way, empty_at
        return best, max(0, soonest - now_ms)

    def _under_way(self, slot: int) -> int:
        return sum(self._counts.unpack_from(self._map, _COUNTS_AT + slot * self._counts.size))


def _inherited(leak: Leak, debt_ms: int) -> int:
    """Level a newcomer begins with. Without a debt its first request adds nothing, as in nginx."""
    return debt_ms * leak.rate // 1000 if debt_ms else -ONE


def _levels(limits: BoundLimits, second: int, minute: int, elapsed_ms: int) -> tuple[int, int]:
    return (
        limits.per_second.level(second, elapsed_ms) if limits.per_second.rate else 0,
        limits.per_minute.level(minute, elapsed_ms) if limits.per_minute.rate else 0,
    )


def _size(workers: int) -> int:
    if not 1 <= workers <= MAX_WORKERS:
        raise ValueError(f"{workers} workers cannot share limits: 1 to {MAX_WORKERS} can")
    return _COUNTS_AT + _BUCKETS * _WAYS * workers * 4
