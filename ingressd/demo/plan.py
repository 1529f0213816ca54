"""What the demo consists of: which services with how many endpoints, in which files, and how to meet them."""

import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingressd.demo import certificates, samples

PLAIN_HOST = "shop.example"
TLS_HOST = "cafe.example"
ENDPOINTS = {"offers": 2, "menu": 2, "welcome": 3}
"""Services and how many endpoints each has."""

BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Backend:
    """One endpoint: a socket that listens already, so that its address is known and nobody is refused."""

    service: str
    listener: socket.socket = field(repr=False)

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """Files written to ``directory`` and the backends they name. ``authority`` is the certificate to trust."""

    directory: Path
    authority: Path
    backends: tuple[Backend, ...]

    def close(self) -> None:
        """Close the listening sockets in this process (another that serves them keeps its own)."""
        for backend in self.backends:
            backend.listener.close()

    def commands(self, http_port: int, https_port: int) -> tuple[str, ...]:
        """Lines for a shell, given the ports on which the daemon really listens."""
        plain = f"curl -H 'Host: {PLAIN_HOST}' http://127.0.0.1:{http_port}"
        trust = f"--cacert {shlex.quote(str(self.authority))}"
        tls = f"curl --resolve {TLS_HOST}:{https_port}:127.0.0.1 {trust} https://{TLS_HOST}:{https_port}"
        return (f"{plain}/offers", f"{plain}/menu/today", f"{plain}/", f"{tls}/", f"{tls}/menu")

    def instructions(self, http_port: int, https_port: int) -> str:
        """What to tell the person at the terminal, given the ports on which the daemon really listens."""
        services = ", ".join(f"{service} ({count} endpoints)" for service, count in ENDPOINTS.items())
        return "\n".join(
            (
                f"Sample backends on loopback: {services}",
                f"Sample manifests:            {self.directory}",
                "",
                "Try:",
                *(f"  {command}" for command in self.commands(http_port, https_port)),
                "",
                "Ask again, and another endpoint answers. Then change something while it runs, a path say:",
                f"  {self.directory / samples.ROUTES_FILE}",
                "It is live within a second. Ctrl-C ends the demo.",
            )
        )


def prepare(directory: Path, *, http_port: int, https_port: int) -> DemoPlan:
    """Open the backends' sockets and write the manifests that name them; the ports only stand in comments.

    Files of an earlier demo are used again: routes and services as they were edited, endpoints and certificates anew.
    Raises FileExistsError, before anything is written, when a file of another origin is in the way.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    samples.check_free(directory)
    backends = tuple(_listen(service) for service, count in ENDPOINTS.items() for _ in range(count))
    try:
        pair = certificates.issue((TLS_HOST,))
        authority = samples.write(directory, _texts(backends, pair, http_port, https_port), pair)
    except BaseException:
        for backend in backends:
            backend.listener.close()
        raise
    return DemoPlan(directory, authority, backends)


def _texts(
    backends: tuple[Backend, ...], pair: certificates.IssuedPair, http_port: int, https_port: int
) -> Mapping[str, str]:
    ports = {service: tuple(one.port for one in backends if one.service == service) for service in ENDPOINTS}
    return {
        samples.ROUTES_FILE: samples.routes(PLAIN_HOST, TLS_HOST, http_port, https_port),
        samples.SERVICES_FILE: samples.services(tuple(ENDPOINTS)),
        samples.ENDPOINTS_FILE: samples.endpoints(ports),
        samples.TLS_FILE: samples.tls_secret(pair),
    }


def _listen(service: str) -> Backend:
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    return Backend(service, listener)
