"""`ApiServer`: the fixture as tests hold it.

    with ApiServer() as api:
        api.apply(ingress)
        api.fault("gone_event", resource="ingresses")
        api.wait_for_request(verb="list", resource="ingresses", since=api.mark())

Everything here goes by the control port: it is not in the request log, needs no credentials and suffers no faults.
Methods block; in a test with an event loop of its own write `await in_thread(api.apply, ingress)`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from tests.support.apiserver.client import ObjectClient
from tests.support.apiserver.errors import Json

P = ParamSpec("P")
T = TypeVar("T")

_CHECKOUT = Path(__file__).resolve().parents[3]
_START_LINE = "apiserver ready "
_POLL_S = 5.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as the server saw it. `status` is None until it is answered; a watch is when it begins."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    time: float
    monotonic: float
    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str
    peer: str
    status: int | None
    fault: str
    ended: float | None


class ApiServer(ObjectClient):
    def __init__(
        self,
        *,
        tls: bool = False,
        token: str = "",
        client_cert: bool = False,
        token_file: bool = False,
        strict_addresses: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        super().__init__("")
        flags = {
            "--tls": tls,
            "--client-cert": client_cert,
            "--token-file": token_file,
            "--strict-addresses": strict_addresses,
        }
        self._arguments = [flag for flag, wanted in flags.items() if wanted] + [*arguments]
        if token:
            self._arguments += ["--token", token]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.kubeconfig = Path()

    @property
    def service_account(self) -> Path:
        """A directory with token, ca.crt and namespace, as mounted into pods."""
        return self.kubeconfig.parent / "serviceaccount"

    def start(self) -> Self:
        command = [sys.executable, "-m", "tests.support.apiserver", "--exit-with-stdin", *self._arguments]
        self._process = subprocess.Popen(
            command, cwd=_CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(_START_LINE):
            self.stop()
            raise RuntimeError("the API server fixture did not start; its standard error says why")
        said = dict(item.split("=", 1) for item in line.removeprefix(_START_LINE).split())
        self.url, self.kubeconfig, self.api_url = said["url"], Path(said["kubeconfig"]), said["control"]
        return self

    def stop(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await in_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await in_thread(self.stop)

    def create_all(self, objects: Sequence[Json]) -> int:
        """Creates many at once, with the namespaces they need: for tests of scale."""
        return int(self.send("POST", "/_control/objects", objects)["created"])

    # Faults.

    def fault(
        self,
        name: str,
        *,
        resource: str = "",
        verb: str = "",
        namespace: str | None = None,
        object_name: str = "",
        count: int | None = 1,
        after: int = 0,
        **options: Any,
    ) -> None:
        """Orders a fault (faults.py lists them) for the next `count` matching requests or watch streams, after letting
        `after` of them pass; count=None lasts until cleared. Stream faults strike streams that are open already.
        """
        order = {"name": name, "resource": resource, "verb": verb, "namespace": namespace, "object_name": object_name}
        self.send("POST", "/_control/faults", order | {"count": count, "after": after, "options": options})

    def clear_faults(self) -> None:
        self.send("DELETE", "/_control/faults")

    def waiting_faults(self) -> list[Json]:
        waiting: list[Json] = self.send("GET", "/_control/faults")
        return waiting

    # Requests.

    def requests(self, since: int = 0, **wanted: Any) -> list[Recorded]:
        """What was asked after request number `since`, narrowed by attributes (verb="list", resource="secrets" …)."""
        return self._requests(since, wanted)[0]

    def mark(self) -> int:
        """The number of the last request so far, to be given as `since` later."""
        return max((record.number for record in self.requests()), default=0)

    def clear_requests(self) -> None:
        self.send("DELETE", "/_control/requests")

    def wait_for_request(
        self,
        matching: Callable[[Recorded], bool] = lambda _: True,
        *,
        since: int = 0,
        timeout_s: float = 10.0,
        answered: bool = True,
        **wanted: Any,
    ) -> Recorded:
        """The first such request, waited for if need be; answered=False takes it before it has a status."""
        deadline = time.monotonic() + timeout_s
        query: dict[str, str] = {}
        while True:
            records, changes = self._requests(since, wanted, query)
            for record in records:
                if (record.status is not None or not answered) and matching(record):
                    return record
            left = deadline - time.monotonic()
            if left <= 0:
                seen = "\n".join(f"{r.method} {r.path} {r.query} -> {r.status}" for r in self.requests(since))
                raise TimeoutError(f"no such request in {timeout_s} s: {wanted}; there were:\n{seen}")
            query = {"changes": str(changes), "wait_s": str(min(left, _POLL_S))}

    def wait_for_watch(self, resource: str, namespace: str = "", *, count: int = 1, timeout_s: float = 10.0) -> None:
        """Returns when so many watch streams of a resource are open."""
        deadline = time.monotonic() + timeout_s
        wanted = {"resource": resource, "namespace": namespace}
        changes = -1
        while self.state()["watches"].count(wanted) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no watch of {resource} in {timeout_s} s")
            changes = self._requests(0, {}, {"changes": str(changes), "wait_s": str(min(left, _POLL_S))})[1]

    def _requests(self, since: int, wanted: Json, query: Json | None = None) -> tuple[list[Recorded], int]:
        answer = self.send("GET", "/_control/requests", query={"since": str(since)} | (query or {}))
        records = [Recorded(**record) for record in answer["requests"]]
        chosen = [record for record in records if all(getattr(record, key) == value for key, value in wanted.items())]
        return chosen, answer["changes"]

    # What happens to a cluster.

    def act(self, action: str, **options: Any) -> Json:
        done: Json = self.send("POST", f"/_control/actions/{action}", options)
        return done

    def state(self) -> Json:
        state: Json = self.send("GET", "/_control/state")
        return state

    def reset(self) -> None:
        """As new: no objects, no faults, no log, no connections. The port and the credentials stay."""
        self.act("reset")

    def configure(self, **settings: Any) -> None:
        """Changes settings.Settings while the server runs (bookmark_interval_s=, watch_list=, strict_addresses= …)."""
        self.act("configure", **settings)

    def compact(self) -> None:
        """Forgets history: versions before now are 410 from here on."""
        self.act("compact")

    def close_watches(self, how: str = "end_watch", resource: str = "", **options: Any) -> int:
        """Commits a stream fault on every open watch (of a resource) and returns how many there were."""
        return int(self.act("close_watches", how=how, resource=resource, options=options)["closed"])

    def send_bookmarks(self, resource: str = "") -> int:
        return int(self.act("send_bookmarks", resource=resource)["watches"])

    def rewind(self, by: int = 1) -> None:
        """Restores the cluster as it was `by` versions ago: the resourceVersion jumps back."""
        self.act("rewind", by=by)

    def shift_clock(self, by_s: float) -> None:
        """Objects created from now on are older or younger by that much."""
        self.act("shift_clock", by_s=by_s)

    def rotate_token(self, *, keep_old: bool = False) -> str:
        return str(self.act("rotate_token", keep_old=keep_old)["token"])

    def rotate_ca(self, *, publish: bool = True) -> None:
        self.act("rotate_ca", publish=publish)

    def down(self) -> None:
        """Connections are reset and refused until `up`; objects and control port stay."""
        self.act("down")

    def up(self) -> None:
        self.act("up")

    def drop_connections(self) -> int:
        return int(self.act("drop_connections")["dropped"])


async def in_thread(method: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The asynchronous twin of any harness method."""
    return await asyncio.to_thread(method, *args, **kwargs)
