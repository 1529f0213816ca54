"""uvloop where it is installed, asyncio's own loop elsewhere."""

import asyncio


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop for this process. uvloop saves 8 to 19 % of the CPU of a request (`docs/`)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
