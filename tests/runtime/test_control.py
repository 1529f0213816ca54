"""The control process and the supervisor are killed: what goes on, what comes back, what ends."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.runtime.conftest import HOST, Shop
from tests.support.api_objects import config_map, namespace
from tests.support.apiserver.harness import ApiServer
from tests.support.daemon import Daemon
from tests.support.eventually import eventually, soon
from tests.support.load import Aim, Load


def is_back(daemon: Daemon, old: int) -> bool:
    return daemon.control != old and daemon.is_ready()


async def test_traffic_goes_on_without_a_control_process(daemon: Daemon, shop: Shop) -> None:
    aims = [Aim(daemon.http_port, HOST), Aim(daemon.https_port, HOST, tls=shop.authority.client_context())]
    async with Load(aims, clients=8, pause_s=0.02) as load:
        for number in range(2):
            old, workers = daemon.control, daemon.workers

            os.kill(old, signal.SIGKILL)
            shop.add_host(f"written-meanwhile-{number}.example")

            await soon(lambda old=old: is_back(daemon, old))  # type: ignore[misc]
            assert daemon.workers == workers
            assert daemon.get("/", host=f"written-meanwhile-{number}.example").status == 200
        await load.more(100)
    assert load.tally.failures == []
    assert daemon.stdout.text.count("ingressd ready") == 1


def test_a_new_control_process_hears_of_changes(daemon: Daemon, shop: Shop) -> None:
    old = daemon.control
    os.kill(old, signal.SIGKILL)
    eventually(lambda: is_back(daemon, old))

    shop.add_host("later.example")
    eventually(lambda: {daemon.get("/", host="later.example").status for _ in range(6)} == {200})
    (shop.directory / "ingress-later.json").unlink()
    eventually(lambda: {daemon.get("/", host="later.example").status for _ in range(6)} == {404})


def test_control_process_and_worker_die_together(daemon: Daemon) -> None:
    control, workers = daemon.control, daemon.workers

    for pid in (control, *workers.values()):
        os.kill(pid, signal.SIGKILL)

    assert {daemon.get("/", host=HOST).status for _ in range(6)} == {200}  # they waited in the queue
    eventually(lambda: is_back(daemon, control))
    assert not set(daemon.workers.values()) & set(workers.values())


def test_without_a_supervisor_everything_ends(daemon: Daemon) -> None:
    client = daemon.connect(HOST)
    assert client.fetch("/").status == 200

    os.kill(daemon.supervisor, signal.SIGKILL)

    assert daemon.wait() == -signal.SIGKILL
    eventually(lambda: not daemon.processes())
    client.close()
    assert daemon.log.count("the supervisor is gone") >= 1


@pytest.mark.parametrize(("patch", "culprit"), [("_BROKEN_CONTROL", "control"), ("_BROKEN_WORKER", "worker-")])
def test_a_process_that_cannot_start_ends_the_daemon(shop: Shop, patch: str, culprit: str) -> None:
    with Daemon(*shop.flags, wait_until_ready=False, patch=globals()[patch]) as daemon:
        assert daemon.wait() == 1
        assert daemon.log.splitlines()[-1].startswith(f"ingressd: a process ({culprit}")
        assert "keeps failing at start" in daemon.log


_BROKEN_CONTROL = """
import sys, types
sys.modules["ingressd.runtime.control"] = types.ModuleType("control")
"""
_BROKEN_WORKER = """
import ingressd.runtime.children
ingressd.runtime.children.worker_main = lambda *_: 3
"""


def test_memory_that_workers_share_is_missed_in_one_line(shop: Shop) -> None:
    with Daemon(*shop.flags, wait_until_ready=False, patch=_NO_MEMORY_FILE) as daemon:
        assert daemon.wait() == 1
        why = "the kernel gives no memory for limits that workers share (memfd_create): Function not implemented"
        assert daemon.log == f"ingressd: {why}"


_NO_MEMORY_FILE = """
import errno, os
def memfd_create(name, flags):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
os.memfd_create = memfd_create
"""


def test_credentials_that_break_later_do_not_end_what_is_served(shop: Shop, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    with ApiServer() as api:
        for file in shop.directory.iterdir():
            api.apply(json.loads(file.read_text()))
        good = api.kubeconfig.read_text()
        kubeconfig.write_text(good)
        with Daemon("--kubeconfig", str(kubeconfig), "--allow-loopback-endpoints") as daemon:
            workers = daemon.workers
            kubeconfig.write_text("no such thing")
            old = daemon.control
            os.kill(old, signal.SIGKILL)

            daemon.stderr.wait_for(lambda line: "no control process: kubeconfig" in line)
            assert {daemon.get("/", host=HOST).status for _ in range(6)} == {200}

            kubeconfig.write_text(good)
            eventually(lambda: is_back(daemon, old), within_s=20.0)
            assert daemon.workers == workers


def test_headers_that_the_config_map_names_are_read_wherever_they_are(shop: Shop) -> None:
    """With one namespace watched, both ConfigMaps are outside of it."""
    with ApiServer() as api:
        for file in shop.directory.iterdir():
            api.apply(json.loads(file.read_text()))
        api.create(namespace("ingress"))
        api.create(config_map("controller", "ingress", **{"add-headers": "ingress/headers"}))
        api.create(config_map("headers", "ingress", **{"X-Set": "by us"}))
        flags = ("--watch-namespace=default", "--configmap=ingress/controller", "--allow-loopback-endpoints")
        with Daemon("--kubeconfig", str(api.kubeconfig), *flags) as daemon:
            assert daemon.get("/", host=HOST).headers.get("x-set") == "by us"  # from the first request on

            api.apply(config_map("headers", "ingress", **{"X-Set": "anew"}))
            eventually(lambda: daemon.get("/", host=HOST).headers.get("x-set") == "anew")

            eventually(lambda: "ConfigMapNotFound" not in {one["reason"] for one in daemon.api("findings")})
