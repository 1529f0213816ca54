"""One document of a manifest → model objects, with the checks an API server would have made before storing it."""

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from ingressd.kube import faults
from ingressd.kube.faults import Faulty, Identity
from ingressd.kube.kinds import KINDS, Kind
from ingressd.kube.parsed import shortened
from ingressd.kube.translate import UnusableError, meta, translate
from ingressd.model.cluster import Key
from ingressd.model.finding import Finding
from ingressd.model.objects import ClusterObject, Secret

Reference = tuple[str, Key]
"""(kind name, key): which object."""

MAX_OBJECT_BYTES: Final = 3 << 20
"""As JSON. An API server takes no larger request body, etcd half of it."""

HELM_RELEASE: Final = "helm.sh/release.v1"
_LISTS: Final = ("List", *(f"{name}List" for name in KINDS))
_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_HASH_KEY: Final = secrets.token_bytes(16)  # hashes of Secrets must tell nothing about their content

_INGRESS_ADVICE: Final = (
    "Kubernetes serves this version no longer (since 1.22): write apiVersion: networking.k8s.io/v1, "
    "service.name and service.port.number (or .name) below backend instead of serviceName and servicePort, "
    "spec.defaultBackend instead of spec.backend, and give each path a pathType"
)
_OUTDATED: Final[Mapping[tuple[str, str], str]] = {
    ("networking.k8s.io/v1beta1", "Ingress"): _INGRESS_ADVICE,
    ("extensions/v1beta1", "Ingress"): _INGRESS_ADVICE,
}


class DecodedDocument(Struct, frozen=True, kw_only=True):
    """``undecodable`` are objects that the document means to describe but whose new version cannot be taken."""

    objects: tuple[ClusterObject, ...] = ()
    findings: tuple[Finding, ...] = ()
    undecodable: tuple[Reference, ...] = ()


def from_document(document: object, source: str) -> DecodedDocument:
    """The objects of one document; a List is opened. Never raises: what is wrong is a finding.

    ``source`` names the document for people: ``shop.yaml#2``; an item of a List is then ``shop.yaml#2.items[3]``.
    An empty document (None) is no objects and no finding.
    """
    objects: list[ClusterObject] = []
    findings: list[Finding] = []
    undecodable: list[Reference] = []
    for item, item_source in _items(document, source):
        if isinstance(item, Finding):
            findings.append(item)
            continue
        obj, found = _object(item, item_source)
        findings.extend(found)
        if obj is not None:
            objects.append(obj)
        elif any(finding.level == "error" for finding in found):
            undecodable.extend(reference_of(item))
    return DecodedDocument(objects=tuple(objects), findings=tuple(findings), undecodable=tuple(undecodable))


def reference_of(document: object) -> tuple[Reference, ...]:
    """Which objects an unusable document is about, as far as that can be told (one, or those of a List)."""
    found: list[Reference] = []
    for item, _ in _items(document, ""):
        if isinstance(item, dict) and isinstance(item.get("kind"), str) and item["kind"] in KINDS:
            who = faults.identify(item)
            kind = KINDS[item["kind"]]
            if who.name:
                found.append((kind.name, (_namespace(kind, who), who.name)))
    return tuple(found)


def _items(document: object, source: str) -> Iterator[tuple[Any, str]]:
    """The document itself, or what its List holds. A typed list (IngressList) lends its items kind and version."""
    if document is None:
        return
    listed = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(document, dict) or listed not in _LISTS:
        yield document, source
        return
    item_kind = listed.removesuffix("List")
    items = document.get("items")
    if items is not None and not isinstance(items, list):
        yield (
            _fault(str(listed), Identity(), "WrongType", "items", f"Expected array, got {_type(items)}", source),
            source,
        )
        return
    for index, item in enumerate(items or ()):
        if item_kind and isinstance(item, dict):
            item = {"kind": item_kind, "apiVersion": document.get("apiVersion"), **item}
        yield item, f"{source}.items[{index}]"


