"""The difference between two snapshots: what travels to workers after the first complete one.

Values are compared by identity first, because a compile hands unchanged ones on; the rest by content.
"""

from collections.abc import Mapping
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType

from ingressd.policy.policies import GlobalPolicies
from ingressd.routing.snapshot import Backend, CertificatePair, Material, Route, Snapshot, VirtualHost

V = TypeVar("V")


class SnapshotDelta(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """New and changed values, and the names of those that are gone; an UNSET field did not change."""

    hosts: tuple[VirtualHost, ...] = ()
    hosts_removed: tuple[str, ...] = ()
    backends: tuple[Backend, ...] = ()
    backends_removed: tuple[str, ...] = ()
    certificates: tuple[CertificatePair, ...] = ()
    certificates_removed: tuple[str, ...] = ()
    server_names: Mapping[str, str] = {}
    server_names_removed: tuple[str, ...] = ()
    default_certificate: str | UnsetType = UNSET
    fallback: Route | UnsetType | None = UNSET
    materials: tuple[Material, ...] = ()
    materials_removed: tuple[str, ...] = ()
    policies: GlobalPolicies | UnsetType = UNSET


def difference(old: Snapshot, new: Snapshot) -> SnapshotDelta:
    """What ``apply_delta`` needs to make ``new`` of ``old``."""
    hosts, hosts_removed = _changes(old.hosts, new.hosts)
    backends, backends_removed = _changes(old.backends, new.backends)
    certificates, certificates_removed = _changes(old.certificates, new.certificates)
    server_names, server_names_removed = _changes(old.server_names, new.server_names)
    materials, materials_removed = _changes(old.materials, new.materials)
    same_default = old.default_certificate == new.default_certificate
    return SnapshotDelta(
        hosts=tuple(hosts.values()),
        hosts_removed=hosts_removed,
        backends=tuple(backends.values()),
        backends_removed=backends_removed,
        certificates=tuple(certificates.values()),
        certificates_removed=certificates_removed,
        server_names=server_names,
        server_names_removed=server_names_removed,
        default_certificate=UNSET if same_default else new.default_certificate,
        fallback=UNSET if old.fallback == new.fallback else new.fallback,
        materials=tuple(materials.values()),
        materials_removed=materials_removed,
        policies=UNSET if old.policies == new.policies else new.policies,
    )


def is_empty(delta: SnapshotDelta) -> bool:
    return delta == SnapshotDelta()


def apply_delta(old: Snapshot, delta: SnapshotDelta) -> Snapshot:
    """``old`` with the changes. The maps are copies; untouched values are the same objects."""
    default, fallback, policies = delta.default_certificate, delta.fallback, delta.policies
    return Snapshot(
        hosts=_changed(old.hosts, {host.name: host for host in delta.hosts}, delta.hosts_removed),
        backends=_changed(old.backends, {one.key: one for one in delta.backends}, delta.backends_removed),
        certificates=_changed(
            old.certificates, {pair.key: pair for pair in delta.certificates}, delta.certificates_removed
        ),
        server_names=_changed(old.server_names, delta.server_names, delta.server_names_removed),
        default_certificate=old.default_certificate if default is UNSET else default,
        fallback=old.fallback if fallback is UNSET else fallback,
        materials=_changed(old.materials, {one.key: one for one in delta.materials}, delta.materials_removed),
        policies=old.policies if policies is UNSET else policies,
    )


def _changes(old: Mapping[str, V], new: Mapping[str, V]) -> tuple[dict[str, V], tuple[str, ...]]:
    if old is new:
        return {}, ()
    changed = {key: value for key, value in new.items() if (before := old.get(key)) is not value and before != value}
    return changed, tuple([key for key in old if key not in new])


def _changed(old: Mapping[str, V], upserts: Mapping[str, V], removed: tuple[str, ...]) -> Mapping[str, V]:
    if not upserts and not removed:
        return old
    kept = {**old, **upserts}
    for key in removed:
        kept.pop(key, None)
    return kept
