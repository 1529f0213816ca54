"""How much of each Secret is kept in memory: what an Ingress can make use of, and no more.

Secrets of the types below never serve a proxy. They stay known by name, so that a finding can say "there is no tls.crt
in it" rather than "there is no such Secret", but their data is dropped before it reaches the store. Of a TLS Secret
only the keys with a meaning stay. Others (Opaque) keep everything, because the keys of an ``auth-map`` are user names.
"""

import msgspec

from ingressd.model.objects import ClusterObject, Secret

OF_NO_USE = frozenset(
    (
        "kubernetes.io/service-account-token",
        "kubernetes.io/dockercfg",
        "kubernetes.io/dockerconfigjson",
        "kubernetes.io/ssh-auth",
        "bootstrap.kubernetes.io/token",
        "helm.sh/release.v1",
    )
)
TLS_KEYS = frozenset(("tls.crt", "tls.key", "ca.crt", "ca.crl", "auth"))


def trim(obj: ClusterObject) -> ClusterObject:
    """The object as it may be kept; anything but a Secret as it is."""
    if not isinstance(obj, Secret):
        return obj
    if obj.type in OF_NO_USE:
        return msgspec.structs.replace(obj, data={})
    if obj.type == "kubernetes.io/tls":
        return msgspec.structs.replace(obj, data={name: obj.data[name] for name in obj.data.keys() & TLS_KEYS})
    return obj
