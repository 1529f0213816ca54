"""What every peer serves: one host with two path prefixes, another host, one certificate, one backend. In memory.

Everything lives in a folder of /dev/shm, so that no peer waits for a disk and none is spared one.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ingressd.tls.certificate import self_signed

CONFIG = Path(__file__).parent / "config"
LUA = Path(__file__).parent / "clients" / "wrk.lua"

HOST = "localhost"
"""wrk takes the server name it sends from its URL, and has to resolve it."""
ANSWER = "The quick brown fox jumps over the lazy dog, and does so one hundred times before it has had enough."
KIB, MIB = 1 << 10, 1 << 20
BODIES = {"64k": 64 * KIB, "1m": MIB, "100m": 100 * MIB}

PROXY_CORE, LOAD_CORE = 0, 1

# One cipher and one group for all: AES-128 and X25519 are what browsers ask for first.
OPENSSL = """
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
MinProtocol = TLSv1.3
MaxProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
"""

_MARK = re.compile(r"\s*#@(\w+)$")


class Site:
    """Files that peers and load share; ``backend`` is the port of what answers behind every peer."""

    def __init__(self, folder: Path, backend: int) -> None:
        self.folder = folder
        self.backend = backend
        pair = self_signed((HOST, "other.example"), now=time.time())
        self.certificate = self._write("site.crt", pair.chain_pem)
        self.key = self._write("site.key", pair.key_pem)
        self.bundle = self._write("site.pem", pair.chain_pem + pair.key_pem)
        self.openssl = self._write("openssl.cnf", OPENSSL.encode())
        self.bodies = folder / "bodies"
        (self.bodies / "files").mkdir(parents=True)
        (self.bodies / "upload").mkdir()
        for name, size in BODIES.items():
            _write_body(self.bodies / "files" / name, size)
        if os.geteuid() == 0:  # nginx's workers are somebody else then
            for path in (folder, self.bodies, self.bodies / "upload"):
                path.chmod(0o777)

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def load_environment(self) -> dict[str, str]:
        """For what opens TLS connections: the same cipher and group whatever the peer prefers."""
        return os.environ | {"OPENSSL_CONF": str(self.openssl)}


def _write_body(path: Path, size: int) -> None:
    block = os.urandom(64 * KIB)
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)


def render(name: str, flags: frozenset[str], values: Mapping[str, object]) -> str:
    """A file of config/ with ``@names@`` filled in. A line that ends in ``#@flag`` is kept only with the flag."""
    lines = []
    for line in (CONFIG / name).read_text().splitlines():
        mark = _MARK.search(line)
        if mark is None:
            lines.append(line)
        elif mark.group(1) in flags:
            lines.append(line[: mark.start()])
    return re.sub(r"@(\w+)@", lambda found: str(values[found.group(1)]), "\n".join(lines) + "\n")


@contextmanager
def memory_folder() -> Iterator[Path]:
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="ingressd-bench-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def pinned(*cores: int) -> Iterator[None]:
    """What is started inside the block runs on ``cores`` for as long as it lives."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores) & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def backend(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """nginx that answers from memory, on the core of the load."""
    values = {"folder": site.folder, "backend": site.backend, "answer": ANSWER, "bodies": site.bodies}
    path = site.folder / "backend.conf"
    path.write_text(render("backend.conf", frozenset(), values))
    with pinned(LOAD_CORE):
        process = subprocess.Popen(["nginx", "-e", str(site.folder / "backend.log"), "-c", str(path)])
    try:
        wait_for(f"http://127.0.0.1:{site.backend}/", process)
        yield process
    finally:
        stop(process)


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_for(url: str, process: subprocess.Popen[bytes], limit_s: float = 30.0) -> None:
    """Until something answers HTTP at ``url``, whatever it says. Raises RuntimeError when the process ends first."""
    started = time.monotonic()
    while time.monotonic() - started < limit_s and process.poll() is None:
        try:
            _opener.open(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not answer at {url} (status {process.poll()})")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
