"""Leader election on a Lease (coordination.k8s.io/v1): which replica writes status and Events. Routing never asks.

The record says who leads and for how long; nobody compares its time stamps with a clock of their own. Each of us
watches it on our own monotonic clock: unchanged for its duration, it is up for taking. Whoever leads stops, by the same
kind of clock, well before the others may think so: lease 15 s > renew deadline 10 s > retry 2 s.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from ingressd.kube.client import ApiError, CredentialError, KubeClient, KubeError, UnreachableError

log = logging.getLogger(__name__)

PATH = "/apis/coordination.k8s.io/v1"

Json = dict[str, Any]


class LeaseTiming(Struct, frozen=True, kw_only=True):
    """Seconds. A round is at most two requests, so that one lost round leaves time for another before the deadline."""

    duration_s: int = 15
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0
    retry_jitter: float = 1.2
    request_timeout_s: float = 3.0


class LeaderElection:
    """Takes part in the election of one Lease. ``identity`` must be this process's alone, also after a restart.

    ``is_leader`` is what the leader's work asks each time before it acts; ``on_change`` is told of gain and loss.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: LeaseTiming | None = None,
        on_change: Callable[[bool], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._collection = f"{PATH}/namespaces/{namespace}/leases"
        self._metadata = {"name": name, "namespace": namespace}
        self._identity = identity
        self._timing = timing or LeaseTiming()
        self._on_change = on_change
        self._clock = clock
        self._now = now
        self._ours: Json | None = None  # the Lease as we wrote it last, while that is what the server has
        self._record: Json = {}  # its spec as last seen, and since when by our clock
        self._changed_at = clock()
        self._renewed_at = float("-inf")
        self._was_leader = False

    @property
    def is_leader(self) -> bool:
        """False as soon as the last renewal is older than the renew deadline, whatever run() may be waiting for."""
        return self._clock() - self._renewed_at < self._timing.renew_deadline_s

    @property
    def holder(self) -> str:
        """Who leads, as far as we know."""
        return str(self._record.get("holderIdentity") or "")

    async def run(self) -> None:
        """Take part for ever; cancelled to stop, which gives the Lease back if it is ours."""
        try:
            while True:
                await self.attempt()
                await asyncio.sleep(self._timing.retry_s * random.uniform(1.0, self._timing.retry_jitter))  # noqa: S311
        finally:
            await self._release()

    async def attempt(self) -> None:
        """One round: take the Lease, renew it, or see that it is another's."""
        # Counted from before the request: the others count from when they see its effect, which is later.
        started = self._clock()
        try:
            self._renewed_at = started if await self._take() else float("-inf")
        except (KubeError, CredentialError) as error:
            # Unsure: somebody else may have written it, or our write may have arrived after all. So read it again; we
            # go on leading only until the deadline.
            log.info("lease %s: %s", self._metadata["name"], error)
            self._ours = None
        self._tell()

    async def _take(self) -> bool:
        lease = self._ours or await self._read()
        if lease is None:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self._metadata}
            await self._write(self._client.post_json, self._collection, body)
            return True
        if not self._may_take():
            self._ours = None
            return False
        await self._write(self._client.put_json, f"{self._collection}/{self._metadata['name']}", lease)
        return True

    async def _read(self) -> Json | None:
        path = f"{self._collection}/{self._metadata['name']}"
        try:
            lease = await self._client.get_json(path, timeout_s=self._timing.request_timeout_s)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        self._observe(_spec(lease))
        return dict(lease)

    async def _write(self, write: Callable[..., Any], path: str, lease: Json, **changes: Any) -> None:
        """Write our record. The resourceVersion in ``lease`` makes the server refuse it (409) if another was faster."""
        body = lease | {"spec": self._next_record() | changes}
        written = await write(path, body, timeout_s=self._timing.request_timeout_s)
        self._observe(_spec(written))
        self._ours = dict(written)

    def _next_record(self) -> Json:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        record = {
            **self._record,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._timing.duration_s,
            "renewTime": now,
        }
        if self.holder != self._identity:
            transitions = _number(self._record.get("leaseTransitions"), 0)
            record |= {"acquireTime": now, "leaseTransitions": transitions + 1 if self._record else 0}
        return record

    def _observe(self, record: Json) -> None:
        if record != self._record:
            self._record = record
            self._changed_at = self._clock()

    def _may_take(self) -> bool:
        """It is ours, was given back, or nobody renewed it for as long as its holder promised."""
        if self.holder in ("", self._identity):
            return True
        promised_s = _number(self._record.get("leaseDurationSeconds"), self._timing.duration_s)
        return self._clock() - self._changed_at >= promised_s

    async def _release(self) -> None:
        """Let the next one begin at once."""
        if not self.is_leader:
            return
        self._renewed_at = float("-inf")
        self._tell()
        try:
            lease = self._ours or await self._read()
            if lease is not None and self.holder == self._identity:
                path = f"{self._collection}/{self._metadata['name']}"
                now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                await self._write(
                    self._client.put_json, path, lease, holderIdentity="", leaseDurationSeconds=1, acquireTime=now
                )
        except (KubeError, CredentialError) as error:
            log.info("lease %s not given back, it will expire: %s", self._metadata["name"], error)

    def _tell(self) -> None:
        if self.is_leader != self._was_leader:
            self._was_leader = self.is_leader
            log.info("%s the leader (lease %s)", "now" if self.is_leader else "no longer", self._metadata["name"])
            self._on_change(self.is_leader)


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default


def _spec(lease: Any) -> Json:
    if not isinstance(lease, dict):
        raise UnreachableError("the answer is not a Lease")
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}
