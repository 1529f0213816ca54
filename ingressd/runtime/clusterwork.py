"""What is written back to a cluster: the Lease, status.loadBalancer of served Ingresses, Events for findings."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from ingressd.kube.client import KubeClient
from ingressd.kube.events import EventWriter
from ingressd.kube.lease import LeaderElection
from ingressd.kube.status import StatusWriter
from ingressd.kube.store import Store
from ingressd.model.finding import Finding
from ingressd.routing.compile import Compiled
from ingressd.runtime.tasks import TaskSet
from ingressd.settings import Settings

log = logging.getLogger(__name__)

_PAUSE_S = 10.0
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class ClusterWork:
    """Runs beside the config flow and never holds it up. Only the leader writes; routing never asks who leads."""

    def __init__(
        self, client: KubeClient, settings: Settings, store: Store, on_leading: Callable[[bool], None]
    ) -> None:
        status = settings.status
        self._update_status = status.update_status
        self._tasks = TaskSet()
        self._tell_leading = on_leading
        self._election = LeaderElection(
            client,
            namespace=_own_namespace(),
            name=status.election_id,
            identity=f"{socket.gethostname()}_{uuid.uuid4().hex[:12]}",
            on_change=self._on_leading,
        )
        self._status = StatusWriter(
            client,
            store,
            is_leader=lambda: self.is_leader,
            addresses=status.publish_addresses,
            publish_service=status.publish_service,
        )
        self._events = EventWriter(client, store, is_leader=lambda: self.is_leader, instance=socket.gethostname())

    @property
    def is_leader(self) -> bool:
        return self._election.is_leader

    def _on_leading(self, is_leader: bool) -> None:
        self._tell_leading(is_leader)
        self._status.wake()
        self._events.wake()

    def start(self) -> None:
        """Begin to take part in the election and to write what only a leader may."""
        self._tasks.start(_for_ever(self._election.run, "the election"), name="election")
        if self._update_status:
            self._tasks.start(_for_ever(self._status.run, "writing status"), name="status")
        self._tasks.start(_for_ever(self._events.run, "writing Events"), name="events")

    def on_compiled(self, compiled: Compiled, findings: tuple[Finding, ...]) -> None:
        """These Ingresses are ours, and this is what is wrong with objects."""
        self._status.update(compiled.served)
        self._events.update(findings)

    async def close(self) -> None:
        """Take back what only a running replica may claim, then give up the Lease."""
        if self._update_status:
            await self._status.clear(os.environ.get("POD_IP", ""))
        await self._tasks.cancel()


async def _for_ever(run: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
    """A fault of ours in one of them is told, and no reason to leave it until the next restart."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("%s failed: going on in %.0f s", what, _PAUSE_S)
        await asyncio.sleep(_PAUSE_S)


def _own_namespace() -> str:
    """Where the Lease is: the pod's namespace, or ``default`` outside a cluster."""
    from_environment = os.environ.get("POD_NAMESPACE")
    if from_environment:
        return from_environment
    try:
        return _NAMESPACE_FILE.read_text().strip() or "default"
    except OSError:
        return "default"
