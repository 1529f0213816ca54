"""Our client of the Kubernetes API: one aiohttp session, fresh credentials on every request, a timeout on everything.

kubernetes-asyncio reads kubeconfigs and credentials (``kube/credentials``) and does nothing else: its models cost
seconds of blocked loop at 10,000 objects, and its requests have no timeouts. What travels here is bytes and plain JSON.
"""

import contextlib
import logging
import platform
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Self

import aiohttp
import msgspec

from ingressd.errors import IngressdError
from ingressd.kube import lines
from ingressd.kube.credentials import (
    Access,
    CredentialError,
    CredentialSource,
    FreshCredentials,
    Kubeconfig,
    ServiceAccount,
    is_in_cluster,
    own_namespace,
)
from ingressd.version import __version__

__all__ = [
    "ApiError",
    "CredentialError",
    "KubeClient",
    "KubeError",
    "UnreachableError",
    "is_in_cluster",
    "own_namespace",
]

log = logging.getLogger(__name__)

USER_AGENT = f"ingressd/{__version__} ({platform.system().lower()}/{platform.machine()})"
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
MAX_BODY_BYTES = 512 << 20
"""A list from the watch cache comes whole, whatever the limit asked for: 10,000 slices are some 30 MB."""
MAX_ERROR_BYTES = 64 << 10
MAX_RETRY_AFTER_S = 600.0
MERGE_PATCH = "application/merge-patch+json"

Params = Mapping[str, str]


class KubeError(IngressdError):
    """The API server did not do what we asked."""


class UnreachableError(KubeError):
    """No (whole) answer: refused, reset, timed out, cut short, no TLS, or not Kubernetes at all."""


class ApiError(KubeError):
    """The server answered with a status of 300 or more. ``retry_after_s`` is 0 when it named no time."""

    def __init__(self, status: int, reason: str = "", message: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}" if self.message else f"{self.status} {self.reason}"

    @property
    def is_expired(self) -> bool:
        """The resourceVersion or continue token is older than the server's history."""
        return self.status == 410

    @property
    def is_version_too_large(self) -> bool:
        """The server is behind the version we have seen (another replica, or a restored etcd). 504 with a cause; older
        servers have only the words."""
        return self.status == 504 and "too large resource version" in self.message.lower()


class _Status(msgspec.Struct):
    reason: str | None = None
    message: str | None = None


