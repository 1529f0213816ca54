"""Hosts with TLS of their own, and what a ConfigMap says of all connections, as a worker takes them up."""

import ssl
from collections.abc import Iterable, Mapping

import pytest
from msgspec.structs import replace

from ingressd.policy.forwarded import Forwarding
from ingressd.policy.policies import ClientLimits, GlobalPolicies, HostTls, ListenerTls, LogFormat
from ingressd.proxy.passthrough import PassThrough
from ingressd.proxy.verified_tls import Choice
from ingressd.routing.snapshot import Backend, CertificatePair, Endpoint, Material, Snapshot, VirtualHost
from ingressd.tls.client_certificate import trust_key
from ingressd.tls.context import TlsParameters
from ingressd.tls.verify import VerifyingContext
from tests.support.receiver import Receiver
from tests.tls import clients
from tests.tls.authority import leaf

CA = Material("trust:ns/ca", {"ca.crt": clients.root().pem})
ASKS = HostTls(trust=CA.key)
PASSED = "default/passed:443"
CHACHA = "ECDHE-ECDSA-CHACHA20-POLY1305:@SECLEVEL=2"


def pair(key: str, *names: str) -> CertificatePair:
    return CertificatePair(key, leaf("p256", *names).pem, leaf().key_pem)


def serving(hosts: Mapping[str, HostTls | None], *materials: Material, others: Iterable[str] = ()) -> Snapshot:
    """Hosts, with a certificate for ``*.shop`` and a default one for all others."""
    pairs = {each.key: each for each in (pair("ns/shop", "*.shop"), pair("ns/default"))}
    return Snapshot(
        hosts={name: VirtualHost(name, tls=tls) for name, tls in {**hosts, **dict.fromkeys(others)}.items()},
        certificates=pairs,
        server_names={"*.shop": "ns/shop"},
        default_certificate="ns/default",
        materials={material.key: material for material in materials},
    )


def chosen(receiver: Receiver, name: str) -> Choice | None:
    hellos = receiver.gateway.hellos
    assert hellos is not None
    return hellos.choose(name)


