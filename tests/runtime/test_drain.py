"""The end, as SIGTERM begins it: who is still served, who is told to leave, and when it is over."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.runtime.conftest import HOST, Shop
from tests.support import sites
from tests.support.daemon import Daemon
from tests.support.eventually import eventually
from tests.support.pods import Pod, Pods

LONG_S = 600
SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


@pytest.fixture
def slow(pods: Pods) -> Iterator[Pod]:
    """A pod whose /hold waits for the test."""
    [pod] = pods.start("slow")
    yield pod
    pods.stop(pod)


@pytest.fixture
def slow_shop(shop: Shop, slow: Pod) -> Shop:
    shop.write(
        sites.ingress("slow", {"slow.example": {"/": "slow"}}), sites.service("slow"), sites.endpoints("slow", [slow])
    )
    return shop


def websocket(daemon: Daemon) -> ClientConnection:
    plain = socket.create_connection(("127.0.0.1", daemon.http_port), timeout=10)
    return connect(f"ws://{HOST}/chat", sock=plain, proxy=None)


def refuses(daemon: Daemon) -> bool:
    try:
        daemon.connect(HOST).close()
    except ConnectionRefusedError:
        return True
    return False


@SCHEMES
def test_what_is_open_is_finished(slow_shop: Shop, pods: Pods, slow: Pod, scheme: str) -> None:
    with Daemon(*slow_shop.flags) as daemon:
        held = [daemon.connect("slow.example", scheme=scheme) for _ in range(6)]
        for client in held:
            client.send("/hold")
        eventually(lambda: slow.held == 6)
        idle = daemon.connect(HOST)
        assert idle.fetch("/").status == 200

        daemon.process.send_signal(signal.SIGTERM)

        last = idle.fetch("/")  # it might have been on its way already: answered, and told that it was the last
        assert last.status == 200
        eventually(lambda: refuses(daemon))
        assert daemon.admin("/readyz").status == 503
        pods.release(slow)
        answers = [client.receive() for client in held]
        assert [answer.status for answer in answers] == [200] * 6
        assert {answer.headers.get("connection") for answer in answers} == {"close"}
        assert daemon.wait() == 0
        for client in (*held, idle):
            client.close()


@pytest.mark.parametrize(("flags", "for_s"), [((), 77), (("--drain-timeout=5",), 5)])
def test_the_config_map_says_how_long_unless_the_flag_does(shop: Shop, flags: tuple[str, ...], for_s: int) -> None:
    shop.write(_controller({"worker-shutdown-timeout": "77s"}))
    with Daemon(*shop.flags, "--configmap=default/controller", *flags) as daemon:
        daemon.process.send_signal(signal.SIGTERM)
        daemon.stderr.wait_for(lambda line: f"open exchanges have {for_s} s to finish" in line)
        assert daemon.wait() == 0


def test_it_may_change_its_mind_and_say_nothing(shop: Shop) -> None:
    """What was said last holds, also when that is nothing: the key is gone, and with it the half second."""
    shop.write(_controller({"worker-shutdown-timeout": "500ms", "keep-alive": "10"}))
    with Daemon(*shop.flags, "--configmap=default/controller") as daemon:
        shop.write(_controller({"keep-alive": "20"}))
        eventually(lambda: daemon.status()["served_generation"] == 2)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.stderr.wait_for(lambda line: "open exchanges have 30 s to finish" in line)
        assert daemon.wait() == 0


def _controller(data: dict[str, str]) -> sites.Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "controller"}, "data": data}


def test_a_websocket_goes_on_until_its_ends_close_it(shop: Shop) -> None:
    with Daemon(*shop.flags) as daemon:
        with websocket(daemon) as chat:
            daemon.process.send_signal(signal.SIGTERM)
            eventually(lambda: refuses(daemon))

            chat.send("still there?")
            assert chat.recv(timeout=10) == "web: still there?"
        assert daemon.wait() == 0


def test_readiness_fails_first_and_traffic_is_served_through_the_grace_period(shop: Shop) -> None:
    with Daemon(*shop.flags, f"--shutdown-grace-period={LONG_S}") as daemon:
        kept = daemon.connect(HOST)
        assert kept.fetch("/").status == 200

        daemon.process.send_signal(signal.SIGTERM)

        eventually(lambda: daemon.admin("/readyz").status == 503)
        assert daemon.admin("/healthz").status == 200
        assert {daemon.get("/", host=HOST, scheme=scheme).status for scheme in ("http", "https") * 3} == {200}
        assert kept.fetch("/").status == 200
        kept.close()
        shop.add_host("new.example")
        eventually(lambda: daemon.get("/", host="new.example").status == 200)
        assert daemon.status()["draining"] is True
        assert daemon.stop() == 128 + signal.SIGTERM


def test_the_grace_period_ends(shop: Shop) -> None:
    with Daemon(*shop.flags, "--shutdown-grace-period=0.5") as daemon:
        assert daemon.stop() == 0


def test_who_does_not_finish_is_cut_off(slow_shop: Shop, slow: Pod) -> None:
    with Daemon(*slow_shop.flags, "--drain-timeout=0.5") as daemon:
        client = daemon.connect("slow.example")
        client.send("/hold")
        eventually(lambda: slow.held == 1)

        assert daemon.stop() == 0

        with pytest.raises(ConnectionError):
            client.receive()
        client.close()
        assert "cut off" in daemon.log
        assert '"target":"/hold"' in daemon.stdout.text  # and what was cut off is in the access log


def test_who_does_not_even_listen_is_killed(slow_shop: Shop) -> None:
    with Daemon(*slow_shop.flags, "--drain-timeout=0.2", patch=_IMPATIENT) as daemon:
        for pid in daemon.workers.values():
            os.kill(pid, signal.SIGSTOP)

        assert daemon.stop() == 0


_IMPATIENT = """
import ingressd.runtime.supervisor
ingressd.runtime.supervisor._CUT_OFF_S = 0.2
"""


def test_a_second_signal_ends_it_at_once(slow_shop: Shop, slow: Pod) -> None:
    with Daemon(*slow_shop.flags, f"--drain-timeout={LONG_S}") as daemon:
        client = daemon.connect("slow.example")
        client.send("/hold")
        eventually(lambda: slow.held == 1)
        daemon.process.send_signal(signal.SIGINT)
        eventually(lambda: refuses(daemon))

        assert daemon.stop() == 128 + signal.SIGTERM
        client.close()


def test_what_waits_in_the_queues_is_served(shop: Shop) -> None:
    """Connections a worker has not accepted when the order comes are not reset."""
    with Daemon(*shop.flags) as daemon:
        workers = daemon.workers.values()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        clients = [daemon.connect(HOST) for _ in range(20)]
        for client in clients:
            client.send("/")
        daemon.process.send_signal(signal.SIGTERM)
        eventually(lambda: daemon.admin("/readyz").status == 503)
        for pid in workers:
            os.kill(pid, signal.SIGCONT)

        assert [client.receive().status for client in clients] == [200] * 20
        for client in clients:
            client.close()
        assert daemon.wait() == 0


def test_a_worker_that_dies_meanwhile_does_not_stop_the_end(slow_shop: Shop, slow: Pod) -> None:
    with Daemon(*slow_shop.flags, f"--drain-timeout={LONG_S}") as daemon:
        clients = [daemon.connect("slow.example") for _ in range(12)]
        for client in clients:
            client.send("/hold")
        eventually(lambda: slow.held == 12)
        workers = daemon.workers
        daemon.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(daemon))

        for pid in workers.values():
            os.kill(pid, signal.SIGKILL)

        assert daemon.wait() == 0
        for client in clients:
            client.close()


def test_stopping_before_it_was_ready(shop: Shop) -> None:
    with Daemon(*shop.flags, wait_until_ready=False, patch=_NEVER_IN_SYNC) as daemon:
        eventually(lambda: len(daemon.processes()) == 4)

        assert daemon.stop() == 0
        assert "ingressd ready" not in daemon.stdout.text


_NEVER_IN_SYNC = """
import asyncio, ingressd.kube.manifests
ingressd.kube.manifests.ManifestSource.synced = lambda self: asyncio.Event().wait()
"""
