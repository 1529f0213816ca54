"""What cannot be compiled, or built by a worker, leaves what is served and is told; the next change is a new chance."""

from pathlib import Path

from tests.runtime.conftest import HOST, Shop
from tests.support import sites
from tests.support.daemon import Daemon
from tests.support.eventually import eventually

# Certificates that pass the check and that OpenSSL takes are all there are: so the failing part is played.
_SICK = """
import os, ingressd.runtime.building as building
real = building.certificate_context
def certificate_context(chain, key, **parameters):
    if os.path.exists({file!r}):
        raise MemoryError("no room for another context")
    return real(chain, key, **parameters)
building.certificate_context = certificate_context
"""


def test_what_a_worker_cannot_build_leaves_it_as_it_was(shop: Shop, tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    with Daemon(*shop.flags, patch=_SICK.format(file=str(sick))) as daemon:
        workers = daemon.workers
        sick.touch()
        pair = shop.authority.issue(HOST)
        shop.write(
            sites.ingress("new", {"new.example": {"/": "web"}}),
            sites.tls_secret("shop-tls", pair.chain_pem, pair.key_pem),
        )

        eventually(lambda: daemon.metrics().sum("ingressd_config_last_reload_successful") == 0)

        assert daemon.status()["last_reload_successful"] is False
        assert daemon.status()["served_generation"] == 1
        assert "cannot serve generation 2: MemoryError" in daemon.log
        answers = [daemon.get("/", host=HOST, scheme="https") for _ in range(6)]
        assert {(answer.status, answer.certificate) for answer in answers} == {(200, shop.pair.der)}
        assert daemon.get("/", host="new.example").status == 404

        sick.unlink()
        shop.add_host("newer.example")
        eventually(lambda: {daemon.get("/", host="newer.example").status for _ in range(6)} == {200})
        assert daemon.get("/", host="new.example").status == 200
        assert daemon.get("/", host=HOST, scheme="https").certificate == pair.der
        assert daemon.metrics().sum("ingressd_config_last_reload_successful") == 1
        assert daemon.workers == workers


# Compiling never raises, as far as we know: so a fault is played.
_FAULTY = """
import ingressd.runtime.configuration as configuration
real = configuration.compile_routes
def compile_routes(cluster, *rest, **more):
    if ("default", "poison") in cluster.ingresses:
        raise RuntimeError("no such luck")
    return real(cluster, *rest, **more)
configuration.compile_routes = compile_routes
"""


def test_what_cannot_be_compiled_leaves_what_is_served(shop: Shop) -> None:
    with Daemon(*shop.flags, patch=_FAULTY) as daemon:
        shop.add_host("poison.example")

        eventually(lambda: daemon.metrics().sum("ingressd_config_last_reload_successful") == 0)

        assert daemon.status()["last_reload_successful"] is False
        eventually(lambda: "RuntimeError: no such luck" in daemon.log)
        assert daemon.get("/", host=HOST).status == 200
        [poison] = shop.directory.glob("*poison*")
        poison.unlink()
        eventually(lambda: daemon.metrics().sum("ingressd_config_last_reload_successful") == 1)
        assert daemon.status()["last_reload_successful"] is True
        assert daemon.status()["generation"] == 1