def ciphers(context: ssl.SSLContext | None) -> set[str]:
    assert context is not None
    return {cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"}


async def test_nobody_looks_into_hellos_without_a_reason(receiver: Receiver) -> None:
    plain = serving({"a.shop": None})
    receiver.change(Snapshot(), plain, full=True)
    assert receiver.gateway.hellos is None
    asking = serving({"a.shop": ASKS}, CA)
    receiver.change(plain, asking)
    assert isinstance(chosen(receiver, "a.shop"), VerifyingContext)
    receiver.change(asking, plain)
    assert receiver.gateway.hellos is None
    assert receiver.gateway.client_trust == {}


async def test_a_wildcard_covers_what_no_host_has_and_the_catch_all_the_rest(receiver: Receiver) -> None:
    hosts = {"*.shop": ASKS, "plain.shop": None, "own.shop": HostTls(trust=CA.key, verify_depth=3)}
    receiver.change(Snapshot(), serving(hosts, CA), full=True)
    assert chosen(receiver, "any.shop") is not None
    assert chosen(receiver, "plain.shop") is None
    assert chosen(receiver, "own.shop") not in (None, chosen(receiver, "any.shop"))
    assert chosen(receiver, "elsewhere.test") is None
    everything = serving({**hosts, "*": ASKS, "*.wild.test": None, "x.test": None}, CA)
    receiver.change(serving(hosts, CA), everything)
    assert chosen(receiver, "elsewhere.test") is not None
    assert chosen(receiver, "") is not None
    for plain in ("plain.shop", "x.test", "a.wild.test"):
        assert chosen(receiver, plain) is None
    receiver.change(everything, serving({"*.shop": ASKS}, CA))
    assert chosen(receiver, "plain.shop") is chosen(receiver, "any.shop")


async def test_a_verdict_is_about_what_the_host_was_set_up_with(receiver: Receiver) -> None:
    first = serving({"a.shop": ASKS, "b.shop": HostTls(trust=CA.key, verify_depth=2), "c.shop": None}, CA)
    receiver.change(Snapshot(), first, full=True)
    trusts = receiver.gateway.client_trust
    assert trusts == {name: trust_key(clients.root().pem, b"", depth) for name, depth in (("a.shop", 1), ("b.shop", 2))}
    choice = chosen(receiver, "a.shop")
    assert isinstance(choice, VerifyingContext)
    assert choice.trust == trusts["a.shop"]
    revoked = clients.client("revoked")
    assert revoked is not None
    renewed = Material(CA.key, {**CA.values, "ca.crl": clients.revocations(clients.root(), revoked)})
    receiver.change(first, replace(first, materials={CA.key: renewed}))
    assert receiver.gateway.client_trust["a.shop"] != trusts["a.shop"]
    assert chosen(receiver, "a.shop") is not choice


async def test_only_what_changed_is_made_anew(receiver: Receiver) -> None:
    other = Material("trust:ns/other", CA.values)
    first = serving({"a.shop": ASKS, "b.shop": ASKS, "c.test": ASKS, "d.shop": HostTls(trust=other.key)}, CA, other)
    receiver.change(Snapshot(), first, full=True)
    before = {name: chosen(receiver, name) for name in first.hosts}
    assert before["a.shop"] is before["b.shop"] is before["d.shop"]
    assert before["c.test"] is not before["a.shop"]
    second = serving({"a.shop": ASKS, "c.test": ASKS, "e.shop": ASKS}, CA)
    receiver.change(first, second)
    assert chosen(receiver, "a.shop") is chosen(receiver, "e.shop") is before["a.shop"]
    receiver.change(Snapshot(), second, full=True)
    assert chosen(receiver, "a.shop") is before["a.shop"]
    rotated = {**second.certificates, "ns/shop": pair("ns/shop", "*.shop", "rotated.shop")}
    receiver.change(second, replace(second, certificates=rotated))
    assert chosen(receiver, "a.shop") not in (None, before["a.shop"])
    assert chosen(receiver, "c.test") is before["c.test"]


async def test_a_host_that_moves_to_another_certificate(receiver: Receiver) -> None:
    first = serving({"a.shop": ASKS}, CA)
    receiver.change(Snapshot(), first, full=True)
    before = chosen(receiver, "a.shop")
    receiver.change(first, replace(first, server_names={**first.server_names, "a.shop": "ns/default"}))
    assert chosen(receiver, "a.shop") not in (None, before)


@pytest.mark.parametrize("broken", [{"ca.crt": b"hunter2"}, {}, {"ca.crt": clients.root().pem, "ca.crl": b"hunter2"}])
async def test_a_host_whose_authorities_cannot_be_used_is_closed_and_no_other(
    receiver: Receiver, broken: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    bad = Material("trust:ns/bad", broken)
    hosts = {"bad.shop": HostTls(trust=bad.key), "good.shop": ASKS}
    receiver.change(Snapshot(), serving(hosts, CA, bad), full=True)
    assert list(receiver.gateway.client_trust) == ["good.shop"]
    assert chosen(receiver, "bad.shop") is None
    assert chosen(receiver, "good.shop") is not None
    assert "hunter2" not in caplog.text
    assert "cannot be used" in caplog.text
    caplog.clear()
    receiver.change(serving(hosts, CA, bad), serving(hosts, CA, replace(bad, values=CA.values)))
    assert set(receiver.gateway.client_trust) == {"good.shop", "bad.shop"}


async def test_without_any_certificate_a_host_that_asks_is_closed(receiver: Receiver) -> None:
    bare = replace(serving({"a.shop": ASKS}, CA), certificates={}, default_certificate="", server_names={})
    receiver.change(Snapshot(), bare, full=True)
    assert receiver.gateway.client_trust == {}


async def test_a_host_with_ciphers_of_its_own(receiver: Receiver) -> None:
    hosts = {"*.shop": HostTls(ciphers=CHACHA), "plain.shop": None}
    receiver.change(Snapshot(), serving(hosts), full=True)
    choose = receiver.switch.names.choose
    assert receiver.gateway.hellos is None
    assert ciphers(choose("a.shop")) == {"ECDHE-ECDSA-CHACHA20-POLY1305"}
    assert len(ciphers(choose("plain.shop"))) > 1
    assert len(ciphers(choose("elsewhere.test"))) > 1
    receiver.change(serving(hosts), serving(dict.fromkeys(hosts)))
    assert len(ciphers(choose("a.shop"))) == 1  # for who holds on to it
    assert len(ciphers(receiver.switch.names.choose("a.shop"))) > 1


async def test_a_host_with_an_order_of_its_own_begins_with_its_own_context(receiver: Receiver) -> None:
    receiver.change(Snapshot(), serving({"a.shop": HostTls(prefers_server_order=False), "b.shop": None}), full=True)
    choice = chosen(receiver, "a.shop")
    assert isinstance(choice, ssl.SSLContext)
    assert not choice.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert chosen(receiver, "b.shop") is None
    assert receiver.listener.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    same = serving({"a.shop": HostTls(prefers_server_order=True), "b.shop": None})
    receiver.change(serving({"a.shop": HostTls(prefers_server_order=False), "b.shop": None}), same)
    assert receiver.gateway.hellos is None


async def test_ciphers_that_openssl_refuses_cost_nobody_else(receiver: Receiver) -> None:
    hosts = {"a.shop": HostTls(ciphers="NONSENSE"), "b.shop": HostTls(ciphers=CHACHA)}
    receiver.change(Snapshot(), serving(hosts), full=True)
    assert len(ciphers(receiver.switch.names.choose("a.shop"))) > 1
    assert len(ciphers(receiver.switch.names.choose("b.shop"))) == 1


def passing(*ports: int) -> Snapshot:
    endpoints = tuple(Endpoint("10.0.0.9", port) for port in ports)
    backend = Backend(PASSED, "default", "passed", "443", endpoints)
    return replace(serving({"p.shop": HostTls(passthrough=PASSED)}), backends={PASSED: backend})


async def test_passed_through_to_the_endpoint_of_the_moment(receiver: Receiver) -> None:
    def target() -> tuple[str, int]:
        choice = chosen(receiver, "p.shop")
        assert isinstance(choice, PassThrough)
        return choice.address, choice.port

    receiver.change(Snapshot(), passing(443), full=True)
    assert target() == ("10.0.0.9", 443)
    receiver.change(passing(443), passing(444))
    assert target() == ("10.0.0.9", 444)
    receiver.change(passing(444), passing())
    assert target() == ("", 0)
    receiver.change(Snapshot(), passing(445), full=True)
    assert target() == ("10.0.0.9", 445)


async def test_many_contexts_are_made_with_requests_in_between(receiver: Receiver) -> None:
    many = {f"h{number}.shop": HostTls(trust=CA.key, verify_depth=number) for number in range(20)}
    assert await receiver.change_in_steps(Snapshot(), serving(many, CA), full=True) >= 20
    assert len(receiver.gateway.client_trust) == 20


async def test_an_abandoned_change_leaves_hosts_as_they_were(receiver: Receiver) -> None:
    first = serving({"a.shop": ASKS}, CA)
    receiver.change(Snapshot(), first, full=True)
    before = receiver.gateway.hellos
    receiver.change(first, serving({"b.shop": ASKS}, CA), pieces=-1)
    receiver.builder.abandon()
    receiver.change(first, replace(first, backends={"x": Backend("x", "default", "x", "80")}))
    assert receiver.gateway.hellos is before
    receiver.change(first, serving({"b.shop": ASKS}, CA))
    assert list(receiver.gateway.client_trust) == ["b.shop"]


# ── what holds for everybody ──


def everybody(policies: GlobalPolicies) -> Snapshot:
    return replace(serving({"a.shop": None}, others=["b.test"]), policies=policies)


async def test_limits_are_those_of_the_command_line_until_a_configmap_says_otherwise(receiver: Receiver) -> None:
    gateway = receiver.gateway
    said = gateway.limits
    receiver.change(Snapshot(), everybody(GlobalPolicies()), full=True)
    assert gateway.limits == said
    given = GlobalPolicies(limits=ClientLimits(keep_alive_s=5.0, upstream_idle_per_endpoint=3))
    receiver.change(everybody(GlobalPolicies()), everybody(given))
    assert gateway.limits == replace(said, keep_alive_s=5.0, upstream_idle_per_endpoint=3)
    assert receiver.pool.max_idle_per_endpoint == 3
    receiver.change(everybody(given), everybody(GlobalPolicies()))
    assert gateway.limits == said
    assert receiver.pool.max_idle_per_endpoint == said.upstream_idle_per_endpoint


async def test_nothing_is_put_to_use_before_the_commit(receiver: Receiver) -> None:
    gateway = receiver.gateway
    receiver.change(Snapshot(), everybody(GlobalPolicies()), full=True)
    given = GlobalPolicies(
        forwarding=Forwarding(client_from_header=True),
        relays=("10.0.0.0/8",),
        relay_header_s=2.0,
        keeps_request_id=False,
    )
    receiver.change(everybody(GlobalPolicies()), everybody(given), pieces=-1)
    assert (gateway.forwarding, gateway.relays, gateway.keeps_request_id) == (None, None, True)
    receiver.builder.abandon()
    receiver.change(everybody(GlobalPolicies()), everybody(given))
    assert gateway.forwarding is not None
    assert gateway.forwarding.settings == given.forwarding
    relays = gateway.relays
    assert relays is not None
    assert (relays.header_s, gateway.keeps_request_id) == (2.0, False)
    asked = ("10.1.2.3", "192.0.2.1", "::ffff:10.0.0.1", "unknown")
    assert [relays.trusts(address) for address in asked] == [True, False, True, False]
    rules = gateway.forwarding
    receiver.change(Snapshot(), everybody(given), full=True)
    assert gateway.forwarding is rules  # with what it remembers
    receiver.change(everybody(given), everybody(GlobalPolicies()))
    assert [gateway.forwarding, gateway.relays] == [None, None]


async def test_the_access_log(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    log = receiver.gateway.log
    shown = GlobalPolicies(log=LogFormat(template="$status", skip_targets=("/healthz", "~^/x", "~*^/Y", "~(")))
    receiver.change(Snapshot(), everybody(shown), full=True)
    choice = log._choice
    assert choice is not None
    logged = [choice.is_logged(target) for target in ("/healthz", "/x/1", "/X/1", "/y", "/z")]
    assert logged == [False, False, True, False, True]
    assert "skip-access-log-urls" in caplog.text
    formats = [log.format]
    bad = GlobalPolicies(log=LogFormat(template="$nonsense"))
    receiver.change(everybody(shown), everybody(bad))
    formats.append(log.format)
    assert [each is None for each in formats] == [False, True]
    assert "$nonsense" in caplog.text


async def test_tls_parameters_are_everywhere(receiver: Receiver) -> None:
    strict = ListenerTls(ciphers=CHACHA, protocols=("TLSv1.2",), prefers_server_order=False)
    before = everybody(GlobalPolicies())
    receiver.change(Snapshot(), before, full=True)
    assert receiver.listener.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    shown = receiver.switch.names.choose("a.shop")
    receiver.change(before, everybody(GlobalPolicies(tls=strict)))
    assert ciphers(receiver.listener) == ciphers(receiver.switch.names.choose("a.shop")) == {
        "ECDHE-ECDSA-CHACHA20-POLY1305"
    }  # fmt: skip
    assert receiver.listener.maximum_version is ssl.TLSVersion.TLSv1_2
    assert not receiver.listener.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    receiver.change(everybody(GlobalPolicies(tls=strict)), before)
    assert ciphers(receiver.listener) == ciphers(shown)
    assert receiver.listener.minimum_version is TlsParameters().minimum_version
    same = receiver.switch.names.choose("a.shop")
    receiver.change(before, everybody(GlobalPolicies(keeps_request_id=False)))
    assert receiver.switch.names.choose("a.shop") is same


async def test_unknown_names_are_rejected_and_known_hosts_get_the_default_certificate(receiver: Receiver) -> None:
    rejecting = everybody(GlobalPolicies(tls=ListenerTls(rejects_unknown_names=True)))
    receiver.change(Snapshot(), rejecting, full=True)
    choose = receiver.switch.names.choose
    assert choose("B.test.") is choose("b.test") is not None
    assert choose("any.shop") is not None
    assert choose("nobody.test") is None
    assert choose(None) is None
    more = replace(rejecting, hosts={**rejecting.hosts, "*.new.test": VirtualHost("*.new.test")})
    receiver.change(rejecting, more)
    assert receiver.switch.names.choose("a.new.test") is not None
    receiver.change(more, rejecting)
    assert receiver.switch.names.choose("a.new.test") is None


async def test_networks_that_are_none_change_nothing(receiver: Receiver) -> None:
    before = everybody(GlobalPolicies())
    receiver.change(Snapshot(), before, full=True)
    with pytest.raises(ValueError, match="nonsense"):
        receiver.change(before, everybody(GlobalPolicies(relays=("nonsense",))))
    receiver.builder.abandon()
    assert receiver.gateway.relays is None
    assert receiver.builder._everybody.next_policies == GlobalPolicies()
