"""The API's HTTP side: from a request to the verb that answers it."""

from __future__ import annotations

import time
from typing import Any

import orjson
import yaml
from aiohttp import web

from tests.support.apiserver import protobuf, request_faults, wire
from tests.support.apiserver.admission import Admission
from tests.support.apiserver.auth import Authentication
from tests.support.apiserver.clock import Clock
from tests.support.apiserver.discovery import describe_server
from tests.support.apiserver.errors import ApiError, Json, bad_request, method_not_allowed, no_such_path
from tests.support.apiserver.event_versions import to_served
from tests.support.apiserver.faults import REQUEST_FAULTS, Faults
from tests.support.apiserver.listing import check_not_too_large, list_objects
from tests.support.apiserver.manifests import load_yaml
from tests.support.apiserver.negotiation import PLAIN, negotiate
from tests.support.apiserver.openapi import V2_CONTENT_TYPE, openapi_v2_json, openapi_v2_protobuf
from tests.support.apiserver.presentation import Presentation
from tests.support.apiserver.request_info import RequestInfo, is_true, read_request
from tests.support.apiserver.request_log import RequestLog, RequestRecord
from tests.support.apiserver.settings import Settings
from tests.support.apiserver.store import Store
from tests.support.apiserver.verbs import APPLY_PATCH, PATCH_TYPES, Target, Verbs, WriteOptions
from tests.support.apiserver.watching import Watch, Watches

_HEALTH = ("/healthz", "/livez", "/readyz")


