"""What the server says of itself: versions, groups and resources (the plain, non-aggregated form)."""

from __future__ import annotations

from tests.support.apiserver.errors import Json
from tests.support.apiserver.kinds import KINDS, Kind, group_versions
from tests.support.apiserver.openapi import openapi_v3, openapi_v3_paths

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def describe_server(path: str, version: str) -> Json | None:
    """The answer to a GET that is about no object, or None for an unknown path."""
    path = "/" + path.strip("/")
    if path == "/version":
        return _version(version)
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in _groups()]}
    if path == "/openapi/v3":
        return openapi_v3_paths()
    for group, group_version in group_versions():
        root = f"/apis/{group}/{group_version}" if group else f"/api/{group_version}"
        if path == root:
            return _resources(group, group_version)
        if path == f"/openapi/v3{root}":
            return openapi_v3(group, group_version)
        if group and path == f"/apis/{group}":
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group)
    return None


def _version(git_version: str) -> Json:
    major, minor = git_version.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": git_version,
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2025-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "linux/amd64",
    }


def _groups() -> list[str]:
    return list(dict.fromkeys(group for group, _ in group_versions() if group))


def _group(group: str) -> Json:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version} for name, version in group_versions() if name == group
    ]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str) -> Json:
    resources: list[Json] = []
    for kind in KINDS:
        if (kind.group, kind.version) == (group, version):
            resources.append(_resource(kind))
            if kind.has_status:
                resources.append(_status(kind))
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _resource(kind: Kind) -> Json:
    resource: Json = {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _VERBS,
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.in_category_all:
        resource["categories"] = ["all"]
    return resource


def _status(kind: Kind) -> Json:
    return {
        "name": f"{kind.plural}/status",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["get", "patch", "update"],
    }
