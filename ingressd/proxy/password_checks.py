"""Is this the password of that hash? Answered from memory, at once when that is cheap, or by a process of its own.

bcrypt at cost 12 takes a quarter of a second, so it must neither run on the worker's loop nor compete with it: each
worker has one process for it, of the lowest priority, started when it is first needed and ended when it is not. Even
so each wake-up of a worker on a busy core may wait for the scheduler for milliseconds, so these processes take turns:
half of the cores check passwords at a time, at most.

Everything is bounded. What waits, in all and of one client; clients take turns, so that one who guesses holds up
nobody but itself by more than a check. What is remembered, right and wrong apart so that wrong ones push out no right
ones. How long a check may take. Beyond a bound the question is refused with ``ChecksUnavailable``: to be answered
with 503, never with an open door. Passwords are remembered only as keyed hashes, whose key dies with the worker.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct

from ingressd.policy.htpasswd import check_cheap, is_cheap
from ingressd.proxy.password_checker import COMMAND, PROGRAM, PasswordChecker, Turn

log = logging.getLogger(__name__)

MAX_WAITING = 64
MAX_WAITING_OF_CLIENT = 16
"""Passwords, not requests: those with the same one wait together. 16 at bcrypt's cost 12 are 4 seconds."""
MAX_TOGETHER = 256
"""Requests that wait for one password."""
MAX_REMEMBERED = 4096
"""Right ones, and as many wrong ones: about 1 MiB."""
RIGHT_FOR_S = 300.0
WRONG_FOR_S = 60.0
CHECK_LIMIT_S = 15.0
RESTART_PAUSE_S = 1.0
IDLE_S = 300.0

_HEAD = Struct(">HH")