class ApiHandler:
    def __init__(self, settings: Settings, authentication: Authentication) -> None:
        self.settings = settings
        self.authentication = authentication
        self.clock = Clock()
        self.store = Store(settings.history_limit)
        self.verbs = Verbs(self.store, Admission(settings, self.clock), self.clock)
        self.verbs.create_first_namespaces()
        self.faults = Faults()
        self.watches = Watches()
        self.log = RequestLog()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A client's request: recorded, authenticated, and subject to faults."""
        info = read_request(request.method, request.path, request.query)
        record = self.log.add(request, info)
        try:
            response = await self._handle_checked(request, info, record)
            record.status = response.status
        except ApiError as error:
            record.status = error.code
            return _refusal(error)
        finally:
            record.ended = time.monotonic()
            self.log.changed()
        return response

    async def handle_trusted(self, request: web.Request) -> web.StreamResponse:
        """A test's own request, by the control port: no log, no authentication, no faults."""
        info = read_request(request.method, request.path, request.query)
        try:
            return await self._answer(request, info, None)
        except ApiError as error:
            return _refusal(error)

    async def _handle_checked(
        self, request: web.Request, info: RequestInfo, record: RequestRecord
    ) -> web.StreamResponse:
        fault = self.faults.take(REQUEST_FAULTS, info, dict(request.query))
        if fault is not None:
            record.fault = fault.name
            self.log.changed()
            response = await request_faults.commit(fault, info, request)
            if response is not None:
                return response
        self.authentication.user_of(request)
        response = await self._answer(request, info, record)
        if fault is not None and fault.name == "truncate_body":
            return await _truncated(request, response)
        return response

    async def _answer(
        self, request: web.Request, info: RequestInfo, record: RequestRecord | None
    ) -> web.StreamResponse:
        if info.kind is None:
            return self._about_server(request)
        if not info.verb or info.subresource not in ("", "status") or (info.subresource and not info.kind.has_status):
            raise no_such_path() if info.verb else method_not_allowed()
        if info.kind.namespaced and not info.namespace and info.verb not in ("list", "watch"):
            raise method_not_allowed()
        if info.verb == "watch":
            return await self._watch(request, info, record)
        if info.verb == "list":
            return self._list(request, info)
        if info.verb == "deletecollection":
            return self._delete_collection(request, info)
        return await self._on_one(request, info)

    def _about_server(self, request: web.Request) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            raise no_such_path()
        if request.path.startswith(_HEALTH):
            return web.Response(text="ok")
        if request.path == "/openapi/v2":
            if "protobuf" in request.headers.get("Accept", ""):
                return web.Response(body=openapi_v2_protobuf(), headers={"Content-Type": V2_CONTENT_TYPE})
            return web.json_response(openapi_v2_json())
        answer = describe_server(request.path, self.settings.version)
        if answer is None:
            raise no_such_path()
        return web.json_response(answer)

    async def _watch(self, request: web.Request, info: RequestInfo, record: RequestRecord | None) -> web.StreamResponse:
        watch = Watch(
            info, dict(request.query), self.store, self.settings, self.faults, _presentation(self, request, info)
        )

        def note_begin() -> None:
            # A watch is answered when it begins: tests wait for that, not for its end.
            if record is not None:
                record.status = 200
            self.log.changed()

        with self.watches.holding(watch):
            return await watch.run(request, note_begin)

    def _list(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        page = list_objects(self.store, self.settings, info, request.query)
        return self._respond(request, 200, _presentation(self, request, info).many(page.objects, page.metadata))

    def _delete_collection(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        assert info.kind is not None
        page = list_objects(self.store, self.settings, info, request.query)
        dry_run = _is_dry_run(request.query.get("dryRun", ""))
        for obj in page.objects:
            target = Target(info.kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            self.verbs.delete(target, {}, dry_run)
        return self._respond(request, 200, _presentation(self, request, info).many(page.objects, page.metadata))

    async def _on_one(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        assert info.kind is not None
        target = Target(info.kind, info.namespace, info.name, info.subresource)
        status = 200
        if info.verb == "get":
            check_not_too_large(self.store, request.query.get("resourceVersion", ""))
            obj = self.verbs.get(target)
        elif info.verb == "delete":
            return await self._delete(request, target)
        elif info.verb == "create":
            obj, status = self.verbs.create(target, await _body(request), _write_options(request)), 201
        elif info.verb == "update":
            obj = self.verbs.update(target, await _body(request), _write_options(request))
        else:
            obj, status = await self._patch(request, target)
        return self._respond(request, status, _presentation(self, request, info).one(obj))

    async def _patch(self, request: web.Request, target: Target) -> tuple[Json, int]:
        media = request.content_type
        if media not in PATCH_TYPES:
            raise ApiError(415, "UnsupportedMediaType", f"the body of a patch must be one of {', '.join(PATCH_TYPES)}")
        existed = self.store.get(target.kind.storage, target.key) is not None
        options = _write_options(request)
        if media == APPLY_PATCH and not request.query.get("fieldManager"):
            raise bad_request("fieldManager is required for apply patch")
        patched = self.verbs.patch(target, media, await _body(request), options)
        return patched, 200 if existed else 201

    async def _delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = await _body(request) if request.can_read_body else {}
        dry_run = _is_dry_run(request.query.get("dryRun", "") or ",".join(options.get("dryRun") or ()))
        obj, gone = self.verbs.delete(target, options.get("preconditions") or {}, dry_run)
        if not gone:
            return self._respond(request, 200, to_served(target.kind, obj))
        details = {"name": target.name, "kind": target.kind.plural, "uid": obj["metadata"]["uid"]}
        if target.kind.group:
            details["group"] = target.kind.group
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return self._respond(request, 200, status)

    def _respond(self, request: web.Request, status: int, answer: Json) -> web.Response:
        form = PLAIN if answer.get("kind") == "Status" else negotiate(request.headers.get("Accept", ""))
        body = orjson.dumps(answer)
        response = web.Response(status=status, body=body, headers={"Content-Type": form.content_type})
        if len(body) >= self.settings.gzip_from_bytes and "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response


def _presentation(handler: ApiHandler, request: web.Request, info: RequestInfo) -> Presentation:
    assert info.kind is not None
    form = negotiate(request.headers.get("Accept", ""))
    return Presentation(info.kind, form, request.query.get("includeObject", ""), handler.clock)


async def _body(request: web.Request) -> Any:
    """JSON; YAML, which server-side apply sends and people write; or protobuf."""
    text = await request.read()
    if request.content_type == protobuf.MEDIA_TYPE:
        return protobuf.decode_object(text)
    try:
        read = load_yaml(text) if "yaml" in request.content_type else orjson.loads(text)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"the body cannot be decoded: {error}") from error
    if request.content_type != "application/json-patch+json" and not isinstance(read, dict):
        raise bad_request("the body is not an object")
    return read


def _write_options(request: web.Request) -> WriteOptions:
    query = request.query
    agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
    manager = query.get("fieldManager") or agent
    return WriteOptions(manager, _is_dry_run(query.get("dryRun", "")), is_true(query.get("force")))


def _is_dry_run(value: str) -> bool:
    if value not in ("", "All"):
        raise bad_request(f"dryRun: unsupported value {value!r}: only All is")
    return value == "All"


def _refusal(error: ApiError) -> web.Response:
    body = orjson.dumps(error.as_status())
    return web.Response(status=error.code, body=body, headers={"Content-Type": "application/json"} | error.headers)


async def _truncated(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    assert isinstance(whole, web.Response)
    assert isinstance(whole.body, bytes)
    response = web.StreamResponse(status=whole.status, headers={"Content-Type": "application/json"})
    response.content_length = len(whole.body)
    await response.prepare(request)
    await response.write(whole.body[: len(whole.body) // 2])
    await wire.close(request)
    return response