def _object(document: Any, source: str) -> tuple[ClusterObject | None, tuple[Finding, ...]]:
    """One object with everything that is wrong or remarkable about it."""
    if not isinstance(document, dict):
        message = f"Expected an object with apiVersion and kind, got {_type(document)}"
        return None, (_fault("", Identity(), "NotAnObject", "", message, source),)
    kind = _kind(document, source)
    if isinstance(kind, Finding):
        return None, (kind,)
    who = faults.identify(document)
    who = Identity(_namespace(kind, who), who.name)
    try:
        return _taken(kind, document, who, source)
    except UnusableError as error:
        return None, (_fault(kind.name, who, error.reason, error.field, str(error), source),)
    except (ValueError, ArithmeticError, RecursionError, TypeError) as error:
        fault = faults.describe(error, document)
        return None, (_fault(kind.name, who, fault.reason, fault.field, fault.message, source),)


def _taken(
    kind: Kind, document: dict[Any, Any], who: Identity, source: str
) -> tuple[ClusterObject | None, tuple[Finding, ...]]:
    """Raises UnusableError, or what msgspec raises, for an object that cannot be taken."""
    wired = msgspec.convert(document, kind.wire)
    _check_name(who)
    identity = meta(wired.metadata, namespace="default", resource_version=_content_hash(document), source=source)
    if not kind.namespaced:
        identity = msgspec.structs.replace(identity, namespace="")
    obj = translate(wired, identity)
    if isinstance(obj, Secret) and obj.type == HELM_RELEASE:
        return None, (_ignored(kind.name, who, "type", "a Helm release is no configuration", source),)
    return obj, faults.of_timestamp(kind, wired.metadata, identity)


def _kind(document: Mapping[Any, Any], source: str) -> Kind | Finding:
    """The kind, if it is one of ours in a version that we read."""
    name, version = document.get("kind"), document.get("apiVersion")
    who = faults.identify(document)
    for field, value in (("kind", name), ("apiVersion", version)):
        if not isinstance(value, str) or not value:
            message = "is missing" if value is None or value == "" else f"Expected str, got {_type(value)}"
            return _fault(name if isinstance(name, str) else "", who, "NotAnObject", field, message, source)
    assert isinstance(name, str)  # noqa: S101 - checked above, for the type checker
    assert isinstance(version, str)  # noqa: S101
    kind = KINDS.get(name)
    if kind is not None:
        who = Identity(_namespace(kind, who), who.name)
    if kind is not None and kind.api_version == version:
        return kind
    if advice := _OUTDATED.get((version, name)):
        return _fault(name, who, "OutdatedVersion", "apiVersion", f"{version}: {advice}", source)
    if kind is not None and _group(version) == _group(kind.api_version):
        message = f"only {kind.api_version} of this kind is read, not {shortened(version)}"
        return _fault(name, who, "WrongVersion", "apiVersion", message, source)
    return _ignored(
        shortened(name), who, "kind", f"{shortened(version)} {shortened(name)} is not read by ingressd", source
    )


def _check_name(who: Identity) -> None:
    """RFC 1123 subdomains, as an API server wants them: a name ends up in metrics, logs and paths."""
    for field, text in (("name", who.name), ("namespace", who.namespace)):
        if text and not _NAME.fullmatch(text):
            message = "a name is lower-case letters, digits, - and . (at most 253), with a letter or digit at both ends"
            raise UnusableError("BadName", f"metadata.{field}", message)


def _content_hash(document: object) -> str:
    """Stands in for a resourceVersion. Raises UnusableError for an object no API server would take."""
    encoded = msgspec.json.encode(document)
    if len(encoded) > MAX_OBJECT_BYTES:
        raise UnusableError("TooLarge", "", f"larger than {MAX_OBJECT_BYTES >> 20} MiB as JSON ({len(encoded)} bytes)")
    return hashlib.blake2b(encoded, digest_size=8, key=_HASH_KEY).hexdigest()


def _namespace(kind: Kind, who: Identity) -> str:
    return (who.namespace or "default") if kind.namespaced else ""


def _group(version: str) -> str:
    return version.rpartition("/")[0]


def _type(value: object) -> str:
    names = {dict: "object", list: "array", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _fault(kind: str, who: Identity, reason: str, field: str, message: str, source: str) -> Finding:
    return faults.finding(kind, who, Faulty(reason, field, message), source=source)


def _ignored(kind: str, who: Identity, field: str, message: str, source: str) -> Finding:
    return faults.finding(kind, who, Faulty("Ignored", field, message), level="info", source=source)
