"""Frames: whatever a stream does to the bytes, the messages come out whole and in order, or not at all."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingressd.policy.policies import GlobalPolicies, HostTls, ListenerTls, RoutePolicies
from ingressd.policy.rewrite import Rewrite
from ingressd.routing.delta import difference
from ingressd.routing.snapshot import Backend, CertificatePair, Endpoint, Material, Route, Snapshot, VirtualHost
from ingressd.runtime.channel import (
    CERTIFICATES_PER_PIECE,
    MATERIALS_PER_PIECE,
    MAX_FRAME_BYTES,
    PIECE_ITEMS,
    Applied,
    Ask,
    Backends,
    Begin,
    Certificates,
    Commit,
    FrameReader,
    FromWorker,
    Hosts,
    Materials,
    Names,
    Refused,
    ToWorker,
    change_frames,
    decode_from_worker,
    decode_to_worker,
    encode_frame,
)


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@given(bodies=st.lists(st.binary(max_size=300), max_size=8), cuts=st.lists(st.integers(0, 2500), max_size=12))
def test_split_anywhere(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(framed(body) for body in bodies)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader()

    seen = [frame for start, end in pairwise(places) for frame in reader.feed(stream[start:end])]

    assert seen == bodies


def test_byte_by_byte() -> None:
    bodies = [b"", b"one", b"x" * 1000]
    reader = FrameReader()

    seen = [frame for byte in b"".join(map(framed, bodies)) for frame in reader.feed(bytes([byte]))]

    assert seen == bodies


def test_half_a_frame_is_none() -> None:
    reader = FrameReader()

    assert list(reader.feed(framed(b"whole") + framed(b"cut off")[:-1])) == [b"whole"]
    assert list(reader.feed(b"")) == []


def test_a_length_no_message_has_is_refused() -> None:
    with pytest.raises(ValueError, match="a frame of"):
        list(FrameReader().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))


MATERIAL = Material("users:ns/a", {"auth": b"who:{SHA}x"})


@pytest.mark.parametrize(
    "message",
    [
        Begin(3, True),
        Begin(3, False, GlobalPolicies()),
        Materials((MATERIAL,)),
        Names({"a.example": "ns/secret"}),
        Commit(7, None, ""),
        Ask(),
    ],
)
def test_to_a_worker_and_back(message: ToWorker) -> None:
    [frame] = FrameReader().feed(encode_frame(message))
    assert decode_to_worker(frame) == message


@pytest.mark.parametrize("message", [Applied(3), Refused(4, "why")])
def test_from_a_worker_and_back(message: FromWorker) -> None:
    [frame] = FrameReader().feed(encode_frame(message))
    assert decode_from_worker(frame) == message


def snapshot(hosts: int, certificates: int) -> Snapshot:
    names = [f"h{number}.example" for number in range(hosts)]
    keys = [f"default/tls-{number}" for number in range(certificates)]
    return Snapshot(
        hosts={name: VirtualHost(name, (Route("prefix", "/", f"default/{name}:80"),)) for name in names},
        backends={
            f"default/{name}:80": Backend(f"default/{name}:80", "default", name, "80", (Endpoint("10.0.0.1", 80),))
            for name in names
        },
        certificates={key: CertificatePair(key, b"chain", b"key", 0.0, ()) for key in keys},
        server_names={f"s{number}.example": key for number, key in enumerate(keys)},
        materials={f"users:{key}": Material(f"users:{key}", {"auth": b"a:b"}) for key in keys},
    )


def messages(old: Snapshot, new: Snapshot, *, full: bool = False) -> list[ToWorker]:
    reader = FrameReader()
    frames = b"".join(change_frames(difference(old, new), new, 5, full=full))
    return [decode_to_worker(frame) for frame in reader.feed(frames)]


def test_a_change_comes_in_small_pieces_between_begin_and_commit() -> None:
    sent = messages(Snapshot(), snapshot(3 * PIECE_ITEMS, 5), full=True)

    assert sent[0] == Begin(5, True, GlobalPolicies())
    assert sent[-1] == Commit(5, None, "")
    hosts = [one for one in sent if isinstance(one, Hosts)]
    assert [len(one.upserts) for one in hosts] == [PIECE_ITEMS] * 3
    pieces = [one for one in sent if isinstance(one, Certificates)]
    assert [len(one.upserts) for one in pieces] == [CERTIFICATES_PER_PIECE] * 5
    materials = [one for one in sent if isinstance(one, Materials)]
    assert [len(one.upserts) for one in materials] == [MATERIALS_PER_PIECE] * 5


def test_hosts_whose_routes_take_long_to_bind_come_fewer_at_a_time() -> None:
    policies = RoutePolicies(rewrite=Rewrite("/", "/"))
    hosts = [
        VirtualHost(f"h{number}", tuple(Route("prefix", f"/{each}", "", policies=policies) for each in range(routes)))
        for number, routes in enumerate([3] * 40 + [500, 500] + [0] * 10)
    ]
    sent = messages(Snapshot(), Snapshot(hosts={host.name: host for host in hosts}))
    pieces = [one.upserts for one in sent if isinstance(one, Hosts)]
    assert [host for piece in pieces for host in piece] == hosts
    assert [len(piece) for piece in pieces] == [16, 16, 8, 1, 1, 10]


def test_what_is_referred_to_comes_first_and_goes_last() -> None:
    order = [type(one) for one in messages(Snapshot(), snapshot(1, 1))]
    assert order == [Begin, Materials, Backends, Certificates, Names, Hosts, Commit]

    order = [type(one) for one in messages(snapshot(1, 1), Snapshot())]
    assert order == [Begin, Hosts, Backends, Names, Certificates, Materials, Commit]


def test_one_changed_endpoint_among_ten_thousand_is_one_small_message() -> None:
    old = snapshot(1000, 0)
    key = "default/h7.example:80"
    changed = Backend(key, "default", "h7.example", "80", (Endpoint("10.0.0.2", 80),))
    new = Snapshot(hosts=old.hosts, backends={**old.backends, key: changed})

    frames = list(change_frames(difference(old, new), new, 2, full=False))

    assert [decode_to_worker(frame[4:]) for frame in frames] == [
        Begin(2, False),
        Backends(upserts=(changed,)),
        Commit(2, None, ""),
    ]
    assert sum(map(len, frames)) < 300


def sent_certificates(old: Snapshot, new: Snapshot) -> list[str]:
    return [pair.key for one in messages(old, new) if isinstance(one, Certificates) for pair in one.upserts]


def with_tls(old: Snapshot, name: str, tls: HostTls | None) -> Snapshot:
    return replace(old, hosts={**old.hosts, name: VirtualHost(name, tls=tls)})


def test_certificates_come_again_for_those_who_need_them() -> None:
    """A host's own context holds its certificate; whenever it may have to be made anew, the certificate is there."""
    plain = snapshot(1, 5)
    assert sent_certificates(plain, with_tls(plain, "s1.example", HostTls(passthrough="x"))) == []
    asking = with_tls(plain, "s1.example", HostTls(trust="trust:ns/a"))
    assert sent_certificates(plain, asking) == ["default/tls-1"]
    other = replace(asking, materials={**asking.materials, "trust:ns/a": Material("trust:ns/a", {"ca.crt": b"x"})})
    assert sent_certificates(asking, other) == ["default/tls-1"]
    assert sent_certificates(asking, with_tls(asking, "h0.example", None)) == ["default/tls-1"]
    assert sent_certificates(asking, replace(asking, backends={})) == []
    assert sent_certificates(plain, replace(plain, default_certificate="default/tls-2")) == []
    ciphers = replace(plain, policies=GlobalPolicies(tls=ListenerTls(ciphers="HIGH")))
    assert sent_certificates(plain, ciphers) == list(plain.certificates)


def test_a_certificate_of_a_wildcard_and_the_default_one_come_again_too() -> None:
    names = {"*.wild.example": "default/tls-3"}
    plain = replace(snapshot(0, 5), server_names=names, default_certificate="default/tls-4")
    asking = with_tls(plain, "a.wild.example", HostTls(ciphers="HIGH"))
    assert sent_certificates(plain, asking) == ["default/tls-3"]
    asking = with_tls(plain, "*", HostTls(prefers_server_order=False))
    assert sent_certificates(plain, asking) == ["default/tls-4"]
