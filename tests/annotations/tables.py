"""All cases, by topic: each topic has a desk, and so a daemon, of its own."""

from tests.annotations.case import Case
from tests.annotations.cases import (
    access,
    affinity,
    backend,
    clients,
    limits,
    moved,
    moved_access,
    order,
    paths,
    redirects,
    responses,
    tls,
)

TOPICS: dict[str, list[Case]] = {
    "paths": paths.CASES,
    "redirects": redirects.CASES,
    "backend": backend.CASES,
    "affinity": affinity.CASES,
    "responses": responses.CASES,
    "access": access.CASES,
    "external": access.EXTERNAL,
    "limits": limits.CASES,
    "tls": tls.CASES,
    "clients": clients.CASES,
    "order": order.CASES,
    "moved": moved.CASES,
    "moved-access": moved_access.CASES,
}

FLAGS: dict[str, tuple[str, ...]] = {
    # Every worker keeps answers of auth services for itself: with one of them, what is kept is what is asked.
    "external": ("--workers=1",),
    "moved-access": ("--workers=1",),
    "tls": ("--enable-ssl-passthrough",),
}
