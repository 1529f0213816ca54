"""How much of each Secret and ConfigMap is kept in memory: what an Ingress can make use of, and no more.

Secrets of the types below never serve a proxy. They stay known by name, so that a finding can say "there is no tls.crt
in it" rather than "there is no such Secret", but their data is dropped before it reaches the store. Of a TLS Secret
only the keys with a meaning stay. Others (Opaque) keep everything, because the keys of an ``auth-map`` are user names.
Of ConfigMaps, settings and header sets matter: a longer value is somebody's file.
"""

import msgspec

from ingressd.model.objects import ClusterObject, ConfigMap, Secret

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


MAX_VALUE_CHARACTERS = 64 * 1024


def trim(obj: ClusterObject) -> ClusterObject:
    """The object as it may be kept; anything but a Secret or ConfigMap as it is."""
    if isinstance(obj, ConfigMap):
        kept = {name: text for name, text in obj.data.items() if len(text) <= MAX_VALUE_CHARACTERS}
        return obj if len(kept) == len(obj.data) else msgspec.structs.replace(obj, data=kept)
    if not isinstance(obj, Secret):
        return obj
    if obj.type in OF_NO_USE:
        return msgspec.structs.replace(obj, data={})
    if obj.type == "kubernetes.io/tls":
        return msgspec.structs.replace(obj, data={name: obj.data[name] for name in obj.data.keys() & TLS_KEYS})
    return obj
