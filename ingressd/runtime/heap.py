"""How the C library keeps the memory that bodies pass through.

The event loop reads into a new object of 250 KiB each time. glibc gives the end of the heap back to the kernel as soon
as half a MiB of it is free, and the next read takes page faults to get it again: with eight bodies of 1 MiB under way
that was a quarter of their CPU.
"""

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1  # numbers of <malloc.h>
_M_MMAP_THRESHOLD: Final = -3

KEPT_BYTES: Final = 16 << 20
"""What a process keeps of memory that it has freed, at most, at the end of its heap."""
_MAPPED_BYTES: Final = 4 << 20  # from here on each object is a mapping of its own, given back when it is freed


def keep_freed_memory() -> None:
    """Once in each process, before it works. Does nothing where the C library has no ``mallopt`` (musl, macOS)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
