"""What policies name because it comes out of Secrets and ConfigMaps: found, cut to what is needed, or said why not."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from ingressd.model.cluster import ClusterState, Key
from ingressd.model.finding import Finding
from ingressd.model.objects import ConfigMap, Secret
from ingressd.policy.htpasswd import read_auth_file, read_auth_map
from ingressd.routing.claims import ReadIngress
from ingressd.routing.memo import CompileMemo, KeptMaterial
from ingressd.routing.place import Place
from ingressd.routing.policies.context import header_fields
from ingressd.routing.snapshot import Material
from ingressd.tls.certificate import CertificateError, check_pair
from ingressd.tls.checks import TrustError, check_trust

_Values = Mapping[str, bytes]
_USERS = frozenset({"users", "user-map"})


class MaterialError(Exception):
    """An object that is of no use; ``str()`` is a sentence for who named it, and holds nothing of a Secret."""


class Materials(NamedTuple):
    by_key: dict[str, Material]
    findings: tuple[Finding, ...]


def gather_materials(reads: Iterable[ReadIngress], cluster: ClusterState, memo: CompileMemo, now: float) -> Materials:
    """Every material that is wanted, sorted by key; one that its object does not change is the very same as before.

    ``now``: seconds since the epoch; authorities that have expired by then let nobody in, which their owner is told.
    """
    wanted: dict[str, list[Place]] = {}
    for read in reads:
        for key, place in read.materials:
            wanted.setdefault(key, []).append(place)
    kept = {key: _made(key, cluster, memo, now) for key in sorted(wanted)}
    memo.materials = kept
    findings = [
        finding for key, one in kept.items() if one.material.problem or one.note for finding in _told(one, wanted[key])
    ]
    return Materials({key: one.material for key, one in kept.items()}, tuple(findings))


def _told(kept: KeptMaterial, places: Iterable[Place]) -> Iterator[Finding]:
    for place in places:
        if kept.material.problem:
            yield place.finding("error", "MaterialUnusable", f"{kept.material.problem}; what needs it is refused")
        else:
            some = kept.material.key.partition(":")[0] in _USERS  # others of them can still log in
            yield place.finding("warning" if some else "error", "MaterialDoubtful", kept.note)


def _made(key: str, cluster: ClusterState, memo: CompileMemo, now: float) -> KeptMaterial:
    kind, _, name = key.partition(":")
    namespace, _, own = name.partition("/")
    source = _source(kind, (namespace, own), cluster)
    known = memo.materials.get(key)
    if known is not None and known.source is source:
        return known
    made, note = _material(key, kind, name, source), ""
    if kind == "trust" and made.values:
        made, note = _checked_trust(made, name, now)
    elif kind == "identity" and made.values:
        note = _doubtful_identity(made, name, now)
    elif kind in _USERS:
        note = _doubtful_users(made, name)
    return KeptMaterial(source, known.material if known is not None and known.material == made else made, note)


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


def _doubtful_users(made: Material, name: str) -> str:
    """Who of the users cannot log in, and why. Says nothing of what was written there."""
    if not made.values:
        return ""
    users, problems = (
        read_auth_file(made.values["auth"]) if made.key.startswith("users:") else read_auth_map(made.values)
    )
    if not users.hashes:
        return f"Secret {name}: it names no user: nobody can log in"
    return f"Secret {name}: {'; '.join(problems)}" if problems else ""


def _checked_trust(made: Material, name: str, now: float) -> tuple[Material, str]:
    """What workers could not load is not sent to them; and what is odd about what they can."""
    try:
        note = check_trust(made.values["ca.crt"], made.values.get("ca.crl", b""), now=now)
    except TrustError as error:
        return Material(made.key, problem=f"Secret {name}: {error}"), ""
    return made, note and f"Secret {name}: {note}"


def _doubtful_identity(made: Material, name: str, now: float) -> str:
    """What is odd about our certificate for a backend, and about authorities. Workers judge for themselves: they close
    what cannot be used, and do not need authorities where nobody is verified.
    """
    values = made.values
    try:
        if "tls.crt" in values and check_pair(values["tls.crt"], values["tls.key"], now=now).expired:
            return f"Secret {name}: the certificate of tls.crt has expired"
        note = check_trust(values["ca.crt"], now=now) if "ca.crt" in values else ""
    except CertificateError as error:
        note = error.message
    except TrustError as error:
        note = str(error)
    return note and f"Secret {name}: {note}"


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
