"""One complete list of a kind, by pages, gathered aside."""

from collections.abc import Iterable

from ingressd.kube.api import Event, Page, decode_list
from ingressd.kube.client import ApiError, KubeClient
from ingressd.kube.scope import Scope
from ingressd.kube.secrets import trim
from ingressd.kube.store import key_of
from ingressd.model.cluster import Key
from ingressd.model.finding import Finding
from ingressd.model.objects import ClusterObject

PAGE_SIZE = 500


class Gathered:
    """A list in the making; nobody sees it before it is complete."""

    def __init__(self) -> None:
        self.objects: dict[Key, ClusterObject] = {}
        self.unreadable: set[Key] = set()
        self.findings: dict[Key, tuple[Finding, ...]] = {}
        self.version = ""

    def add_page(self, page: Page) -> None:
        for obj in page.objects:
            self.objects[key_of(obj)] = trim(obj)
        self.unreadable.update(page.undecodable)
        self._add_findings(page.findings)
        # Pages of one list all have its version; a token's expiry may have made it a newer one in between.
        self.version = page.resource_version

    def add_event(self, event: Event) -> None:
        """A synthetic ADDED, or what happened while they were sent."""
        if event.key is None:
            return
        self.objects.pop(event.key, None)
        self.unreadable.discard(event.key)
        self.findings.pop(event.key, None)
        if event.type == "DELETED":
            return
        if event.object is not None:
            self.objects[event.key] = trim(event.object)
        else:
            self.unreadable.add(event.key)
        if event.finding is not None:
            self.findings[event.key] = (event.finding,)

    def _add_findings(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            key = (finding.namespace, finding.name)
            self.findings[key] = (*self.findings.get(key, ()), finding)


async def list_all(client: KubeClient, scope: Scope, version: str) -> Gathered:
    """List at ``version``: "0" is whatever the server has in memory, "" the newest there is, another: not older.

    Raises ApiError (410, or 504 with a version too large, are for the caller to mend), UnreachableError, DecodeError.
    """
    try:
        return await _list_pages(client, scope, version, paged=version in ("", "0"))
    except _ContinueExpiredError:
        return await _list_pages(client, scope, version, paged=False)


class _ContinueExpiredError(Exception):
    """The server's history moved past our list between two pages."""


async def _list_pages(client: KubeClient, scope: Scope, version: str, *, paged: bool) -> Gathered:
    gathered = Gathered()
    # With a version other than these two, a limit would send the server past its memory, to etcd. And one that names
    # no version asks etcd anyway, where pages are kind.
    params = scope.params | ({"resourceVersion": version} if version else {})
    params |= {"limit": str(PAGE_SIZE)} if paged else {}
    while True:
        page = await _page(client, scope, params)
        gathered.add_page(page)
        if not page.continue_token:
            return gathered
        # The token holds the version; naming both is an error.
        params.pop("resourceVersion", None)
        params["continue"] = page.continue_token


async def _page(client: KubeClient, scope: Scope, params: dict[str, str]) -> Page:
    try:
        body = await client.get_bytes(scope.path, params)
    except ApiError as error:
        if error.is_expired and "continue" in params:
            raise _ContinueExpiredError from error
        raise
    return decode_list(scope.kind, body)