class KubeClient:
    """Authenticated requests to one API server. Use as ``async with``, in one event loop.

    All methods raise ApiError, UnreachableError or CredentialError, and nothing else.
    """

    def __init__(
        self,
        source: CredentialSource,
        *,
        strict_x509: bool = True,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``strict_x509`` False accepts cluster CAs that Python 3.13 rejects for missing extensions."""
        self._fresh = FreshCredentials(source, strict_x509=strict_x509, clock=clock)
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_kubeconfig(cls, path: str | None = None, context: str | None = None, **options: Any) -> Self:
        """A kubeconfig file; None: $KUBECONFIG, then ~/.kube/config. It is read by the first request or by check()."""
        return cls(Kubeconfig(path, context), **options)

    @classmethod
    def in_cluster(cls, **options: Any) -> Self:
        return cls(ServiceAccount(), **options)

    async def __aenter__(self) -> Self:
        # No limit on connections: each watch holds one, and a status write must not queue behind them. What we have
        # open is bounded by what we start. Uncompressed, because gunzipping a list costs more than the bytes do.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            trust_env=True,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"},
            read_bufsize=1 << 18,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def check(self) -> str:
        """Read the credentials without a request; the address of the API server. Raises CredentialError."""
        return (await self._fresh.get()).credentials.host

    async def get_bytes(self, path: str, params: Params | None = None) -> bytes:
        """The body of an answer, as it came. Each pause in it may last ``read_timeout_s``."""
        async with self._open(_Call("GET", path, params, self._pauses(self._read_timeout_s))) as response:
            return await _read_all(response)

    async def get_json(self, path: str, params: Params | None = None, *, timeout_s: float | None = None) -> Any:
        return await self._json(_Call("GET", path, params, self._total(timeout_s)))

    async def post_json(self, path: str, body: Any, *, timeout_s: float | None = None) -> Any:
        return await self._json(_Call("POST", path, None, self._total(timeout_s), msgspec.json.encode(body)))

    async def put_json(self, path: str, body: Any, *, timeout_s: float | None = None) -> Any:
        return await self._json(_Call("PUT", path, None, self._total(timeout_s), msgspec.json.encode(body)))

    async def patch_json(self, path: str, body: Any, *, timeout_s: float | None = None) -> Any:
        """A JSON merge patch (RFC 7396)."""
        call = _Call("PATCH", path, None, self._total(timeout_s), msgspec.json.encode(body), MERGE_PATCH)
        return await self._json(call)

    @contextlib.asynccontextmanager
    async def stream_lines(
        self, path: str, params: Params | None = None, *, idle_timeout_s: float
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """Open a stream and give its lines, those of each chunk together. It may be silent for ``idle_timeout_s``.

        The iterator ends at a clean end of the body; a body cut anywhere, also between framing and line, raises
        UnreachableError.
        """
        async with self._open(_Call("GET", path, params, self._pauses(idle_timeout_s))) as response:
            _keep_alive(response)
            async with contextlib.aclosing(_lines(response)) as stream:
                yield stream

    async def _json(self, call: "_Call") -> Any:
        async with self._open(call) as response:
            answer = await _read_all(response)
        try:
            return msgspec.json.decode(answer)
        except (ValueError, RecursionError):
            raise UnreachableError(f"{call.method} {call.path}: the answer is not JSON") from None

    @contextlib.asynccontextmanager
    async def _open(self, call: "_Call") -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with await self._send(call) as response:
                try:
                    if response.status >= 300:
                        raise await _api_error(response)
                    yield response
                finally:
                    _abandon_rest(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"{call.method} {call.path}: {_in_short(error)}") from error

    async def _send(self, call: "_Call") -> aiohttp.ClientResponse:
        """One request; once more with credentials read anew when the first were refused: by 401, or by us, because the
        server's certificate has another CA than we know."""
        access = await self._fresh.get()
        try:
            response = await self._try(call, access)
            if response.status != 401:
                return response
            _abandon_rest(response)
            response.release()
        except aiohttp.ClientConnectorCertificateError as error:
            log.info("the certificate of the API server is not trusted, reading the CA again: %s", _in_short(error))
        return await self._try(call, await self._fresh.renew(access))

    async def _try(self, call: "_Call", access: Access) -> aiohttp.ClientResponse:
        if self._session is None:
            raise UnreachableError("the client is closed")
        credentials = access.credentials
        headers = {"Content-Type": call.content_type} if call.body is not None else {}
        if credentials.authorization:
            headers["Authorization"] = credentials.authorization
        return await self._session.request(
            call.method,
            credentials.host + call.path,
            params=call.params,
            headers=headers,
            data=call.body,
            timeout=call.timeout,
            ssl=access.context,
            server_hostname=credentials.server_name,
            proxy=credentials.proxy,
            # A token goes to the server it is meant for and to no other.
            allow_redirects=False,
        )

    def _total(self, timeout_s: float | None) -> aiohttp.ClientTimeout:
        total_s = self._read_timeout_s if timeout_s is None else timeout_s
        return aiohttp.ClientTimeout(total=total_s, sock_connect=self._connect_timeout_s)

    def _pauses(self, longest_s: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s, sock_read=longest_s)


class _Call(msgspec.Struct, frozen=True):
    method: str
    path: str
    params: Params | None
    timeout: aiohttp.ClientTimeout
    body: bytes | None = None
    content_type: str = "application/json"


async def _read_all(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UnreachableError(f"{response.method} {response.url.path}: more than {MAX_BODY_BYTES} bytes")
    return bytes(body)


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[list[bytes], None]:
    splitter = lines.LineSplitter()
    try:
        async for chunk in response.content.iter_any():
            if whole := splitter.feed(chunk):
                yield whole
    except lines.LineTooLongError as error:
        raise UnreachableError(f"{response.url.path}: {error}") from None
    if not splitter.is_between_lines:
        raise UnreachableError(f"{response.url.path}: the stream ended in the middle of a line")


async def _api_error(response: aiohttp.ClientResponse) -> ApiError:
    body = bytearray()
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        while len(body) < MAX_ERROR_BYTES and (chunk := await response.content.readany()):
            body += chunk
    try:
        status = msgspec.json.decode(body, type=_Status)
    except (ValueError, RecursionError):
        # A load balancer's page; its text is of no use to anybody.
        status = _Status(message="the answer is not the API server's")
    reason = status.reason or response.reason or ""
    return ApiError(response.status, reason, status.message or "", _retry_after_s(response))


def _retry_after_s(response: aiohttp.ClientResponse) -> float:
    """RFC 9110 10.2.3; API servers send seconds, never a date."""
    value = response.headers.get("Retry-After", "")
    return min(float(value), MAX_RETRY_AFTER_S) if value.isascii() and value.isdigit() else 0.0


def _abandon_rest(response: aiohttp.ClientResponse) -> None:
    """Reset a connection whose answer was not read to its end: it cannot be used again, and a graceful end of TLS would
    wait for a peer that may have gone. (One that was read to its end has left the response by now.)"""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    """Let the kernel find out within a minute that the other end of a silent watch has gone; our own deadline for
    silence is ten minutes."""
    transport = response.connection.transport if response.connection else None
    sock = transport.get_extra_info("socket") if transport else None
    if sock is None:
        return
    with contextlib.suppress(OSError):  # not TCP
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _in_short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return "timed out" if isinstance(error, TimeoutError) else text[:300]
