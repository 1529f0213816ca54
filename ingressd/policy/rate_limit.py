"""How much one client may ask of a route: requests a second, a minute, at a time, and bytes a second of an answer.

The arithmetic is nginx's, digit for digit: a bucket in thousandths of a request that leaks at the rate. A client's
first request finds it empty and adds nothing; each later one adds 1,000 and passes while the bucket then holds no more
than the burst. So burst + 1 requests pass at once. A request that is refused adds nothing.
"""

from msgspec import Struct

ONE = 1000
"""One request, in the unit of the bucket."""


class RateLimits(Struct, frozen=True, gc=False, array_like=True):
    """0 means no such limit. ``id`` names whose limit it is: all routes with the same one share a client's counters.

    ``exempt`` are networks as ``address_list.read_networks`` returns them.
    """

    id: str
    per_second: int = 0
    per_minute: int = 0
    connections: int = 0
    burst_multiplier: int = 5
    exempt: tuple[str, ...] = ()
    rate_status: int = 503
    connections_status: int = 503


class Bandwidth(Struct, frozen=True, gc=False, array_like=True):
    """At most ``bytes_per_s`` of an answer's body, after its first ``after_bytes``."""

    bytes_per_s: int
    after_bytes: int = 0


class Leak(Struct, frozen=True, gc=False):
    """``rate`` in thousandths of a request a second, ``burst`` in thousandths of a request."""

    rate: int
    burst: int

    def level(self, level: int, elapsed_ms: int) -> int:
        """What the bucket holds with one request more. nginx rounds down what has leaked, so we do."""
        level += ONE - self.rate * elapsed_ms // 1000
        return level if level > 0 else 0

    def empty_in_ms(self, level: int) -> int:
        """Rounded up."""
        return -(-level * 1000 // self.rate) if self.rate else 0


NO_LIMIT = Leak(0, 0)


def leak_per_second(limits: RateLimits) -> Leak:
    """``NO_LIMIT`` when there is none."""
    per_second = limits.per_second
    return Leak(per_second * ONE, per_second * limits.burst_multiplier * ONE) if per_second > 0 else NO_LIMIT


def leak_per_minute(limits: RateLimits) -> Leak:
    """nginx keeps whole thousandths a second: 1 a minute is 16 of them, not 16.67."""
    per_minute = limits.per_minute
    return Leak(per_minute * ONE // 60, per_minute * limits.burst_multiplier * ONE) if per_minute > 0 else NO_LIMIT
