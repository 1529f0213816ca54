"""How each fault of a watch stream is committed. Each returns whether the stream goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import orjson

from tests.support.apiserver import wire
from tests.support.apiserver.errors import ApiError, expired
from tests.support.apiserver.faults import Fault

if TYPE_CHECKING:
    from tests.support.apiserver.watching import Watch

Commit = Callable[[Fault, "Watch"], Awaitable[bool]]


async def commit(fault: Fault, watch: Watch) -> bool:
    return await _COMMITS[fault.name](fault, watch)


async def _end(_: Fault, __: Watch) -> bool:
    return False


async def _close(_: Fault, watch: Watch) -> bool:
    assert watch.request is not None
    await wire.close(watch.request)
    return False


async def _reset(_: Fault, watch: Watch) -> bool:
    assert watch.request is not None
    await wire.reset(watch.request)
    return False


async def _silence(_: Fault, __: Watch) -> bool:
    await wire.forever()
    return False


async def _slow_lines(fault: Fault, watch: Watch) -> bool:
    watch.piece_delay_s = float(fault.options.get("delay_s", 0.2))
    return True


async def _half_line(fault: Fault, watch: Watch) -> bool:
    line = watch.example_line()
    await watch.write(line[: len(line) // 2])
    if not fault.options.get("clean"):
        await _close(fault, watch)
    # A clean end is the nastier one: the framing says all is well, only the line is cut.
    return False


async def _undecodable_line(_: Fault, watch: Watch) -> bool:
    await watch.write(b'{"type":"MODIFIED","object":{"metadata":}}\n')
    return True


async def _text_line(fault: Fault, watch: Watch) -> bool:
    text = str(fault.options.get("text", "upstream request timeout"))
    await watch.write(text.encode() + b"\n")
    return False


async def _unknown_event(_: Fault, watch: Watch) -> bool:
    await watch.write(watch.example_line("SURPRISE"))
    return True


async def _gone_event(_: Fault, watch: Watch) -> bool:
    await _send_error(watch, expired("too old resource version"))
    return False


async def _error_event(fault: Fault, watch: Watch) -> bool:
    code = int(fault.options.get("code", 500))
    await _send_error(watch, ApiError(code, str(fault.options.get("reason", "InternalError")), "an error on command"))
    return False


async def _send_error(watch: Watch, error: ApiError) -> None:
    await watch.write(orjson.dumps({"type": "ERROR", "object": error.as_status()}) + b"\n")


async def _no_bookmarks(_: Fault, watch: Watch) -> bool:
    watch.bookmarks = False
    return True


async def _huge_object(fault: Fault, watch: Watch) -> bool:
    await watch.write(watch.example_line(padding=int(fault.options.get("size_bytes", 2 * 1024 * 1024))))
    return True


_COMMITS: dict[str, Commit] = {
    "end_watch": _end,
    "close_watch": _close,
    "reset_watch": _reset,
    "silence": _silence,
    "slow_lines": _slow_lines,
    "half_line": _half_line,
    "undecodable_line": _undecodable_line,
    "text_line": _text_line,
    "unknown_event": _unknown_event,
    "gone_event": _gone_event,
    "error_event": _error_event,
    "no_bookmarks": _no_bookmarks,
    "huge_object": _huge_object,
}
