"""How long to wait after failures. Clocks and randomness are passed in."""

import random
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Clock = Callable[[], float]


class Backoff:
    """Exponential waits with jitter for something that should be running all the time.

    The n-th failure in a row waits ``first_s * 2**n``, lengthened by up to as much again so that a thousand clients do
    not return together, never above ``cap_s``. A failure that comes ``reset_s`` or more after the end of the last wait
    is a first one again.
    """

    def __init__(
        self,
        *,
        first_s: float = 0.8,
        cap_s: float = 30.0,
        reset_s: float = 120.0,
        clock: Clock = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._reset_s = reset_s
        self._clock = clock
        self._uniform = uniform
        self._failures = 0
        self._resumed_at = float("-inf")

    @property
    def is_at_rest(self) -> bool:
        """True when the next failure counts as a first one."""
        return not self._failures or self._clock() - self._resumed_at >= self._reset_s

    def after_failure(self, at_least_s: float = 0.0) -> float:
        """Seconds to wait now. ``at_least_s`` is what the server asked for (Retry-After)."""
        return self._wait(max(self._next(), at_least_s))

    def at_once(self) -> float:
        """No wait for a first failure, so that what is no fault of the server's costs no time, only its repetition."""
        if self.is_at_rest:
            self._failures = 1
            return self._wait(0.0)
        return self.after_failure()

    def _next(self) -> float:
        if self.is_at_rest:
            self._failures = 0
        delay_s = self._first_s * 2.0 ** min(self._failures, 32)
        self._failures += 1
        return min(delay_s * self._uniform(1.0, 2.0), self._cap_s)

    def _wait(self, delay_s: float) -> float:
        self._resumed_at = self._clock() + delay_s
        return delay_s


class TokenBucket:
    """At most ``burst`` at once and ``per_s`` in the long run."""

    def __init__(self, *, per_s: float, burst: int, clock: Clock = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._clock = clock
        self._filled_at = clock()

    def take(self) -> float:
        """Take one token, on credit if need be: the seconds to wait until it is there."""
        self._fill()
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._per_s)

    def try_take(self) -> bool:
        """Take one token if there is one."""
        self._fill()
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_s)
        self._filled_at = now


K = TypeVar("K", bound=Hashable)


class KeyedRetries(Generic[K]):
    """Waits before work on a key is tried again: 5 ms doubled for each failure of that key, at most 1,000 s; and over
    all keys 10 retries a second after a burst of 100, so that a failure of everything does not become a storm."""

    def __init__(self, *, first_s: float = 0.005, cap_s: float = 1000.0, clock: Clock = time.monotonic) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._failures: dict[K, int] = {}
        self._overall = TokenBucket(per_s=10.0, burst=100, clock=clock)

    def after_failure(self, key: K) -> float:
        """Seconds to wait before this key is tried again."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        own_s = min(self._first_s * 2.0 ** min(failures, 32), self._cap_s)
        return max(own_s, self._overall.take())

    def forget(self, key: K) -> None:
        """The key did well, or is no longer wanted."""
        self._failures.pop(key, None)
