"""Objects that an annotation names: Secrets and ConfigMaps, of its own namespace unless others are allowed."""

from ingressd.model.cluster import Key
from ingressd.model.objects import Meta
from ingressd.routing.annotations.global_values import GlobalValues
from ingressd.routing.annotations.row import BadValue
from ingressd.routing.annotations.rows import access
from ingressd.routing.annotations.values import shown


def reference(
    meta: Meta, value: str, config: GlobalValues, *, needs_namespace: bool = False, any_namespace: bool = False
) -> Key:
    """What ``name`` or ``namespace/name`` in an annotation of ``meta`` means.

    ``needs_namespace``: ingress-nginx refuses a bare name for ``auth-tls-secret``, ``proxy-ssl-secret`` and
    ``custom-headers``. ``any_namespace``: ``custom-headers`` is not checked there.
    Raises BadValue with the outcome ``deny``.
    """
    namespace, slash, name = value.rpartition("/")
    if not name or "/" in namespace or (slash and not namespace):
        raise BadValue(f"{shown(value)} is not a name or namespace/name", "deny")
    if not slash:
        if needs_namespace:
            raise BadValue(f"{shown(value)} has no namespace: write {meta.namespace}/{name}", "deny")
        namespace = meta.namespace
    if namespace != meta.namespace and not any_namespace and not config.get(access.ALLOW_CROSS_NAMESPACE_RESOURCES):
        raise BadValue(
            f"{shown(value)} is in another namespace: move it to {meta.namespace}, or set "
            "allow-cross-namespace-resources in the controller's ConfigMap",
            "deny",
        )
    return namespace, name
