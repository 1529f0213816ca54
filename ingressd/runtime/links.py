"""Links between the parent and its children: short orders and heartbeats, with a descriptor where one is handed over.

A link is a SOCK_SEQPACKET pair: a message arrives whole or not at all, and the other end's death is an end of file.
"""

import contextlib
import socket

DRAIN = b"drain"  # to a worker: accept no more, finish what is open, end
CUT = b"cut"  # to a worker that drains: what is still open has had its time
REOPEN = b"reopen"  # to a worker: open the access log anew
CHANNEL = b"channel"  # with a descriptor: a new channel between the control process and a worker
LAST = b"last"  # to a worker, with a descriptor: the last complete configuration, while nobody knows a newer one
BEAT = b"beat"  # from a child: its loop turns
ACCEPTING = b"accepting"  # from a worker: it serves its first configuration
DRAINING = b"draining"  # to the control process: readiness fails from now on
STOP = b"stop"  # to the control process: hand back what is held in the cluster, end
RELOAD = b"reload"  # to the control process: read certificates and manifests again
READY = b"ready"  # from the control process: every worker serves the first complete configuration
KEEP = b"keep"  # from the control process, with a descriptor: a complete configuration, for LAST
DRAIN_TIMEOUT = b"drain-timeout"  # from the control process: so many seconds, as the ConfigMap has it; "-": it has none
FAILED = b"failed"  # from the control process: it cannot start; the reason follows

BEAT_S = 1.0
MAX_MESSAGE_BYTES = 4096


class LinkClosed(Exception):
    """The other end is gone."""


def new_link() -> tuple[socket.socket, socket.socket]:
    """Two ends; neither blocks."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


def send(link: socket.socket, message: bytes, descriptor: int | None = None) -> bool:
    """Send; False when the other end is gone or so far behind that it will be ended anyway."""
    with contextlib.suppress(OSError):
        if descriptor is None:
            link.send(message)
        else:
            socket.send_fds(link, [message], [descriptor])
        return True
    return False


def receive(link: socket.socket) -> tuple[bytes, int | None]:
    """The next message and the descriptor that came with it.

    Raises:
        LinkClosed: the other end is gone.
        BlockingIOError: there is no message.
    """
    try:
        message, descriptors, _, _ = socket.recv_fds(link, MAX_MESSAGE_BYTES, 1)
    except ConnectionError:
        raise LinkClosed from None
    if not message:
        raise LinkClosed
    return message, descriptors[0] if descriptors else None
