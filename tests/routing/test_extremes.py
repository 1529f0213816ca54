"""Numbers as large as they can be written: what is compiled of them can be sent to workers.

One that cannot would keep every change from every worker, whosever Ingress it stands in.
"""

import msgspec
import pytest

from ingressd.routing.annotations.row import Row
from ingressd.routing.annotations.table import ANNOTATIONS, CONFIG_KEYS
from ingressd.routing.compile import Compiled, compile_routes
from ingressd.routing.defaults import RouteDefaults
from tests.support.objects import cluster, config_map, ingress, path, rule, service

_MOST = 2**63 - 1
EXTREMES = (
    f"{_MOST}",
    f"-{_MOST}",
    "999999999999999999g",
    f"{_MOST // 2} 999999999999999999g",
    "999999999999y",
    "1048576 9g",
)
BESIDE = {
    "ingressd.io/limit-rate": f"{_MOST}",
    "ingressd.io/limit-rps": "1",
    "ingressd.io/auth-url": "http://auth.example/",
    "ingressd.io/affinity": "cookie",
    "ingressd.io/permanent-redirect": "https://there.example/",
}


def sent(compiled: Compiled) -> int:
    """Bytes of all that workers get."""
    snapshot = compiled.snapshot
    return len(msgspec.msgpack.encode((snapshot.hosts, snapshot.backends, snapshot.policies, snapshot.materials)))


@pytest.mark.parametrize("text", EXTREMES)
@pytest.mark.parametrize("row", ANNOTATIONS.values(), ids=str)
def test_an_annotation_of_any_size_can_be_sent(row: Row[object], text: str) -> None:
    annotations = {**BESIDE, f"ingressd.io/{row.name}": text}
    one = ingress("one", rule("a.example.com", path("Prefix", "/", "web:80")), annotations=annotations)
    assert sent(compile_routes(cluster(one, service("web", 80)), RouteDefaults()))


@pytest.mark.parametrize("text", EXTREMES)
@pytest.mark.parametrize("key", CONFIG_KEYS)
def test_a_key_of_any_size_can_be_sent(key: str, text: str) -> None:
    settings = config_map("settings", {"global-auth-url": "http://auth.example/", "limit-rate": "1", key: text})
    one = ingress("one", rule("a.example.com", path("Prefix", "/", "web:80")))
    objects = cluster(one, service("web", 80), settings)
    assert sent(compile_routes(objects, RouteDefaults(config_map=("default", "settings"))))
