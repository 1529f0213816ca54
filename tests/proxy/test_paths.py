"""One spelling of a path decides and is forwarded; a path with two readings passes only when both meet one route."""

import pytest

from ingressd.routing.snapshot import Backend, Endpoint, Route, Snapshot, VirtualHost
from tests.support.memory import MemoryPath

BACKEND = Backend("default/app:80", "default", "app", "80", (Endpoint("127.0.0.1", 1),))
GUARDED = Route("prefix", "/admin", "", status=403)
OPEN = Route("prefix", "/", BACKEND.key)
SNAPSHOT = Snapshot(
    hosts={"a.example": VirtualHost("a.example", (GUARDED, OPEN))}, backends={BACKEND.key: BACKEND}
)  # fmt: skip


@pytest.mark.parametrize(
    ("target", "status", "onward"),
    [
        ("/x", 200, "/x"),
        ("/x%2fy", 200, "/x%2Fy"),
        ("/administration", 200, "/administration"),
        ("/Admin", 200, "/Admin"),  # Kubernetes: case-sensitive
        ("/x%252fy", 200, "/x%252fy"),
        ("/x;y/z", 200, "/x;y/z"),
        ("/%2561dmin", 400, ""),
        ("/admin;x", 400, ""),
        ("/;/admin", 400, ""),
        ("/admin", 403, ""),
        ("/admin/", 403, ""),
        ("//admin", 403, ""),
        ("/%61dmin", 403, ""),
        ("/./admin", 403, ""),
        ("/x/../admin", 403, ""),
        ("/x/%2e%2e/admin/x", 403, ""),
        ("/x/..;/admin", 400, ""),
        ("/x%2f..%2fadmin", 400, ""),
        ("/x%5c..%5cadmin", 400, ""),
        ("/x\\..\\admin", 400, ""),
        ("/admin%2f..%2fx", 400, ""),
        ("/%2fadmin", 400, ""),
        ("/..%2fadmin", 400, ""),
        ("/admin%2fx", 400, ""),
        ("/%c0%afadmin", 400, ""),
        ("/admin%00", 400, ""),
    ],
)
def test_no_spelling_gets_past_a_route(target: str, status: int, onward: str) -> None:
    path = MemoryPath(SNAPSHOT)
    path.send(f"GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
    path.close()
    assert path.statuses == [status]
    assert [request.target.decode() for request, _ in path.requests] == ([onward] if onward else [])
