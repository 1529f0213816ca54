"""What becomes of clients when workers die, and of workers that are ill."""

import os
import signal
from pathlib import Path

import pytest

from tests.runtime.conftest import HOST, Shop
from tests.support.daemon import Daemon
from tests.support.eventually import eventually, soon
from tests.support.fetch import Client
from tests.support.load import Aim, Load

SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])
QUICK_TO_JUDGE = """
import ingressd.runtime.links, ingressd.runtime.supervisor
ingressd.runtime.links.BEAT_S = 0.2
ingressd.runtime.supervisor.WORKER_HANG_S = 3.0
"""


def spread(daemon: Daemon, count: int = 24) -> dict[int, list[Client]]:
    """Connections by the worker that accepted them; every worker has some."""
    clients = [daemon.connect(HOST) for _ in range(count)]
    owners = [eventually(lambda client=client: daemon.worker_of(client)) for client in clients]  # type: ignore[misc]
    owned: dict[int, list[Client]] = {pid: [] for pid in daemon.workers.values()}
    for owner, client in zip(owners, clients, strict=True):
        assert owner is not None
        owned[owner].append(client)
    assert all(owned.values())
    return owned


def replaced(daemon: Daemon, *old: int) -> bool:
    """Whether all workers are there and serve, none of them an old one."""
    workers = daemon.workers
    return len(workers) == 2 and not set(old) & set(workers.values()) and daemon.admin("/healthz").status == 200


def close(*clients: Client) -> None:
    for client in clients:
        client.close()


def test_the_death_of_a_worker_concerns_its_own_connections_alone(daemon: Daemon) -> None:
    victim, other = daemon.workers.values()
    kept = spread(daemon)

    os.kill(victim, signal.SIGKILL)

    eventually(lambda: replaced(daemon, victim))
    for client in kept[other]:
        assert client.fetch("/").status == 200
    for client in kept[victim]:
        with pytest.raises(ConnectionError):
            client.fetch("/")
    close(*kept[other], *kept[victim])
    assert "was ended by SIGKILL" in daemon.log
    assert other in daemon.workers.values()


def test_connections_in_the_queue_of_a_dead_worker_are_served(daemon: Daemon) -> None:
    victim, other = daemon.workers.values()
    os.kill(victim, signal.SIGSTOP)
    clients = [daemon.connect(HOST) for _ in range(24)]
    for number, client in enumerate(clients):
        client.send(f"/{number}")
    eventually(lambda: {daemon.worker_of(client) for client in clients} == {None, other})

    os.kill(victim, signal.SIGKILL)

    answers = [client.receive() for client in clients]
    assert [answer.status for answer in answers] == [200] * 24
    assert [answer.json()["target"] for answer in answers] == [f"/{number}" for number in range(24)]
    close(*clients)


async def test_under_load_a_worker_is_replaced_and_others_notice_nothing(daemon: Daemon, shop: Shop) -> None:
    aims = [
        Aim(daemon.http_port, HOST),
        Aim(daemon.https_port, HOST, tls=shop.authority.client_context()),
    ]
    async with Load(aims, clients=12, pause_s=0.02) as load:
        await load.more(100)
        victim = daemon.workers[0]

        os.kill(victim, signal.SIGKILL)

        await soon(lambda: replaced(daemon, victim))
        await load.more(60)  # every client has come to notice by now
        # One request of each connection of that worker at most, and none of a connection made later.
        failures = len(load.tally.failures)
        assert failures <= 12
        load.tally.failures.clear()
        await load.more(300)
        assert load.tally.failures == []


def test_workers_that_die_over_and_over_come_back(daemon: Daemon) -> None:
    for _ in range(3):
        old = daemon.workers
        for pid in old.values():
            os.kill(pid, signal.SIGKILL)
        eventually(lambda old=old: replaced(daemon, *old.values()))  # type: ignore[misc]

    assert {daemon.get("/", host=HOST).status for _ in range(8)} == {200}
    assert daemon.is_ready()


def test_no_process_to_be_had_ends_nothing(shop: Shop, tmp_path: Path) -> None:
    """The kernel's limits of processes and memory are others' to use up; what runs serves on, and it is tried again."""
    full = tmp_path / "full"
    with Daemon(*shop.flags, patch=_FULL.format(str(full))) as daemon:
        old = daemon.workers
        full.touch()
        os.kill(old[1], signal.SIGKILL)
        daemon.stderr.wait_for(lambda line: "worker-1 cannot be started: Resource temporarily unavailable" in line)
        client = eventually(lambda: accepted_by(daemon, old[0]))
        assert client.fetch("/").status == 200
        client.close()

        full.unlink()

        eventually(lambda: replaced(daemon, old[1]))
        assert daemon.workers[0] == old[0]


_FULL = """
import errno, os, pathlib
def fork(fork=os.fork, full=pathlib.Path({!r})):
    if full.exists():
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()
os.fork = fork
"""


def accepted_by(daemon: Daemon, worker: int) -> Client | None:
    client = daemon.connect(HOST)
    if daemon.worker_of(client) == worker:
        return client
    client.close()
    return None


def test_a_worker_that_hangs_is_replaced(shop: Shop) -> None:
    with Daemon(*shop.flags, patch=QUICK_TO_JUDGE) as daemon:
        victim, other = daemon.workers.values()
        os.kill(victim, signal.SIGSTOP)
        clients = [daemon.connect(HOST) for _ in range(12)]
        for client in clients:
            client.send("/")

        assert [client.receive().status for client in clients] == [200] * 12
        close(*clients)
        eventually(lambda: replaced(daemon, victim))
        assert other in daemon.workers.values()
        assert "has not answered for 3 s" in daemon.log


def test_a_signal_to_the_whole_group_is_the_supervisors_to_obey(daemon: Daemon) -> None:
    """Service managers and `timeout` signal every process; the order in which things end is the supervisor's."""
    before = daemon.workers
    kept = spread(daemon)
    for pid in (*before.values(), daemon.control):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(pid, number)

    for client in (client for clients in kept.values() for client in clients):
        assert client.fetch("/").status == 200
        client.close()
    assert {daemon.get("/", host=HOST).status for _ in range(8)} == {200}
    assert daemon.workers == before
    os.killpg(daemon.process.pid, signal.SIGTERM)
    assert daemon.wait() == 0
    assert "Traceback" not in daemon.log


@SCHEMES
def test_a_replacement_serves_tls_as_well(daemon: Daemon, shop: Shop, scheme: str) -> None:
    old = daemon.workers
    os.kill(old[1], signal.SIGKILL)
    eventually(lambda: replaced(daemon, old[1]))

    answers = [daemon.get("/", host=HOST, scheme=scheme) for _ in range(8)]

    assert {answer.status for answer in answers} == {200}
    assert {answer.certificate for answer in answers} <= {shop.pair.der, b""}


def test_a_worker_is_small(daemon: Daemon) -> None:
    for _ in range(20):
        daemon.get("/", host=HOST, scheme="https")

    for pid in daemon.workers.values():
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        assert pages * os.sysconf("SC_PAGE_SIZE") < 60 << 20
