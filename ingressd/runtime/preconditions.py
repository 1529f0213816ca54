"""What the daemon must have before it starts anything; what is missing is told in one line."""

from __future__ import annotations

import contextlib
import os
import resource
import socket

from ingressd.errors import StartError
from ingressd.proxy.listener import has_ipv6
from ingressd.proxy.shared_limits import SharedLimits
from ingressd.telemetry.thread_writer import open_for_append


def shared_memory(workers: int) -> int:
    """The descriptor of ``SharedLimits`` for so many workers.

    Raises:
        StartError: the kernel gives no memory file.
    """
    try:
        return SharedLimits.create(workers)
    except OSError as error:
        why = f"the kernel gives no memory for limits that workers share (memfd_create): {error.strerror}"
        raise StartError(why) from None


def raise_limits() -> None:
    """As many descriptors as we may have; and no core dumps, because memory holds private keys."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def check_access_log(path: str) -> None:
    """Raises StartError when nothing can be appended to the file."""
    try:
        os.close(open_for_append(path))
    except OSError as error:
        raise StartError(f"--access-log {path}: {error.strerror}") from None


def bind_admin(address: str, port: int) -> socket.socket:
    """``address`` "" is every address of both families: in an IPv6-only pod that is where probes come to."""
    both = not address and has_ipv6()
    family = socket.AF_INET6 if both or ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if both:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        bound.bind((address or ("::" if both else "0.0.0.0"), port))
    except OSError as error:
        bound.close()
        where = f"{address or '*'} port {port}"
        raise StartError(f"cannot listen on {where}: {error.strerror}; give another --healthz-port") from None
    bound.listen(128)
    bound.setblocking(False)
    return bound
