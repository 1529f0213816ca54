"""How long a route waits for its upstream."""

from msgspec import Struct


class Timeouts(Struct, frozen=True, gc=False, array_like=True):
    """Seconds. ``read_s`` and ``send_s`` are gaps between two reads or two writes, not totals (as in nginx)."""

    connect_s: float = 5.0
    read_s: float = 60.0
    send_s: float = 60.0
