"""One running server: handler, ports and credentials together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests.support.apiserver.auth import Authentication
from tests.support.apiserver.certificates import Pair
from tests.support.apiserver.endpoint import Endpoint, Tls, new_app, start_app
from tests.support.apiserver.errors import ApiError, Json, bad_request
from tests.support.apiserver.kinds import NAMESPACES, find_kind
from tests.support.apiserver.kubeconfig import user_entry, write_kubeconfig, write_service_account
from tests.support.apiserver.manifests import load_directory
from tests.support.apiserver.server import ApiHandler
from tests.support.apiserver.settings import Settings
from tests.support.apiserver.verbs import Target, WriteOptions


@dataclass(frozen=True, slots=True)
class Access:
    """How clients are let in."""

    tls: bool = False
    token: str = ""
    client_certificate: bool = False
    token_file: bool = False  # the kubeconfig names a file instead of holding the token

    @property
    def required(self) -> bool:
        return bool(self.token) or self.client_certificate


class Process:
    def __init__(self, settings: Settings, access: Access, directory: Path, tls: Tls | None) -> None:
        self.api = ApiHandler(settings, Authentication(required=access.required, token=access.token))
        self.kubeconfig = directory / "kubeconfig"
        self.service_account = directory / "serviceaccount"
        self.tls = tls
        self._access = access
        self._token = access.token
        self._client_pair: Pair | None = tls.client_pair() if tls and access.client_certificate else None
        self.endpoint: Endpoint

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.endpoint.host}:{self.endpoint.port}"

    async def listen(self, host: str, port: int) -> web.AppRunner:
        app = new_app()
        app.router.add_route("*", "/{path:.*}", self.api.handle)
        runner = await start_app(app)
        self.endpoint = Endpoint(runner, host, port, self.tls.context if self.tls else None)
        await self.endpoint.up()
        self._publish_credentials()
        return runner

    def rotate_token(self, *, keep_old: bool) -> str:
        self._token = self.api.authentication.rotate_token(keep_old)
        self._publish_credentials()
        return self._token

    def rotate_ca(self, *, publish: bool) -> None:
        """A new authority and server certificate. Unpublished, clients still trust the old one, and must fail."""
        if self.tls is None:
            raise ValueError("there is no CA without TLS")
        self.tls.rotate()
        if self._client_pair:
            self._client_pair = self.tls.client_pair()
        if publish:
            self._publish_credentials()
        # Nobody would notice on connections made before.
        self.endpoint.drop_connections()

    def load(self, directory: Path) -> int:
        """Creates what manifests describe."""
        try:
            return self.create_all(load_directory(directory))
        except ApiError as error:
            raise SystemExit(error.message) from error

    def create_all(self, objects: Iterable[Json]) -> int:
        """Creates objects, and the namespaces they need."""
        count = 0
        for obj in objects:
            self._create(obj)
            count += 1
        return count

    def _create(self, obj: Json) -> None:
        kind = find_kind(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise bad_request(f"{obj['apiVersion']} {obj['kind']} is not a kind of this server")
        namespace = obj["metadata"].get("namespace", "default") if kind.namespaced else ""
        options = WriteOptions("load")
        if namespace and self.api.store.get(NAMESPACES.storage, ("", namespace)) is None:
            self.api.verbs.create(Target(NAMESPACES), {"metadata": {"name": namespace}}, options)
        created = self.api.verbs.create(Target(kind, namespace), obj, options)
        if kind.has_status and "status" in obj:
            target = Target(kind, namespace, created["metadata"]["name"], "status")
            self.api.verbs.update(target, created | {"status": obj["status"]}, options)

    def _publish_credentials(self) -> None:
        authority = self.tls.authority.certificate if self.tls else None
        write_service_account(self.service_account, self._token, authority)
        token_file = self.service_account / "token" if self._access.token_file else None
        write_kubeconfig(self.kubeconfig, self.url, authority, user_entry(self._token, token_file, self._client_pair))
