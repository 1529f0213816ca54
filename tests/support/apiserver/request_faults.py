"""How each fault that replaces an answer is committed. None means: answer after all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.support.apiserver import wire
from tests.support.apiserver.errors import (
    ApiError,
    expired,
    forbidden,
    invalid_options,
    too_large_resource_version,
    unauthorized,
)
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.request_info import RequestInfo

Commit = Callable[[Fault, RequestInfo, web.Request], Awaitable[web.StreamResponse | None]]

_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


async def commit(fault: Fault, info: RequestInfo, request: web.Request) -> web.StreamResponse | None:
    if fault.name in _ERRORS:
        raise _ERRORS[fault.name](fault, info)
    return await _COMMITS[fault.name](fault, info, request)


def _retry_after(fault: Fault) -> dict[str, str]:
    seconds = fault.options.get("retry_after_s")
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _forbidden(_: Fault, info: RequestInfo) -> ApiError:
    group = info.kind.group if info.kind else ""
    return forbidden("fixture-user", info.verb, info.resource, group, info.namespace, info.name)


def _too_many_requests(fault: Fault, _: RequestInfo) -> ApiError:
    message = "the server has received too many requests and has asked us to try again later"
    fault.options.setdefault("retry_after_s", 1)
    return ApiError(429, "TooManyRequests", message, headers=_retry_after(fault))


def _unavailable(fault: Fault, _: RequestInfo) -> ApiError:
    message = "the server is currently unable to handle the request"
    return ApiError(503, "ServiceUnavailable", message, headers=_retry_after(fault))


def _watch_list_off(_: Fault, __: RequestInfo) -> ApiError:
    return invalid_options("sendInitialEvents", "streaming lists are switched off on this server")


_ERRORS: dict[str, Callable[[Fault, RequestInfo], ApiError]] = {
    "unauthorized": lambda _, __: unauthorized(),
    "forbidden": _forbidden,
    "too_many_requests": _too_many_requests,
    "internal_error": lambda _, __: ApiError(500, "InternalError", "an internal error on command"),
    "unavailable": _unavailable,
    "gateway_timeout": lambda _, __: ApiError(504, "Timeout", "the request did not complete in time"),
    "gone": lambda _, __: expired("too old resource version"),
    "too_large_resource_version": lambda _, __: too_large_resource_version(999_999_999, 1),
    "watch_list_off": _watch_list_off,
}


async def _close(_: Fault, __: RequestInfo, request: web.Request) -> None:
    await wire.close(request)


async def _reset(_: Fault, __: RequestInfo, request: web.Request) -> None:
    await wire.reset(request)


async def _black_hole(_: Fault, __: RequestInfo, ___: web.Request) -> None:
    await wire.forever()


async def _slow(fault: Fault, _: RequestInfo, __: web.Request) -> None:
    await asyncio.sleep(float(fault.options.get("delay_s", 1.0)))


async def _html_502(_: Fault, __: RequestInfo, ___: web.Request) -> web.StreamResponse:
    return web.Response(status=502, text=_HTML, content_type="text/html")


async def _text_body(fault: Fault, _: RequestInfo, __: web.Request) -> web.StreamResponse:
    return web.Response(text=str(fault.options.get("text", "no healthy upstream")), content_type="text/plain")


async def _truncate_body(_: Fault, __: RequestInfo, ___: web.Request) -> None:
    """Committed where the body is written, once the answer is known."""


_COMMITS: dict[str, Commit] = {
    "close": _close,
    "reset": _reset,
    "black_hole": _black_hole,
    "slow": _slow,
    "html_502": _html_502,
    "text_body": _text_body,
    "truncate_body": _truncate_body,
}
