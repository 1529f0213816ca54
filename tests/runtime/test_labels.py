import pytest

from ingressd.routing.snapshot import Route, Snapshot, VirtualHost
from ingressd.runtime.labels import LabelsOf, host_labels

ROUTES = (Route("prefix", "/", "d/a:80", "d", "one", "a"), Route("prefix", "/x", "d/b:80", "d", "two", "b"))
FALLBACK = Route("prefix", "/", "d/c:80", "d", "one", "c")
HOSTS = {
    "a.test": VirtualHost("a.test", ROUTES, FALLBACK),
    "*": VirtualHost("*", (Route("prefix", "/", "d/any:80", "d", "any", "any"),)),
}


def test_every_route_and_the_fallback_has_labels() -> None:
    assert [labels[3] for labels in host_labels(HOSTS["a.test"])] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("labels", "is_there"),
    [
        (("a.test", "d", "one", "a"), True),
        (("a.test", "d", "one", "c"), True),
        (("a.test", "d", "one", "b"), False),
        (("b.test", "d", "one", "a"), False),
        (("_", "d", "any", "any"), True),
        (("_", "kube", "", "default"), True),
        (("_", "", "", ""), False),
        (("a.test", "d", "two", "b", "/x", ""), True),
        (("a.test", "d", "two", "b", "/x", "d-new-80"), True),
        (("a.test", "d", "two", "b", "/", ""), False),
        (("_", "kube", "", "default", "/", ""), True),
    ],
)
def test_labels_of_a_snapshot(labels: tuple[str, ...], is_there: bool) -> None:
    snapshot = Snapshot(hosts=HOSTS, fallback=Route("prefix", "/", "kube/default:80", "kube", "", "default"))
    assert (labels in LabelsOf(snapshot)) is is_there
