"""From what a client sent to what may be stored: server-owned fields, status isolation, defaults, validation."""

from __future__ import annotations

import random
import uuid

from tests.support.apiserver.clock import Clock
from tests.support.apiserver.defaults import Allocator, fill_defaults, initial_status
from tests.support.apiserver.errors import Cause, Json, bad_request, conflict, invalid
from tests.support.apiserver.kinds import Kind
from tests.support.apiserver.settings import Settings
from tests.support.apiserver.validation import validate

# What clients may not change once the object exists.
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName", "generation")
# The letters Kubernetes uses for generated names: no vowels, so no words.
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Admission:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._allocator = Allocator()

    def for_create(self, kind: Kind, sent: Json, namespace: str) -> Json:
        obj = check_identity(kind, sent, namespace)
        metadata = obj["metadata"]
        if metadata.pop("resourceVersion", None):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                cause = Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
                raise invalid(kind, "", [cause])
            metadata["name"] = metadata["generateName"] + "".join(random.choices(_NAME_LETTERS, k=5))
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"):
            metadata.pop(field, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._clock.stamp()}
        if kind.counts_generation:
            metadata["generation"] = 1
        status = initial_status(kind)
        if kind.has_status and status is not None:
            obj["status"] = status
        self._finish(kind, obj, None)
        return obj

    def for_update(self, kind: Kind, sent: Json, old: Json, subresource: str) -> Json:
        obj = check_identity(kind, sent, old["metadata"].get("namespace", ""))
        metadata = obj["metadata"]
        self._check_preconditions(kind, metadata, old)
        for field in _KEPT:
            metadata.pop(field, None)
            if field in old["metadata"]:
                metadata[field] = old["metadata"][field]
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        if kind.has_status:
            obj = _isolate_status(obj, old, subresource)
        self._finish(kind, obj, old)
        if kind.counts_generation and _desired(obj) != _desired(old):
            obj["metadata"]["generation"] += 1
        return obj

    def _check_preconditions(self, kind: Kind, metadata: Json, old: Json) -> None:
        name, version = metadata["name"], metadata.get("resourceVersion")
        if not version and not kind.unconditional_update:
            cause = Cause(
                "FieldValueInvalid", "Invalid value: must be specified for an update", "metadata.resourceVersion"
            )
            raise invalid(kind, name, [cause])
        if version and version != old["metadata"]["resourceVersion"]:
            raise conflict(kind, name, "the object has been modified; apply your changes to its latest version")
        if metadata.get("uid") and metadata["uid"] != old["metadata"]["uid"]:
            raise conflict(kind, name, f"precondition failed: UID is {old['metadata']['uid']}, not {metadata['uid']}")

    def _finish(self, kind: Kind, obj: Json, old: Json | None) -> None:
        fill_defaults(kind, obj, self._allocator)
        if old is not None and kind.kind == "Service":
            _keep_cluster_ip(obj, old)
        if causes := validate(kind, obj, old, self._settings):
            raise invalid(kind, obj["metadata"]["name"], causes)


def check_identity(kind: Kind, sent: Json, namespace: str) -> Json:
    """A copy without kind and apiVersion, which the table knows, and with the namespace of the path."""
    if sent.get("kind", kind.kind) != kind.kind or sent.get("apiVersion", kind.api_version) != kind.api_version:
        raise bad_request(f"{sent.get('apiVersion')} {sent.get('kind')} is not {kind.api_version} {kind.kind}")
    obj = {key: value for key, value in sent.items() if key not in ("kind", "apiVersion")}
    metadata = dict(obj.get("metadata") or {})
    if metadata.get("namespace", namespace) not in (namespace, ""):
        raise bad_request("the namespace of the object does not match the namespace on the request")
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    # Clients send the zero time of their language as null.
    obj["metadata"] = {key: value for key, value in metadata.items() if value is not None}
    return obj


def _isolate_status(obj: Json, old: Json, subresource: str) -> Json:
    """The main resource cannot write status; /status writes only status and metadata, as for built-in kinds."""
    if subresource != "status":
        without = {key: value for key, value in obj.items() if key != "status"}
        return without | ({"status": old["status"]} if "status" in old else {})
    return old | {"metadata": obj["metadata"], "status": obj.get("status", {})}


def _desired(obj: Json) -> Json:
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


def _keep_cluster_ip(obj: Json, old: Json) -> None:
    """An update that does not mention the cluster address keeps it; defaults just gave the object another."""
    spec, before = obj["spec"], old["spec"]
    if spec.get("type") == "ExternalName" or not before.get("clusterIP"):
        return
    spec["clusterIP"], spec["clusterIPs"] = before["clusterIP"], before["clusterIPs"]
