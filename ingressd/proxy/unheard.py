"""What of a request the endpoint's side has certainly not received.

A FIN carries the acknowledgement of everything that its sender's kernel had received in order (RFC 9293 §3.10.4 and
§3.10.7.4), and ours takes note of that before it reports the end. So when all of a request is still unacknowledged
after a FIN, the other side had closed before the first byte of it came: whatever it does with what still arrives, it
can answer nothing, and RFC 9112 §9.6 forbids it to act. A RST proves nothing: it may come from a process that died
over the request, and acknowledges nothing on the way.
"""

import asyncio
import sys

if sys.platform == "linux":
    import fcntl
    import termios

    def unacknowledged_bytes(transport: asyncio.Transport) -> int:
        """How many of the last bytes written the peer has not acknowledged; 0 when nobody can tell."""
        waiting = transport.get_write_buffer_size()
        connection = transport.get_extra_info("socket")
        if connection is None:
            return waiting
        try:
            # SIOCOUTQ of tcp(7); it outlives the connection, but not the descriptor.
            queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        except (OSError, ValueError):
            return waiting
        return waiting + int.from_bytes(queued, sys.byteorder)

else:

    def unacknowledged_bytes(transport: asyncio.Transport) -> int:
        """Other kernels do not tell: what was not given to ours is all that is known."""
        return transport.get_write_buffer_size()
