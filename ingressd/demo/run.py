"""``ingressd demo``: the sample backends in a child of their own, the ordinary daemon over the sample manifests."""

import os
import signal
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from ingressd.demo.backends import serve_backends
from ingressd.demo.plan import DemoPlan, prepare
from ingressd.errors import StartError
from ingressd.runtime.supervisor import run
from ingressd.settings import RoutingSettings, Settings, SourceSettings

_LOOPBACK = "127.0.0.1"


def run_demo(directory: Path | None, http_port: int, https_port: int, admin_port: int, workers: int) -> int:
    """Serve the sample until told to stop; returns the daemon's exit code. A port that is taken is replaced.

    Raises:
        StartError: the directory holds files that are not a demo's, or cannot be written.
    """
    http_port, https_port, admin_port = (_or_free(port) for port in (http_port, https_port, admin_port))
    folder = directory or Path(tempfile.mkdtemp(prefix="ingressd-demo-"))
    try:
        plan = prepare(folder, http_port=http_port, https_port=https_port)
    except OSError as error:
        raise StartError(f"demo directory {folder}: {error.strerror or error}") from None
    backends = _start_backends(plan)
    plan.close()

    def tell(http: int, https: int) -> None:
        sys.stdout.write("\n" + plan.instructions(http, https) + "\n")
        sys.stdout.flush()

    try:
        return run(_settings(folder, http_port, https_port, admin_port, workers), on_ready=tell)
    finally:
        with suppress(ProcessLookupError):  # a signal to the whole group has ended them already
            os.kill(backends, signal.SIGKILL)


def _settings(folder: Path, http_port: int, https_port: int, admin_port: int, workers: int) -> Settings:
    return Settings(
        source=SourceSettings(kind="manifests", manifests=(folder,)),
        routing=RoutingSettings(allow_loopback_endpoints=True),
        bind_address=_LOOPBACK,
        http_port=http_port,
        https_port=https_port,
        admin_address=_LOOPBACK,
        admin_port=admin_port,
        workers=workers,
        access_log="off",
        log_level="warning",
        drain_timeout_s=2.0,
    )


def _or_free(port: int) -> int:
    """``port``, or 0 when somebody else listens there: a demo has no reason to insist."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return 0
    return port


def _start_backends(plan: DemoPlan) -> int:
    """Serve the backends in a child that ends when this process does, however that ends. Returns its process id."""
    alive, ours = os.pipe()
    os.set_inheritable(ours, False)
    pid = os.fork()
    if pid:
        os.close(alive)
        return pid
    try:
        os.close(ours)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()
        serve_backends(plan)
    finally:
        os._exit(0)


def _end_with_parent(alive: int) -> None:
    os.read(alive, 1)  # nobody ever writes: it returns when the last writer, the daemon, is gone
    os._exit(0)
