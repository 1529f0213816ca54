"""What policies name because it comes out of Secrets and ConfigMaps: found, cut to what is needed, or said why not."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding
from ingressd.model.objects import ConfigMap, Secret
from ingressd.routing.claims import ReadIngress
from ingressd.routing.memo import CompileMemo
from ingressd.routing.place import Place
from ingressd.routing.policies.context import header_fields
from ingressd.routing.snapshot import Material

_Values = Mapping[str, bytes]


class MaterialError(Exception):
    """An object that is of no use; ``str()`` is a sentence for who named it, and holds nothing of a Secret."""


class Materials(NamedTuple):
    by_key: dict[str, Material]
    findings: tuple[Finding, ...]


def gather_materials(reads: Iterable[ReadIngress], cluster: ClusterState, memo: CompileMemo) -> Materials:
    """Every material that is wanted, sorted by key; one that its object does not change is the very same as before."""
    wanted: dict[str, list[Place]] = {}
    for read in reads:
        for key, place in read.materials:
            wanted.setdefault(key, []).append(place)
    kept = {key: _made(key, cluster, memo) for key in sorted(wanted)}
    memo.materials = kept
    made = {key: material for key, (_, material) in kept.items()}
    findings = [
        place.finding("error", "MaterialUnusable", f"{material.problem}; what needs it is refused")
        for key, material in made.items()
        if material.problem
        for place in wanted[key]
    ]
    return Materials(made, tuple(findings))


def _made(key: str, cluster: ClusterState, memo: CompileMemo) -> tuple[Secret | ConfigMap | None, Material]:
    kind, _, name = key.partition(":")
    namespace, _, own = name.partition("/")
    source = _source(kind, (namespace, own), cluster)
    known = memo.materials.get(key)
    if known is not None and known[0] is source:
        return known
    made = _material(key, kind, name, source)
    return source, known[1] if known is not None and known[1] == made else made


def _source(kind: str, key: Key, cluster: ClusterState) -> Secret | ConfigMap | None:
    return cluster.config_maps.get(key) if kind == "headers" else cluster.secrets.get(key)


def _material(key: str, kind: str, name: str, source: Secret | ConfigMap | None) -> Material:
    if source is None:
        what = "ConfigMap" if kind == "headers" else "Secret"
        return Material(key, problem=f"{what} {name} does not exist")
    try:
        return Material(key, _headers(source) if isinstance(source, ConfigMap) else _FROM_SECRETS[kind](source))
    except MaterialError as error:
        return Material(key, problem=f"{type(source).__name__} {name}: {error}")


def _headers(config_map: ConfigMap) -> _Values:
    fields, problems = header_fields(config_map)
    if problems:
        raise MaterialError(problems[0])
    return {name: value.encode() for name, value in fields}


def _users(secret: Secret) -> _Values:
    if "auth" not in secret.data:
        raise MaterialError("it has no key auth with htpasswd lines")
    return {"auth": secret.data["auth"]}


def _user_map(secret: Secret) -> _Values:
    if not secret.data:
        raise MaterialError("it names no user")
    return dict(sorted(secret.data.items()))


def _trust(secret: Secret) -> _Values:
    if b"-----BEGIN" not in secret.data.get("ca.crt", b""):
        raise MaterialError("it has no PEM certificates under ca.crt")
    return _of(secret, "ca.crt", "ca.crl")


def _identity(secret: Secret) -> _Values:
    found = _of(secret, "ca.crt", "tls.crt", "tls.key")
    if not found:
        raise MaterialError("it has none of ca.crt, tls.crt and tls.key")
    if ("tls.crt" in found) != ("tls.key" in found):
        raise MaterialError("it has one of tls.crt and tls.key, and needs both or neither")
    return found


def _of(secret: Secret, *names: str) -> _Values:
    return {name: secret.data[name] for name in names if secret.data.get(name)}


_FROM_SECRETS: dict[str, Callable[[Secret], _Values]] = {
    "users": _users,
    "user-map": _user_map,
    "trust": _trust,
    "identity": _identity,
}
