"""What one informer watches, and how to ask for it."""

from msgspec import Struct

from ingressd.kube.api import Kind
from ingressd.kube.client import ApiError
from ingressd.kube.store import Store
from ingressd.model.cluster import Key
from ingressd.model.finding import Finding
from ingressd.model.objects import EndpointSlice

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
NO_HELM_RELEASES = "type!=helm.sh/release.v1"
"""Helm keeps each release of each chart in a Secret of up to 1 MiB, and nobody refers to one."""


class Scope(Struct, frozen=True, kw_only=True):
    """One kind: everywhere (``namespace`` ""), in one namespace, or a single object there (``name``; for EndpointSlice
    that of their Service)."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    selector: str = ""  # labels, for namespaces
    is_required: bool = False

    @property
    def path(self) -> str:
        middle = f"/namespaces/{self.namespace}" if self.namespace and self.kind.namespaced else ""
        return f"{self.kind.path}{middle}/{self.kind.plural}"

    @property
    def params(self) -> dict[str, str]:
        labels, fields = self.selector, ""
        if self.kind.name == "EndpointSlice":
            labels = f"{SERVICE_NAME_LABEL}={self.name}" if self.name else SERVICE_NAME_LABEL
        elif self.name:
            fields = f"metadata.name={self.name}"
        elif self.kind.name == "Secret":
            fields = NO_HELM_RELEASES
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        return {name: value for name, value in selectors.items() if value}

    def foreign(self, store: Store) -> tuple[Key, ...]:
        """What the store has of this kind and namespace, and other informers answer for."""
        if not self.name:
            return ()
        return tuple(key for key in store.keys(self.kind.name) if not self._is_ours(store, key))

    def _is_ours(self, store: Store, key: Key) -> bool:
        found = store.get(self.kind.name, key)
        name = found.service if isinstance(found, EndpointSlice) else key[1]
        return (key[0], name) == (self.namespace, self.name)

    def __str__(self) -> str:
        if not self.kind.namespaced:
            return self.kind.plural
        return " ".join(filter(None, (self.kind.plural, self.name, "in", self.namespace or "all namespaces")))


def access_finding(scope: Scope, verb: str, error: ApiError) -> Finding:
    """Why we cannot read this scope, and what to do about it. ``error`` is a 403 or 404 to that verb."""
    kind = scope.kind
    group = kind.api_version.rpartition("/")[0]
    resource = f"{kind.plural}.{group}" if group else kind.plural
    if error.status == 404:
        reason, what = "ApiNotFound", f"the API server has no {resource} ({kind.api_version})"
    else:
        reason = "Forbidden"
        what = f'we may not {verb} {resource}: give our ClusterRole the verbs "list" and "watch" on it'
    return Finding(
        kind=kind.name,
        namespace=scope.namespace,
        level="error" if scope.is_required else "warning",
        reason=reason,
        message=f"{what} (the server says: {error.message[:300]})",
    )
