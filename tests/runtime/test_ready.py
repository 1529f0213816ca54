"""The ready line, to the letter and once."""

import os
import signal

from tests.runtime.conftest import HOST, Shop
from tests.support import sites
from tests.support.daemon import READY, Daemon
from tests.support.eventually import eventually


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
