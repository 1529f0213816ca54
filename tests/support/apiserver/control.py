"""The control port: what a test may do to the server, and the API again without authentication, log and faults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from aiohttp import web

from tests.support.apiserver.errors import ApiError, Json
from tests.support.apiserver.faults import STREAM_FAULTS, Fault
from tests.support.apiserver.process import Process
from tests.support.apiserver.verbs import FIRST_NAMESPACES

_LONGEST_POLL_S = 30.0
Action = Callable[[Process, Json], Awaitable[Json]]


def add_control_routes(app: web.Application, process: Process) -> None:
    control = _Control(process)
    app.router.add_get("/_control/requests", control.requests)
    app.router.add_delete("/_control/requests", control.clear_requests)
    app.router.add_get("/_control/faults", control.faults)
    app.router.add_post("/_control/faults", control.add_fault)
    app.router.add_delete("/_control/faults", control.clear_faults)
    app.router.add_post("/_control/actions/{name}", control.act)
    app.router.add_post("/_control/objects", control.create_objects)
    app.router.add_get("/_control/state", control.state)
    app.router.add_route("*", "/{path:.*}", process.api.handle_trusted)


class _Control:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._api = process.api

    async def requests(self, request: web.Request) -> web.Response:
        """With `wait_s`, the answer waits for the log to change if nothing is newer than `changes`."""
        since = int(request.query.get("since", "0"))
        seen = int(request.query.get("changes", "-1"))
        wait_s = min(float(request.query.get("wait_s", "0")), _LONGEST_POLL_S)
        if wait_s and self._api.log.changes == seen:
            await self._api.log.wait_for_change(wait_s)
        return web.json_response({"changes": self._api.log.changes, "requests": self._api.log.since(since)})

    async def clear_requests(self, _: web.Request) -> web.Response:
        self._api.log.clear()
        return web.json_response({})

    async def faults(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(fault) for fault in self._api.faults.waiting()])

    async def add_fault(self, request: web.Request) -> web.Response:
        try:
            fault = Fault(**await request.json())
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        self._api.faults.add(fault)
        return web.json_response({"number": fault.number})

    async def clear_faults(self, _: web.Request) -> web.Response:
        self._api.faults.clear()
        return web.json_response({})

    async def create_objects(self, request: web.Request) -> web.Response:
        try:
            return web.json_response({"created": self._process.create_all(await request.json())})
        except ApiError as error:
            return web.json_response(error.as_status(), status=error.code)

    async def act(self, request: web.Request) -> web.Response:
        action = _ACTIONS.get(request.match_info["name"])
        if action is None:
            raise web.HTTPNotFound(text=f"no such action; there are {', '.join(_ACTIONS)}")
        options = await request.json() if request.can_read_body else {}
        try:
            return web.json_response(await action(self._process, options))
        except ApiError as error:
            raise web.HTTPConflict(text=error.message) from error
        except (AttributeError, KeyError, ValueError) as error:
            raise web.HTTPBadRequest(text=repr(error)) from error

    async def state(self, _: web.Request) -> web.Response:
        """What `watches` lists is ready to be told of changes: a test may write as soon as its watch is here."""
        store = self._api.store
        watches = [{"resource": w.info.resource, "namespace": w.info.namespace} for w in self._api.watches.of()]
        versions = {"resourceVersion": str(store.revision), "compacted": str(store.compacted)}
        return web.json_response(versions | {"watches": watches, "settings": asdict(self._api.settings)})


async def _compact(process: Process, _: Json) -> Json:
    return {"compacted": str(process.api.store.compact())}


async def _rewind(process: Process, options: Json) -> Json:
    """Restored from a backup, the API server itself starts anew, so every connection goes."""
    revision = process.api.store.rewind(int(options.get("by", 1)))
    process.endpoint.drop_connections()
    return {"resourceVersion": str(revision)}


async def _close_watches(process: Process, options: Json) -> Json:
    how = str(options.get("how", "end_watch"))
    if how not in STREAM_FAULTS:
        raise ValueError(f"how must be one of {sorted(STREAM_FAULTS)}")
    watches = process.api.watches.of(options.get("resource", ""))
    for watch in watches:
        watch.order(Fault(how, options=options.get("options", {})))
    return {"closed": len(watches)}


async def _send_bookmarks(process: Process, options: Json) -> Json:
    watches = process.api.watches.of(options.get("resource", ""))
    for watch in watches:
        watch.bookmark_now()
    return {"watches": len(watches)}


async def _configure(process: Process, options: Json) -> Json:
    for name, value in options.items():
        # Slots make an unknown name an AttributeError.
        setattr(process.api.settings, name, value)
    return asdict(process.api.settings)


async def _shift_clock(process: Process, options: Json) -> Json:
    process.api.clock.offset_s += float(options["by_s"])
    return {"now": process.api.clock.stamp()}


async def _reset(process: Process, _: Json) -> Json:
    """As new, but for the port, the credentials and the versions, which go on growing."""
    process.api.faults.clear()
    process.api.store.clear()
    process.api.verbs.create_first_namespaces()
    process.endpoint.drop_connections()
    await process.endpoint.up()
    process.api.log.clear()
    process.api.clock.offset_s = 0.0
    return {"namespaces": FIRST_NAMESPACES}


async def _rotate_token(process: Process, options: Json) -> Json:
    return {"token": process.rotate_token(keep_old=bool(options.get("keep_old", False)))}


async def _rotate_ca(process: Process, options: Json) -> Json:
    process.rotate_ca(publish=bool(options.get("publish", True)))
    return {}


async def _down(process: Process, _: Json) -> Json:
    await process.endpoint.down()
    return {}


async def _up(process: Process, _: Json) -> Json:
    await process.endpoint.up()
    return {}


async def _drop_connections(process: Process, _: Json) -> Json:
    return {"dropped": process.endpoint.drop_connections()}


_ACTIONS: dict[str, Action] = {
    "compact": _compact,
    "rewind": _rewind,
    "close_watches": _close_watches,
    "send_bookmarks": _send_bookmarks,
    "configure": _configure,
    "shift_clock": _shift_clock,
    "reset": _reset,
    "rotate_token": _rotate_token,
    "rotate_ca": _rotate_ca,
    "down": _down,
    "up": _up,
    "drop_connections": _drop_connections,
}
