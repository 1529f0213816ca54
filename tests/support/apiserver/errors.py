"""Refusals, as the Status objects Kubernetes clients expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.apiserver.kinds import Kind

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    reason: str
    message: str
    field: str = ""

    def as_json(self) -> Json:
        cause = {"reason": self.reason, "message": self.message}
        return cause | {"field": self.field} if self.field else cause


class ApiError(Exception):
    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        metadata: Json | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata = metadata or {}
        self.headers = headers or {}

    def as_status(self) -> Json:
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


def _details(kind: Kind, name: str, by_kind: bool = False) -> Json:
    details = {"name": name, "kind": kind.kind if by_kind else kind.plural}
    return details | {"group": kind.group} if kind.group else details


def not_found(kind: Kind, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{kind.qualified} "{name}" not found', details=_details(kind, name))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(kind: Kind, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', details=_details(kind, name))


def conflict(kind: Kind, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    details = _details(kind, name)
    if causes:
        details["causes"] = [cause.as_json() for cause in causes]
    return ApiError(409, "Conflict", f'operation on {kind.qualified} "{name}" refused: {why}', details=details)


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> ApiError:
    said = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
    details = _details(kind, name, by_kind=True) | {"causes": [cause.as_json() for cause in causes]}
    return ApiError(422, "Invalid", f'{kind.kind} "{name}" is invalid: {said}', details=details)


def invalid_options(field: str, message: str) -> ApiError:
    """422 about the query rather than about an object: how servers without streaming lists refuse one."""
    cause = Cause("FieldValueForbidden", f"Forbidden: {message}", field)
    details = {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause.as_json()]}
    return ApiError(422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: {field}: {message}', details=details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, resource: str, group: str, namespace: str, name: str = "") -> ApiError:
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = f'User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    details = {"name": name, "group": group, "kind": resource}
    return ApiError(403, "Forbidden", f"{resource} is forbidden: {message}", details=details)


def expired(message: str, fresh_continue: str = "") -> ApiError:
    metadata = {"continue": fresh_continue} if fresh_continue else {}
    return ApiError(410, "Expired", message, metadata=metadata)


def too_large_resource_version(asked: int, current: int) -> ApiError:
    """504 and not 4xx: the server means "I may catch up", so clients must look at the cause to know better."""
    cause = Cause("ResourceVersionTooLarge", "Too large resource version")
    return ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {current}",
        details={"causes": [cause.as_json()], "retryAfterSeconds": 1},
    )
