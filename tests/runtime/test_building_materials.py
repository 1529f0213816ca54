"""What a worker makes of Secrets that changes bring: cells of policies, and TLS to endpoints."""

import pytest
from msgspec.structs import replace

from ingressd.policy.basic_auth import BasicAuth
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.upstream_tls import BackendTls
from ingressd.proxy.pool import LiveEndpoint
from ingressd.routing.snapshot import Backend, Endpoint, Material, Route, Snapshot, VirtualHost
from tests.support.receiver import Receiver
from tests.tls.authority import leaf, root

USERS = Material("users:ns/a", {"auth": b"who:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\n"})
KEY = "identity:ns/a"


def identity(*names: str) -> Material:
    return Material(KEY, {"ca.crt": root().pem, "tls.crt": leaf("p256", *names).pem, "tls.key": leaf().key_pem})


def over_tls(material: Material | None = None, *, number: int = 1, tls: BackendTls | None = None) -> Snapshot:
    """Backends that TLS is spoken to, each under a name of its own."""
    backends = {}
    for each in range(number):
        settings = tls or BackendTls(verify=True, name=f"b{each}.test", material=KEY)
        key = f"default/b{each}:443{settings.suffix()}"
        backends[key] = Backend(key, "default", f"b{each}", "443", (Endpoint("10.0.0.1", 443),), tls=settings)
    hosts = {
        f"b{each}.test": VirtualHost(f"b{each}.test", (Route("prefix", "/", key),)) for each, key in enumerate(backends)
    }
    return Snapshot(hosts=hosts, backends=backends, materials={} if material is None else {material.key: material})


def endpoints(receiver: Receiver, host: str = "b0.test") -> tuple[LiveEndpoint, ...]:
    backend = receiver.find(host).backend
    assert backend is not None
    return backend.endpoints


def chain_shown(receiver: Receiver) -> bytes:
    (one,) = endpoints(receiver)
    assert one.tls is not None
    return one.tls.profile.chain_pem


async def test_cells_are_written_with_the_commit(receiver: Receiver) -> None:
    with_users = Snapshot(materials={USERS.key: USERS})
    receiver.change(Snapshot(), Snapshot(), full=True)
    cell = receiver.gateway.materials.cell(USERS.key)
    receiver.change(Snapshot(), with_users, pieces=-1)
    assert cell.problem == "it is not there"
    receiver.builder.abandon()
    receiver.change(Snapshot(), with_users)
    assert cell.problem == ""
    receiver.change(with_users, Snapshot())
    assert cell.problem == "it is not there"


async def test_a_new_control_process_sends_the_same_secrets_and_nothing_is_read_again(receiver: Receiver) -> None:
    both = Snapshot(materials={USERS.key: USERS, "users:ns/b": Material("users:ns/b", USERS.values)})
    receiver.change(Snapshot(), both, full=True)
    one, other = receiver.gateway.materials.cell(USERS.key), receiver.gateway.materials.cell("users:ns/b")
    ready = one.ready
    receiver.change(Snapshot(), Snapshot(materials={USERS.key: USERS}), full=True)
    assert one.ready is ready
    assert other.ready is None


async def test_a_large_secret_is_read_aside(receiver: Receiver) -> None:
    users = b"".join(b"user%d:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\n" % number for number in range(5000))
    large = Snapshot(materials={USERS.key: Material(USERS.key, {"auth": users})})
    assert await receiver.change_in_steps(Snapshot(), large, full=True) > 2
    assert repr(receiver.gateway.materials.cell(USERS.key).ready) == "<Users: 5000>"


async def test_a_route_is_bound_to_its_policies_and_a_plain_one_to_nothing(receiver: Receiver) -> None:
    routes = (
        Route("prefix", "/", ""),
        Route("prefix", "/in", "", policies=RoutePolicies(basic_auth=BasicAuth(USERS.key))),
    )
    receiver.change(Snapshot(), Snapshot(hosts={"a": VirtualHost("a", routes)}), full=True)
    assert receiver.find("a", "/").gate is None
    assert receiver.find("a", "/in").gate is not None


