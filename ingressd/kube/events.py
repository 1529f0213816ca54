"""Tells the owners of objects what is wrong with them, by Events: what ``kubectl describe`` shows. Only the leader
does, because every replica finds the same.

Core v1 Events, which every server and kubectl reads. They are a courtesy: one that cannot be written is dropped, and
its finding told again at the next look.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from ingressd.kube.api import KINDS
from ingressd.kube.client import ApiError, CredentialError, KubeClient, KubeError
from ingressd.kube.correlation import REMEMBERED, Correlator
from ingressd.kube.store import Store
from ingressd.model.finding import Finding

log = logging.getLogger(__name__)

COMPONENT = "ingressd"
REPEAT_S = 2700.0
"""The server forgets an Event after an hour; a finding that lasts is told again before that."""
WRITE_TIMEOUT_S = 10.0
LONGEST_MESSAGE = 1024


class _Written(Struct):
    namespace: str
    name: str
    count: int


class EventWriter:
    """Writes an Event for each new finding about an object of the cluster, one after the other."""

    def __init__(
        self,
        client: KubeClient,
        store: Store,
        *,
        is_leader: Callable[[], bool],
        instance: str,
        recheck_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``instance`` is who says it: the name of our pod."""
        self._client = client
        self._store = store
        self._is_leader = is_leader
        self._instance = instance[:128]
        self._recheck_s = recheck_s
        self._clock = clock
        self._now = now
        self._correlator = Correlator(clock)
        self._findings: frozenset[Finding] = frozenset()
        self._told: dict[Finding, float] = {}
        self._written: OrderedDict[tuple[str, ...], _Written] = OrderedDict()
        self._count = 0
        self._woken = asyncio.Event()

    def update(self, findings: Iterable[Finding]) -> None:
        """These are the findings now. Cheap; call it after each compile."""
        # Those without a name are about no object, those with a source about a file.
        self._findings = frozenset(one for one in findings if one.name and not one.source and one.kind in KINDS)
        self._woken.set()

    def wake(self) -> None:
        """Look again now; for when we have become the leader."""
        self._woken.set()

    async def run(self) -> None:
        """For ever; cancelled to stop."""
        while True:
            self._woken.clear()
            await self._tell_all()
            try:
                async with asyncio.timeout(self._recheck_s):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _tell_all(self) -> None:
        for gone in self._told.keys() - self._findings:
            del self._told[gone]
        for finding in sorted(self._findings):
            if not self._is_leader():
                return
            if self._clock() - self._told.get(finding, float("-inf")) < REPEAT_S:
                continue
            try:
                await self._tell(finding)
            except (KubeError, CredentialError) as error:
                log.info("an Event about %s %s/%s not written: %s", *_about(finding), error)
                if not isinstance(error, ApiError):
                    return  # nobody there; the others would meet the same
                if error.status not in (403, 404, 422):
                    continue
            # Also after a refusal that will not change: asked again only when the finding is repeated.
            self._told[finding] = self._clock()

    async def _tell(self, finding: Finding) -> None:
        story = self._correlator.tell(finding)
        if story is None:
            return
        written = self._written.get(story.key)
        if written is not None and await self._count_up(written, story.message):
            self._written.move_to_end(story.key)
            return
        self._written[story.key] = await self._create(finding, story.message)
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    async def _count_up(self, written: _Written, message: str) -> bool:
        """False when the server has forgotten that Event."""
        patch = {"count": written.count + 1, "lastTimestamp": self._stamp(), "message": message[:LONGEST_MESSAGE]}
        path = f"/api/v1/namespaces/{written.namespace}/events/{written.name}"
        try:
            await self._client.patch_json(path, patch, timeout_s=WRITE_TIMEOUT_S)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        written.count += 1
        return True

    async def _create(self, finding: Finding, message: str) -> _Written:
        namespace = finding.namespace or "default"  # where Events about cluster-scoped objects live
        self._count += 1
        # As client-go names them: the object, and a moment nobody else has.
        name = f"{finding.name[:220]}.{int(self._now().timestamp() * 1e6):x}.{self._count:x}"
        stamp = self._stamp()
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": self._reference(finding),
            "type": "Normal" if finding.level == "info" else "Warning",
            "reason": finding.reason[:128],
            "message": message[:LONGEST_MESSAGE],
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
        }
        await self._client.post_json(f"/api/v1/namespaces/{namespace}/events", event, timeout_s=WRITE_TIMEOUT_S)
        return _Written(namespace, name, 1)

    def _reference(self, finding: Finding) -> dict[str, Any]:
        """``kubectl describe`` finds Events by the uid of their object."""
        kind, namespace, name = _about(finding)
        reference = {"apiVersion": KINDS[kind].api_version, "kind": kind, "name": name, "namespace": namespace}
        found = self._store.get(kind, (namespace, name))
        if found is not None:
            reference |= {"uid": found.meta.uid, "resourceVersion": found.meta.resource_version}
        return reference

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _about(finding: Finding) -> tuple[str, str, str]:
    return finding.kind, finding.namespace, finding.name
