from ingressd.proxy.keyed import KeyedEndpoints
from ingressd.proxy.pool import LiveEndpoint
from ingressd.routing.snapshot import Endpoint


def live(*numbers: int) -> tuple[LiveEndpoint, ...]:
    return tuple(LiveEndpoint(Endpoint(f"10.0.0.{number}", 80)) for number in numbers)


def test_worked_out_once_for_a_set_of_endpoints() -> None:
    keyed: KeyedEndpoints[LiveEndpoint] = KeyedEndpoints()
    endpoints = live(1, 2, 3)
    ring = keyed.ring(endpoints)
    assert keyed.ring(endpoints) is ring
    balanced = keyed.sticky(endpoints, persistent=False, backend="a")
    assert keyed.sticky(endpoints, persistent=False, backend="b") is balanced
    persistent = keyed.sticky(endpoints, persistent=True, backend="a")
    assert keyed.sticky(endpoints, persistent=True, backend="a") is persistent
    assert keyed.sticky(endpoints, persistent=True, backend="b") is not persistent


def test_another_set_is_looked_at_anew() -> None:
    keyed: KeyedEndpoints[LiveEndpoint] = KeyedEndpoints()
    before, after = live(1, 2, 3), live(4)
    for persistent in (True, False):
        made = keyed.sticky(before, persistent=persistent, backend="a").new(7, ())
        assert made is not None
        assert made[0] in before
        made = keyed.sticky(after, persistent=persistent, backend="a").new(7, ())
        assert made is not None
        assert made[0] is after[0]
    assert keyed.ring(before).pick(b"key") in before
    assert keyed.ring(after).pick(b"key") is after[0]
    assert keyed.ring(()).pick(b"key") is None


def test_all_workers_agree() -> None:
    here: KeyedEndpoints[LiveEndpoint] = KeyedEndpoints()
    there: KeyedEndpoints[LiveEndpoint] = KeyedEndpoints()
    for key in (b"a", b"b", b"c"):
        one, other = here.ring(live(1, 2, 3)).pick(key), there.ring(live(3, 1, 2)).pick(key)
        assert one is not None
        assert other is not None
        assert one.label == other.label
