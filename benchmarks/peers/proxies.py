"""Every peer: how it is configured and started, with one worker, on loopback, on the proxy's core."""

import base64
import contextlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from msgspec import Struct

from benchmarks.peers.accounting import descendants, tree
from benchmarks.peers.site import HOST, PROXY_CORE, Site, free_port, pinned, render, stop, wait_for
from benchmarks.support.daemon import Daemon
from benchmarks.support.objects import host_name

ROOT = Path(__file__).parent.parent.parent
MANY_FILES = 65_536


class Variant(Struct, frozen=True, kw_only=True):
    """What differs between two runs of the same peer. ``log``: access log to a file, and metrics. ``hosts``: that many
    more hosts in the table, with two path prefixes each. ``http2``: no bound on the requests of a connection, since
    h2load does not open another one."""

    log: bool = False
    hosts: int = 0
    workers: int = 1
    http2: bool = False

    @property
    def name(self) -> str:
        words = ["log" if self.log else "quiet"]
        if self.hosts:
            words.append(f"{self.hosts}-hosts")
        if self.workers > 1:
            words.append(f"{self.workers}-workers")
        if self.http2:
            words.append("http2")
        return "-".join(words)


class Proxy:
    """A running peer: ``with NginxProxy(site, variant) as proxy``."""

    name: ClassVar[str]
    config: ClassVar[str] = ""
    flags: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, site: Site, variant: Variant) -> None:
        self.site, self.variant = site, variant
        self.folder = site.folder / re.sub(r"\W+", "-", f"{self.name}-{variant.name}")
        self.access_log = self.folder / "access.log"
        self.http_port, self.https_port, self.admin_port = free_port(), free_port(), free_port()

    @classmethod
    def is_there(cls) -> bool:
        """Is the program installed?"""
        return cls.program() is not None

    @classmethod
    def program(cls) -> str | None:
        return shutil.which(cls.name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")

    @classmethod
    def version(cls) -> str:
        raise NotImplementedError

    def command(self, config: Path) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def hosts(self) -> str:
        """Configuration of the variant's further hosts; what needs files of its own writes them."""
        return ""

    def __enter__(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            self.folder.chmod(0o777)
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        stop(self._process)

    def _start(self) -> None:
        config = self.folder / self.config
        chosen = self.flags | {"log" if self.variant.log else "quiet", "http2" if self.variant.http2 else ""}
        config.write_text(render(self.config, chosen, self._values()))
        with pinned(PROXY_CORE), self.access_log.open("ab") as output, (self.folder / "stderr").open("ab") as errors:
            self._process = subprocess.Popen(self.command(config), stdout=output, stderr=errors, env=self.environment())
        try:
            wait_for(f"http://127.0.0.1:{self.http_port}/", self._process)
        except RuntimeError as error:
            stop(self._process)
            raise RuntimeError(f"{self.name}: {error}\n{(self.folder / 'stderr').read_text()[-2000:]}") from None

    def _values(self) -> dict[str, object]:
        site = self.site
        return {
            "folder": self.folder, "backend": site.backend, "http": self.http_port, "https": self.https_port,
            "admin": self.admin_port, "host": HOST, "certificate": site.certificate, "key": site.key,
            "bundle": site.bundle, "hosts": self.hosts(),
        }  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    def roles(self) -> dict[str, list[int]]:
        """Process ids by what they do; all together are the process tree."""
        return {"all": tree(self.pid)}

    def serving(self) -> list[int]:
        """The processes that hold connections."""
        return tree(self.pid)

    def url(self, *, tls: bool = False, path: str = "/") -> str:
        return f"https://{HOST}:{self.https_port}{path}" if tls else f"http://{HOST}:{self.http_port}{path}"

    def port(self, *, tls: bool) -> int:
        return self.https_port if tls else self.http_port


class NginxProxy(Proxy):
    name = "nginx"
    config = "nginx.conf"

    @classmethod
    def program(cls) -> str | None:
        return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

    @classmethod
    def version(cls) -> str:
        return _said([cls.program() or "", "-v"]).rpartition("/")[2]

    def command(self, config: Path) -> list[str]:
        return [self.program() or "", "-e", str(self.folder / "error.log"), "-c", str(config)]

    def hosts(self) -> str:
        block = (
            "server {{ listen 127.0.0.1:{port}; server_name {host}; location / {{ proxy_pass http://web; }} "
            "location /api/ {{ proxy_pass http://web; }} }}"
        )
        return "\n    ".join(block.format(port=self.http_port, host=host_name(n)) for n in range(self.variant.hosts))

    def serving(self) -> list[int]:
        return descendants(self.pid)


class TunedNginxProxy(NginxProxy):
    """nginx with large buffers, and streaming request bodies: what a person would do who knows that bodies are big."""

    name = "nginx, tuned"
    flags = frozenset({"tuned"})


class HaproxyProxy(Proxy):
    name = "haproxy"
    config = "haproxy.cfg"

    @classmethod
    def version(cls) -> str:
        return _said([cls.program() or "", "-v"]).split()[2].partition("-")[0]

    def command(self, config: Path) -> list[str]:
        return [self.program() or "", "-db", "-f", str(config)]

    def hosts(self) -> str:
        names = [HOST, "other.example", *map(host_name, range(self.variant.hosts))]
        (self.folder / "hosts.map").write_text("".join(f"{name} all\n" for name in names))
        return ""


class EnvoyProxy(Proxy):
    name = "envoy"
    config = "envoy.yaml"

    @classmethod
    def program(cls) -> str | None:
        own = sorted(ROOT.glob(".cache/envoy/lib/python3*/site-packages/envoy/_bin/envoy"))
        return str(own[0]) if own else shutil.which("envoy")

    @classmethod
    def version(cls) -> str:
        return _said([cls.program() or "", "--version"]).split("/")[-4]

    def command(self, config: Path) -> list[str]:
        more = ["--log-level", "warning", "--disable-hot-restart", "--file-flush-interval-msec", "1000"]
        return [self.program() or "", "--concurrency", "1", "-c", str(config), *more]

    def hosts(self) -> str:
        line = (
            '- {{name: host-{n}, domains: ["{host}"], routes: ['
            '{{match: {{prefix: "/api/"}}, route: {{cluster: web}}}}, '
            '{{match: {{prefix: "/"}}, route: {{cluster: web}}}}]}}'
        )
        indent = "\n" + " " * 12
        return indent.join(line.format(n=n, host=host_name(n)) for n in range(self.variant.hosts))


class CaddyProxy(Proxy):
    name = "caddy"
    config = "Caddyfile"

    @classmethod
    def version(cls) -> str:
        return _said([cls.program() or "", "version"]).split()[0].removeprefix("v")

    def command(self, config: Path) -> list[str]:
        return [self.program() or "", "run", "--adapter", "caddyfile", "--config", str(config)]

    def environment(self) -> dict[str, str]:
        own = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(self.folder))
        return os.environ | own | {"GOMAXPROCS": "1"}


class AiohttpProxy(Proxy):
    """What a Python user writes today, on uvloop."""

    name = "aiohttp"

    @classmethod
    def program(cls) -> str | None:
        return sys.executable

    @classmethod
    def version(cls) -> str:
        return _said([sys.executable, "-c", "import aiohttp; print(aiohttp.__version__)"])

    def _start(self) -> None:
        options = {
            "backend": self.site.backend, "http": self.http_port, "https": self.https_port, "host": HOST,
            "certificate": str(self.site.certificate), "key": str(self.site.key),
            "access_log": str(self.access_log) if self.variant.log else None,
        }  # fmt: skip
        command = [sys.executable, "-m", "benchmarks.peers.naive", json.dumps(options)]
        with pinned(PROXY_CORE), (self.folder / "stderr").open("ab") as errors:
            self._process = subprocess.Popen(command, stderr=errors, cwd=ROOT)
        wait_for(f"http://127.0.0.1:{self.http_port}/", self._process)


class IngressdProxy(Proxy):
    name = "ingressd"

    @classmethod
    def program(cls) -> str | None:
        return sys.executable

    @classmethod
    def version(cls) -> str:
        said = _said([sys.executable, "-m", "ingressd", "--version"]).split()[-1]
        revision = _said(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
        return f"{said} ({revision})" if revision else said

    def _start(self) -> None:
        manifests = self.folder / "manifests"
        manifests.mkdir(exist_ok=True)
        (manifests / "site.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": self._objects()}))
        arguments = [
            "--manifests", str(manifests), "--bind-address", "127.0.0.1", "--admin-address", "127.0.0.1",
            "--http-port", "0", "--https-port", "0", "--healthz-port", "0", "--drain-timeout", "1",
            "--default-ssl-certificate", "default/site", "--workers", str(self.variant.workers),
            "--access-log", str(self.access_log) if self.variant.log else "off",
        ]  # fmt: skip
        self._daemon = Daemon(arguments, log=self.folder / "stderr")
        with pinned(PROXY_CORE):
            self._daemon.__enter__()
        self.http_port, self.https_port = self._daemon.http_port, self._daemon.https_port

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._daemon.__exit__(kind, error, tb)

    @property
    def pid(self) -> int:
        return self._daemon.supervisor_pid

    def roles(self) -> dict[str, list[int]]:
        workers = self.serving()
        return {"worker": workers, "control": [pid for pid in tree(self.pid) if pid not in workers]}

    def serving(self) -> list[int]:
        return list(self._daemon.worker_pids.values())

    def _objects(self) -> list[dict[str, Any]]:
        site = self.site
        pair = {
            "tls.crt": base64.b64encode(site.certificate.read_bytes()).decode(),
            "tls.key": base64.b64encode(site.key.read_bytes()).decode(),
        }
        return [
            _object("networking.k8s.io/v1", "IngressClass", "ingressd",
                    spec={"controller": "ingressd.io/ingress-controller"}),
            _object("v1", "Service", "web", spec={"ports": [{"name": "http", "port": 80}]}),
            _object(
                "discovery.k8s.io/v1", "EndpointSlice", "web-1", labels={"kubernetes.io/service-name": "web"},
                addressType="IPv4", ports=[{"name": "http", "port": site.backend}],
                endpoints=[{"addresses": ["127.0.0.1"]}],
            ),
            _object("v1", "Secret", "site", type="kubernetes.io/tls", data=pair),
            _ingress("site", [HOST], ("/", "/api"), tls="site"),
            _ingress("other", ["other.example"], ("/",)),
            *(_ingress(f"more-{n}", [host_name(n)], ("/", "/api")) for n in range(self.variant.hosts)),
        ]  # fmt: skip


def _object(
    version: str, kind: str, name: str, *, labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None, **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    metadata = {"name": name, "namespace": "default", "labels": labels or {}, "annotations": annotations or {}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def _ingress(name: str, hosts: Iterable[str], paths: Iterable[str], tls: str = "") -> dict[str, Any]:
    to = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [
        {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": to} for path in paths]}}
        for host in hosts
    ]
    spec: dict[str, Any] = {"ingressClassName": "ingressd", "rules": rules}
    if tls:
        spec["tls"] = [{"hosts": list(hosts), "secretName": tls}]
    plain_too = {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}  # a host with TLS would redirect plain requests
    return _object("networking.k8s.io/v1", "Ingress", name, annotations=plain_too, spec=spec)


def raise_file_limit() -> None:
    """For us and all that we start: enough for 10,000 connections to any peer, where that is allowed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (max(hard, MANY_FILES), hard):
        with contextlib.suppress(ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return


def _said(command: list[str]) -> str:
    """First line of what a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""


PROXIES: dict[str, type[Proxy]] = {
    one.name: one
    for one in (IngressdProxy, NginxProxy, TunedNginxProxy, HaproxyProxy, EnvoyProxy, CaddyProxy, AiohttpProxy)
}
