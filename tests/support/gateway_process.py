"""A gateway in a process of its own, so that its memory can be measured.

python -m tests.support.gateway_process uvloop|asyncio ORIGIN_PORT

Prints its port. For each line it reads it prints the most KiB that were resident since the line before.
"""

import asyncio
import re
import sys
from pathlib import Path

import uvloop

from ingressd.telemetry.access_log import AccessLog
from tests.support.gateway import local_gateway, one_host


def take_peak() -> int:
    """Peak resident KiB since the last call (proc(5): VmHWM, clear_refs)."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(peak)


async def serve(origin_port: int) -> None:
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with local_gateway(one_host([origin_port], max_body_bytes=0), log=AccessLog(None)) as gateway:
        print(gateway.http_port, flush=True)
        while await commands.readline():
            print(take_peak(), flush=True)


if __name__ == "__main__":
    main = serve(int(sys.argv[2]))
    uvloop.run(main) if sys.argv[1] == "uvloop" else asyncio.run(main)