async def test_endpoints_get_the_profile_and_a_new_one_when_the_secret_changes(receiver: Receiver) -> None:
    first = over_tls(identity())
    receiver.change(Snapshot(), first, full=True)
    (before,) = endpoints(receiver)
    assert before.tls is not None
    profile = before.tls.profile
    assert (profile.verify, profile.name, profile.ca_pem) == (True, "b0.test", root().pem)
    assert profile.chain_pem == leaf("p256").pem
    second = replace(first, materials={KEY: identity("rotated.test")})
    receiver.change(first, second, pieces=-1)
    assert endpoints(receiver) == (before,)
    receiver.builder.abandon()
    receiver.change(first, second)
    assert chain_shown(receiver) == leaf("p256", "rotated.test").pem
    await receiver.settle()
    assert repr(receiver.pool).startswith("<Pool endpoints=1 ")


async def test_a_new_control_process_sends_the_same_backends_and_nothing_is_made_anew(receiver: Receiver) -> None:
    same = over_tls(identity())
    receiver.change(Snapshot(), same, full=True)
    before = endpoints(receiver)
    receiver.change(Snapshot(), same, full=True)
    assert endpoints(receiver) is before
    receiver.change(Snapshot(), replace(same, materials={KEY: identity("rotated.test")}), full=True)
    assert chain_shown(receiver) == leaf("p256", "rotated.test").pem
    receiver.change(Snapshot(), Snapshot(), full=True)
    await receiver.settle()
    assert repr(receiver.pool).startswith("<Pool endpoints=0 ")


@pytest.mark.parametrize(
    ("material", "told"),
    [
        (None, "need identity:ns/a, which cannot be used"),
        (Material(KEY, problem="there is no Secret ns/a"), "need identity:ns/a, which cannot be used"),
        (Material(KEY, {"ca.crt": b"hunter2"}), "ca.crt holds no certificate"),
        (Material(KEY, {"tls.crt": b"hunter2", "tls.key": b"hunter2"}), "trust nobody"),
        (Material(KEY, {"ca.crt": root().pem, "tls.crt": b"hunter2", "tls.key": b"hunter2"}), "OpenSSL does not take"),
    ],
)
async def test_who_cannot_be_spoken_to_as_asked_is_not_spoken_to(
    receiver: Receiver, material: Material | None, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = over_tls(material)
    receiver.change(Snapshot(), broken, full=True)
    assert endpoints(receiver) == ()
    assert told in caplog.text
    assert "hunter2" not in caplog.text
    receiver.change(broken, over_tls(identity()))
    assert chain_shown(receiver) == leaf("p256").pem
    receiver.change(over_tls(identity()), broken)
    if material is not None:
        assert endpoints(receiver) == ()


async def test_backends_of_the_same_address_with_and_without_verification_share_nothing(receiver: Receiver) -> None:
    plain = Backend("default/p:443", "default", "p", "443", (Endpoint("10.0.0.1", 443),))
    lax = over_tls(tls=BackendTls())
    both = replace(
        lax,
        hosts={**lax.hosts, "p.test": VirtualHost("p.test", (Route("prefix", "/", plain.key),))},
        backends={**lax.backends, plain.key: plain},
    )
    receiver.change(Snapshot(), both, full=True)
    (one,), (other,) = endpoints(receiver), endpoints(receiver, "p.test")
    assert one is not other
    assert other.tls is None
    assert one.tls is not None


async def test_many_contexts_are_made_with_requests_in_between(receiver: Receiver) -> None:
    first = over_tls(identity(), number=30)
    assert await receiver.change_in_steps(Snapshot(), first, full=True) > 3
    second = replace(first, materials={KEY: identity("rotated.test")})
    assert await receiver.change_in_steps(first, second) > 3
    assert chain_shown(receiver) == leaf("p256", "rotated.test").pem