class ChecksUnavailable(Exception):
    """The question cannot be answered now; ``reason`` is a word for metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Pending:
    """One password that is being checked, and who waits for it."""

    __slots__ = ("client", "key", "message", "waiters")

    def __init__(self, key: bytes, client: str, message: bytes) -> None:
        self.key = key
        self.client = client
        self.message = message
        self.waiters: list[asyncio.Future[bool]] = []

    @property
    def is_wanted(self) -> bool:
        return any(not waiter.done() for waiter in self.waiters)


class PasswordChecks:
    """One worker's. To be used on one event loop, and closed. ``turn`` is shared with other workers' checks."""

    def __init__(self, command: Sequence[str] = COMMAND, *, turn: Turn | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._secret = os.urandom(32)
        self._right = _Memory(RIGHT_FOR_S)
        self._wrong = _Memory(WRONG_FOR_S)
        self._pending: dict[bytes, _Pending] = {}
        self._lanes: dict[str, deque[_Pending]] = {}
        self._waiting = 0
        self._current: _Pending | None = None
        self._checker = PasswordChecker(command, on_verdict=self._on_verdict, on_lost=self._on_lost, turn=turn)
        self._timer: asyncio.TimerHandle | None = None  # of the check, of the pause, or of idling
        self._is_pausing = False

    def __repr__(self) -> str:
        return f"<PasswordChecks: {self._waiting} waiting>"

    def check(self, hashed: bytes, password: bytes, client: str = "") -> bool | asyncio.Future[bool]:
        """Whether ``password`` is that of ``hashed``; the future is the caller's own, and may be cancelled.

        ``client`` is whose turn it takes. Passwords are at most ``htpasswd.MAX_PASSWORD`` bytes.

        Raises:
            ChecksUnavailable: too many wait already. The future may hold it too.
        """
        if is_cheap(hashed):
            return check_cheap(hashed, password)
        key = blake2b(b"%b\0%b" % (hashed, password), key=self._secret, digest_size=16).digest()
        now = self._loop.time()
        if self._right.holds(key, now):
            return True
        if self._wrong.holds(key, now):
            return False
        pending = self._pending.get(key) or self._enqueue(key, hashed, password, client)
        if len(pending.waiters) >= MAX_TOGETHER:
            raise ChecksUnavailable("password-checks-full")
        waiter: asyncio.Future[bool] = self._loop.create_future()
        pending.waiters.append(waiter)
        self._go_on()
        return waiter

    def close(self) -> None:
        """End the process; who waits is told that there is no answer."""
        self._set_timer(None)
        self._checker.stop(wait=True)
        self._current = None
        self._fail_all("password-checks-ended")

    @property
    def checker_pid(self) -> int:
        """The process; 0 while there is none."""
        return self._checker.pid

    # -- what waits

    def _enqueue(self, key: bytes, hashed: bytes, password: bytes, client: str) -> _Pending:
        lane = self._lanes.get(client)
        if self._waiting >= MAX_WAITING or (lane is not None and len(lane) >= MAX_WAITING_OF_CLIENT):
            raise ChecksUnavailable("password-checks-full")
        pending = _Pending(key, client, _HEAD.pack(len(hashed), len(password)) + hashed + password)
        if lane is None:
            lane = self._lanes[client] = deque()
        lane.append(pending)
        self._waiting += 1
        self._pending[key] = pending
        return pending

    def _next(self) -> _Pending | None:
        """The next one somebody still waits for, clients in turn."""
        while self._lanes:
            client = next(iter(self._lanes))
            lane = self._lanes.pop(client)
            pending = lane.popleft()
            self._waiting -= 1
            if lane:
                self._lanes[client] = lane  # now the last
            if pending.is_wanted:
                return pending
            del self._pending[pending.key]
        return None

    def _go_on(self) -> None:
        if self._current is not None or self._is_pausing:
            return
        self._current = self._next()
        if self._current is None:
            self._set_timer(IDLE_S)
            return
        self._set_timer(CHECK_LIMIT_S)
        try:
            self._checker.ask(self._current.message)
        except OSError as error:
            log.error("cannot start the password checker %s: %s", PROGRAM, error.strerror)
            self._current = None
            self._fail_all("password-checks-failed")
            self._set_timer(None)

    # -- what the process says, and the time

    def _on_verdict(self, is_right: bool) -> None:
        pending, self._current = self._current, None
        if pending is not None:
            del self._pending[pending.key]
            (self._right if is_right else self._wrong).add(pending.key, self._loop.time())
            for waiter in pending.waiters:
                if not waiter.done():
                    waiter.set_result(is_right)
        self._go_on()

    def _on_lost(self) -> None:
        pending, self._current = self._current, None
        log.warning("the password checker ended%s; starting another when needed", " inside a check" if pending else "")
        if pending is not None:
            self._fail(pending, "password-checks-failed")
        self._set_timer(RESTART_PAUSE_S)
        self._is_pausing = True

    def _on_timer(self) -> None:
        self._timer = None
        self._is_pausing = False
        pending, self._current = self._current, None
        if pending is None and self._waiting == 0:
            self._checker.stop()  # idle
            return
        if pending is not None:
            log.warning("a password check took longer than %g s and was given up", CHECK_LIMIT_S)
            self._checker.stop()
            self._fail(pending, "password-checks-slow")
        self._go_on()

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self._on_timer)

    def _fail(self, pending: _Pending, reason: str) -> None:
        del self._pending[pending.key]
        for waiter in pending.waiters:
            if not waiter.done():
                waiter.set_exception(ChecksUnavailable(reason))

    def _fail_all(self, reason: str) -> None:
        self._lanes.clear()
        self._waiting = 0
        for pending in list(self._pending.values()):
            self._fail(pending, reason)


class _Memory:
    """Keys and until when they hold, oldest first."""

    __slots__ = ("_for_s", "_until")

    def __init__(self, for_s: float) -> None:
        self._for_s = for_s
        self._until: dict[bytes, float] = {}

    def holds(self, key: bytes, now: float) -> bool:
        until = self._until.get(key)
        return until is not None and now < until

    def add(self, key: bytes, now: float) -> None:
        self._until.pop(key, None)
        if len(self._until) >= MAX_REMEMBERED:
            del self._until[next(iter(self._until))]
        self._until[key] = now + self._for_s
