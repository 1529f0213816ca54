"""What limits and address lists cost each request that has them. Claim: 5 µs for a limit that all workers share.

    python -m benchmarks.limits [--networks 10000]

"shared" is with two workers, so with the record lock; "contended" with another process that does nothing else to the
same client, which is the worst there can be.
"""

import argparse
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, cycle

from benchmarks.match import nanoseconds
from ingressd.policy.address_list import AddressCheck, AddressLists, AddressSet
from ingressd.policy.rate_limit import RateLimits
from ingressd.proxy.shared_limits import BoundLimits, SharedLimits

TURNS = 100_000
CLIENT = "192.0.2.1"
RATE = RateLimits("a", per_second=1_000_000, per_minute=60_000_000)
CONNECTIONS = RateLimits("a", per_second=1_000_000, connections=1000)


@contextmanager
def hammering(fd: int) -> Iterator[None]:
    """A second worker takes the same bucket again and again."""
    pid = os.fork()
    if pid == 0:
        other, limits = SharedLimits(fd, workers=2, index=1), BoundLimits(RATE)
        while True:
            other.enter(limits, CLIENT, 1000)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def show(title: str, action: Callable[[], object], turns: int = TURNS) -> None:
    print(f"{title:58} {nanoseconds(action, turns) / 1e3:6.2f} us")


def show_limits() -> None:
    fd = SharedLimits.create(2)
    shared, rate, both = SharedLimits(fd, workers=2, index=0), BoundLimits(RATE), BoundLimits(CONNECTIONS)
    alone = SharedLimits(SharedLimits.create(1), workers=1, index=0)
    show("rate, one worker", lambda: alone.enter(rate, CLIENT, 1000))
    show("rate, shared", lambda: shared.enter(rate, CLIENT, 1000))
    show("rate and connections, shared, enter and leave", lambda: shared.leave(shared.enter(both, CLIENT, 1000)))
    with hammering(fd):
        show("rate, shared, contended", lambda: shared.enter(rate, CLIENT, 1000), TURNS // 10)
    numbers = count()

    def newcomer() -> None:
        number = next(numbers) & 0xFFFFFF
        shared.enter(rate, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1000)

    show("rate, shared, a new client each time, table full at last", newcomer)


def show_lists(networks: int) -> None:
    listed = tuple(f"10.{number >> 8 & 255}.{number & 255}.{number >> 16 << 6}/26" for number in range(networks))
    clients = cycle([f"10.{number >> 8 & 255}.{number & 255}.1" for number in range(8192)])
    check = AddressCheck(AddressLists(allow=listed))
    show(f"allow list of {networks}, known client", lambda: check.check(CLIENT))
    show(f"allow list of {networks}, clients in turn, none remembered", lambda: check.check(next(clients)))
    show(f"allow list of {networks}, made ready", lambda: AddressSet(listed), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=10_000)
    show_limits()
    show_lists(parser.parse_args().networks)


if __name__ == "__main__":
    main()
