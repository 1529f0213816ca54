"""Writes into ``status.loadBalancer`` of our Ingresses where they are reached. Only the leader does.

Addresses come from ``--publish-status-address``, or from what the Service of ``--publish-service`` says of itself. A
write is a merge patch of the status subresource that names the version it was decided on; a conflict is decided again
on the version the watch brings. Who may not patch, as with the rights of ingress-nginx's chart, replaces instead.
Nothing is written that is there already, and no failure to write is fatal.
"""

import asyncio
import ipaddress
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ingressd.kube.api import KINDS
from ingressd.kube.backoff import KeyedRetries
from ingressd.kube.client import ApiError, CredentialError, KubeClient, KubeError
from ingressd.kube.store import Store
from ingressd.model.cluster import Key
from ingressd.model.objects import Ingress, Service

log = logging.getLogger(__name__)

AT_ONCE = 10
"""Writes under way at the same time: 10,000 Ingresses take seconds, and the API server does not notice."""
WRITE_TIMEOUT_S = 10.0


class StatusWriter:
    """Keeps the status of served Ingresses right while we lead; looks again each ``recheck_s`` and after update()."""

    def __init__(
        self,
        client: KubeClient,
        store: Store,
        *,
        is_leader: Callable[[], bool],
        addresses: Sequence[str] = (),
        publish_service: Key | None = None,
        recheck_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``addresses`` (IPs or host names) win over ``publish_service``; with neither, nothing is ever written. The
        Service must be among what is watched."""
        self._client = client
        self._store = store
        self._is_leader = is_leader
        self._addresses = tuple(sorted(set(addresses)))
        self._publish_service = publish_service
        self._recheck_s = recheck_s
        self._clock = clock
        self._served: frozenset[Key] = frozenset()
        self._woken = asyncio.Event()
        self._retries = KeyedRetries[Key](clock=clock)
        self._not_before: dict[Key, float] = {}
        self._patched_from: dict[Key, str] = {}
        self._may_patch = True  # until we are told otherwise

    def update(self, served: Collection[Key]) -> None:
        """These Ingresses are ours now. Cheap; call it after each compile."""
        self._served = frozenset(served)
        self._woken.set()

    def wake(self) -> None:
        """Look again now; for when we have become the leader."""
        self._woken.set()

    def published(self) -> tuple[str, ...] | None:
        """What the status of each of our Ingresses should say, sorted. None: not known, leave them as they are."""
        if self._addresses:
            return self._addresses
        if self._publish_service is None:
            return None
        found = self._store.get("Service", self._publish_service)
        return addresses_of(found) if isinstance(found, Service) else None

    async def run(self) -> None:
        """For ever; cancelled to stop."""
        while True:
            self._woken.clear()
            wanted = self.published()
            if wanted is not None and self._is_leader():
                await self._write_all(wanted)
            try:
                async with asyncio.timeout(self._until_next()):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def clear(self, own_address: str = "") -> None:
        """Empty the status of our Ingresses, if we lead and no other replica is left: no ready endpoint of the
        published Service but ``own_address``. Without such a Service nobody can tell, and nothing is cleared.

        Call it before the Lease is given back.
        """
        if self._is_leader() and self._publish_service is not None and not self._others(own_address):
            self._not_before.clear()
            await self._write_all(())

    def _others(self, own_address: str) -> bool:
        slices = self._store.freeze({}).slices.get(self._publish_service or ("", ""), ())
        return any(endpoint.ready and endpoint.address != own_address for one in slices for endpoint in one.endpoints)

    async def _write_all(self, wanted: tuple[str, ...]) -> None:
        self._forget_past()
        queue = deque(key for key in sorted(self._served) if self._is_due(key, wanted))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(queue))):
                group.create_task(self._drain(queue, wanted))

    async def _drain(self, queue: deque[Key], wanted: tuple[str, ...]) -> None:
        while queue and self._is_leader():
            await self._write(queue.popleft(), wanted)

    def _is_due(self, key: Key, wanted: tuple[str, ...]) -> bool:
        found = self._store.get("Ingress", key)
        if not isinstance(found, Ingress) or found.load_balancer == wanted:
            return False
        # Not while the watch has yet to bring back what we wrote.
        return key not in self._not_before and self._patched_from.get(key) != found.meta.resource_version

    async def _write(self, key: Key, wanted: tuple[str, ...]) -> None:
        found = self._store.get("Ingress", key)
        if not isinstance(found, Ingress):
            return
        version = found.meta.resource_version
        kind = KINDS["Ingress"]
        path = f"{kind.path}/namespaces/{key[0]}/{kind.plural}/{key[1]}"
        try:
            if not (self._may_patch and await self._patch(path, version, wanted)):
                await self._replace(path, wanted)
        except (KubeError, CredentialError) as error:
            self._failed(key, error)
        else:
            self._patched_from[key] = version
            self._retries.forget(key)

    async def _patch(self, path: str, version: str, wanted: tuple[str, ...]) -> bool:
        """False: the verb is not ours to use."""
        body = {"metadata": {"resourceVersion": version}, "status": _status(wanted)}
        try:
            await self._client.patch_json(f"{path}/status", body, timeout_s=WRITE_TIMEOUT_S)
        except ApiError as error:
            if error.status != 403:
                raise
            self._may_patch = False
        return self._may_patch

    async def _replace(self, path: str, wanted: tuple[str, ...]) -> None:
        """Of the version that is read now, so that nobody's change is undone."""
        try:
            found = await self._client.get_json(path, timeout_s=WRITE_TIMEOUT_S)
            await self._client.put_json(
                f"{path}/status", found | {"status": _status(wanted)}, timeout_s=WRITE_TIMEOUT_S
            )
        except ApiError as error:
            self._may_patch = self._may_patch or error.status == 403  # rights may change either way
            raise

    def _failed(self, key: Key, error: KubeError | CredentialError) -> None:
        if isinstance(error, ApiError) and error.status == 404:  # deleted meanwhile
            return
        delay_s = self._retries.after_failure(key)
        self._not_before[key] = self._clock() + delay_s
        # Somebody else wrote at the same time: no trouble, only a new version to decide on.
        level = logging.DEBUG if isinstance(error, ApiError) and error.status == 409 else logging.WARNING
        log.log(level, "status of Ingress %s/%s not written, again in %.3f s: %s", *key, delay_s, error)

    def _forget_past(self) -> None:
        """Waits that are over, and all about Ingresses that are no longer ours."""
        now = self._clock()
        self._not_before = {key: due for key, due in self._not_before.items() if due > now}
        for known in (self._not_before, self._patched_from):
            for key in known.keys() - self._served:
                del known[key]
                self._retries.forget(key)

    def _until_next(self) -> float:
        now = self._clock()
        if not self._is_leader():
            return self._recheck_s
        return min([self._recheck_s, *(max(0.0, due - now) for due in self._not_before.values())])


def addresses_of(service: Service) -> tuple[str, ...]:
    """Where a Service is reached, as far as it says so itself; sorted."""
    match service.type:
        case "ExternalName":
            found = [service.external_name]
        case "LoadBalancer":
            found = [*service.load_balancer, *service.external_ips]
        case "NodePort" if service.external_ips:
            found = [*service.external_ips]
        case _:
            found = [service.cluster_ip]
    return tuple(sorted({address for address in found if address not in ("", "None")}))


def _status(wanted: tuple[str, ...]) -> dict[str, Any]:
    ingress = [{"ip" if _is_ip(address) else "hostname": address} for address in wanted]
    return {"loadBalancer": {"ingress": ingress}}


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
