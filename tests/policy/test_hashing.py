from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.hashing import Ring

KEYS = [b"key-%d" % number for number in range(600)]
addresses = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40, unique=True)


def names(numbers: list[int]) -> list[str]:
    return [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:{8000 + (n >> 24)}" for n in numbers]


def ring(endpoints: list[str]) -> Ring[str]:
    return Ring(endpoints, endpoints)


@given(addresses, st.data())
def test_an_endpoint_that_leaves_gives_up_its_own_keys_only(numbers: list[int], data: st.DataObject) -> None:
    before = names(numbers)
    gone = data.draw(st.sampled_from(before))
    after = [name for name in before if name != gone]
    old, new = ring(before), ring(after)
    for key in KEYS[:100]:
        if old.pick(key) != gone:
            assert new.pick(key) == old.pick(key)
        else:
            # and they go where a second attempt would have gone
            assert new.pick(key) == (old.pick(key, [gone]) if after else None)


@given(addresses)
def test_the_order_of_the_list_does_not_matter(numbers: list[int]) -> None:
    before = names(numbers)
    assert [ring(before).pick(key) for key in KEYS[:50]] == [ring(before[::-1]).pick(key) for key in KEYS[:50]]


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_one_more_endpoint_takes_about_its_share(count: int) -> None:
    endpoints = names(list(range(count + 1)))
    old, new = ring(endpoints[:-1]), ring(endpoints)
    moved = [key for key in KEYS if old.pick(key) != new.pick(key)]
    assert {new.pick(key) for key in moved} == {endpoints[-1]}
    assert len(moved) <= 2 * len(KEYS) / (count + 1)


@pytest.mark.parametrize("count", [2, 3, 10, 100])
def test_shares_are_even(count: int) -> None:
    even = ring(names(list(range(count))))
    served = Counter(even.pick(b"%d" % key) for key in range(200 * count))
    assert len(served) == count
    assert max(served.values()) < 1.5 * 200
    assert min(served.values()) > 0.3 * 200


def test_every_worker_and_replica_agrees() -> None:
    known = ring(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"])
    assert "".join(str(known.pick(b"%d" % key))[7] for key in range(40)) == "3123132233112233221123311113332222131121"


@given(addresses, st.binary(max_size=40))
def test_second_attempts_go_elsewhere_until_all_were_tried(numbers: list[int], key: bytes) -> None:
    endpoints = names(numbers)
    all_of_them = ring(endpoints)
    tried: list[str] = []
    for _ in endpoints:
        tried.append(str(all_of_them.pick(key, tried)))
    assert sorted(tried) == sorted(endpoints)
    assert all_of_them.pick(key, tried) == tried[0]


def test_nobody_there() -> None:
    assert ring([]).pick(b"key") is None
    assert ring([]).pick_of_some(b"key", 3, 7) is None


def test_a_subset_is_the_same_for_a_key_and_differs_between_keys() -> None:
    endpoints = ring(names(list(range(20))))
    first = endpoints.some(b"alice", 3)
    assert len(set(first)) == 3
    assert first == endpoints.some(b"alice", 3)
    assert first[0] == endpoints.pick(b"alice")
    assert {endpoints.pick_of_some(b"alice", 3, roll) for roll in range(3)} == set(first)
    assert len({tuple(sorted(endpoints.some(key, 3))) for key in KEYS[:50]}) > 20
    assert len(endpoints.some(b"alice", 100)) == 20


def test_second_attempts_stay_in_the_subset_while_they_can() -> None:
    endpoints = ring(names(list(range(20))))
    some = endpoints.some(b"alice", 3)
    assert {endpoints.pick_of_some(b"alice", 3, roll, some[:2]) for roll in range(5)} == {some[2]}
    assert endpoints.pick_of_some(b"alice", 3, 1, some) in some


def test_a_subset_loses_and_gains_one_endpoint_at_a_time() -> None:
    sets = [set(ring(names(list(range(count)))).some(b"alice", 3)) for count in range(5, 40)]
    assert all(len(before - after) <= 1 for before, after in pairwise(sets))
