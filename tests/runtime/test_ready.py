"""The ready line, to the letter and once."""

import os
import signal
import socket
import subprocess
import sys

from tests.runtime.conftest import HOST, Shop
from tests.support import sites
from tests.support.daemon import CHECKOUT, READY, READY_S, Daemon, clean_environment
from tests.support.eventually import eventually
from tests.support.fetch import fetch


def test_exactly_one_line_on_standard_output(shop: Shop) -> None:
    with Daemon(*shop.flags, "--access-log=off") as daemon:
        shop.add_host("more.example")
        eventually(lambda: daemon.get("/", host="more.example").status == 200)
        old = daemon.control
        os.kill(old, signal.SIGKILL)
        eventually(lambda: daemon.control != old and daemon.is_ready())
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.stop() == 0

        ports = {"http": daemon.http_port, "https": daemon.https_port, "admin": daemon.admin_port}
        said = " ".join(f"{name}=127.0.0.1:{port}" for name, port in ports.items())
        assert list(daemon.stdout) == [f"ingressd ready {said} workers=2 routes=1"]


def test_it_is_true_when_it_is_said(shop: Shop) -> None:
    shop.write(sites.ingress("more", {f"h{number}.example": {"/": "web", "/a": "web"} for number in range(50)}))
    with Daemon(*shop.flags, "--workers=4", wait_until_ready=False) as daemon:
        line = daemon.await_ready()

        answers = [daemon.get("/a/b", host=f"h{number}.example").status for number in range(50)]
        assert answers == [200] * 50
        assert daemon.is_ready()
        said = READY.fullmatch(line)
        assert said is not None
        assert said.groups()[6:] == ("4", "101")


def test_flags_from_the_environment(shop: Shop) -> None:
    environment = {"INGRESSD_MANIFESTS": str(shop.directory), "INGRESSD_INGRESS_CLASS": "ingressd"}
    with Daemon(environment=environment, wait_until_ready=False) as daemon:
        assert daemon.await_ready().endswith("workers=2 routes=1")


def test_nothing_to_serve_is_served(shop: Shop) -> None:
    for file in shop.directory.iterdir():
        file.unlink()
    with Daemon(*shop.flags) as daemon:
        answer = daemon.get("/", host=HOST)
        assert (answer.status, answer.headers["content-length"]) == (404, str(len(answer.body)))
        assert daemon.get("/", host=HOST, scheme="https").status == 404


def test_every_address_of_both_families(shop: Shop) -> None:
    with Daemon(*shop.flags, "--bind-address=", "--admin-address=", wait_until_ready=False) as daemon:
        line = daemon.await_ready()

        assert line.count("=0.0.0.0:") == 3
        for address in ("127.0.0.1", "::1"):
            for port in (daemon.http_port, daemon.https_port, daemon.admin_port):
                socket.create_connection((address, port), timeout=10).close()


def test_started_with_its_standard_streams_closed(shop: Shop) -> None:
    """Descriptors 0 to 2 are free then; no socket may come to lie where the access log is written."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        http, admin = first.getsockname()[1], second.getsockname()[1]
    ports = (f"--http-port={http}", "--https-port=0", f"--healthz-port={admin}")
    addresses = ("--bind-address=127.0.0.1", "--admin-address=127.0.0.1")
    command = [sys.executable, "-m", "ingressd", *shop.flags, *ports, *addresses, "--workers=2"]
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    with subprocess.Popen(closed, cwd=CHECKOUT, env=clean_environment()) as process:
        try:
            eventually(lambda: fetch(admin, "/readyz").status == 200, within_s=READY_S)
            answers = [fetch(http, "/", HOST) for _ in range(20)]
        finally:
            process.terminate()
        assert [answer.status for answer in answers] == [200] * 20
        assert process.wait(20) == 0


def test_whoever_read_its_output_may_go(shop: Shop) -> None:
    with Daemon(*shop.flags) as daemon:
        daemon.stdout.abandon()

        def drops_lines() -> bool:
            # The pipe is there until a read that had begun returns: the first lines may still go into it.
            assert {daemon.get("/", host=HOST).status for _ in range(10)} == {200}
            return daemon.metrics().sum("ingressd_access_log_dropped_lines_total") > 0

        eventually(drops_lines)
        assert daemon.admin("/healthz").status == 200


def test_without_uvloop(shop: Shop) -> None:
    with Daemon(*shop.flags, patch='import sys\nsys.modules["uvloop"] = None') as daemon:
        assert {daemon.get("/", host=HOST, scheme=scheme).status for scheme in ("http", "https") * 4} == {200}
        workers, control = daemon.workers, daemon.control
        os.killpg(daemon.process.pid, signal.SIGHUP)
        shop.add_host("more.example")
        eventually(lambda: {daemon.get("/", host="more.example").status for _ in range(6)} == {200})
        assert (daemon.workers, daemon.control) == (workers, control)
        os.kill(workers[0], signal.SIGKILL)
        eventually(lambda: daemon.workers.get(0, workers[0]) != workers[0] and len(daemon.workers) == 2)
        assert {daemon.get("/", host=HOST, scheme=scheme).status for scheme in ("http", "https") * 4} == {200}
        assert "Traceback" not in daemon.log
