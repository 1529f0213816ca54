"""What nginx's variables say of the moment and of this machine, for fields that go upstream."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingressd.policy.variables import Extra


def moment() -> Extra:
    """``policy.variables.OF_MOMENT``, now. Times are UTC; ``msec`` is seconds since the epoch, with milliseconds."""
    now = datetime.now(UTC)
    return {
        "hostname": socket.gethostname().encode(errors="surrogateescape"),
        "msec": b"%.3f" % now.timestamp(),
        "pid": b"%d" % os.getpid(),
        "time_iso8601": now.isoformat(timespec="seconds").encode("ascii"),
        "time_local": now.strftime("%d/%b/%Y:%H:%M:%S +0000").encode("ascii"),
    }
