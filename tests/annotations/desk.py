"""The desk of a topic: origins, manifests on disk, and the real daemon that serves them; cases are run on it."""

from __future__ import annotations

import json
import re
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.annotations import manifests
from tests.annotations.case import Ask, Case, Json, Want, Wanted
from tests.annotations.objects import standing
from tests.annotations.origins import ASKED_ON_THE_WAY, PORT, Origin, Origins, Seen
from tests.annotations.wire import Line, Reply
from tests.support.authority import Authority
from tests.support.daemon import Daemon
from tests.support.eventually import eventually
from tests.tls import clients

FLAGS = (
    "--configmap=default/controller",
    "--controller-class=k8s.io/ingress-nginx",
    "--ingress-class=nginx",
    "--access-log=off",
)


class Desk:
    """``flags`` are more of the daemon's. Cases with one ConfigMap are served together."""

    def __init__(self, topic: str, cases: Iterable[Case], *flags: str) -> None:
        self.topic = topic
        self._cases = list(cases)
        self.cases: dict[str, Case] = {case.title: case for case in self._cases}
        self._names = {id(case): f"{topic}-{number}" for number, case in enumerate(self._cases)}
        self._directory = tempfile.TemporaryDirectory()
        self.path = Path(self._directory.name)
        self._shown: Mapping[str, str] | None = None
        self._written: list[Path] = []
        self._requests = 0
        self.authority = Authority()
        self.origins = Origins()
        self.daemon = Daemon(f"--manifests={self.path}", *FLAGS, *flags)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._directory.cleanup)
            stack.enter_context(self.origins)
            self._start_origins()
            for one in standing(self):
                self.write(one)
            if self._cases:
                self._put(self._cases[0].config)
            stack.enter_context(self.daemon)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _start_origins(self) -> None:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = self.authority.issue("secure.internal")
        with tempfile.NamedTemporaryFile() as file:
            file.write(pair.chain_pem + pair.key_pem)
            file.flush()
            server.load_cert_chain(file.name)
        server.verify_mode = ssl.CERT_OPTIONAL
        server.load_verify_locations(cadata=clients.root().pem.decode())
        self.services: dict[str, list[Origin]] = {
            name: self.origins.start(name) for name in ("echo", "other", "canary")
        }
        self.services |= {name: self.origins.start(name) for name in ASKED_ON_THE_WAY}
        self.services |= {"pair": self.origins.start("pair", 2), "secure": self.origins.start("secure", tls=server)}
        self.services["none"] = []

    # ── manifests ───────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, one: Json) -> Path:
        """A file for the object, by rename, so that nobody reads half of it."""
        meta = one["metadata"]
        target = self.path / f"{one['kind'].lower()}-{meta.get('namespace', '')}-{meta['name']}.json"
        beside = self.path / f".{target.name}.new"
        beside.write_text(json.dumps(one))
        beside.rename(target)
        return target

    def name(self, case: Case) -> str:
        """Of its Ingress."""
        return self._names[id(case)]

    def host(self, case: Case) -> str:
        return case.host or f"{self._names[id(case)]}.{self.topic}.example"

    def _put(self, config: Mapping[str, str]) -> list[str]:
        """Write the ConfigMap, then all cases that have it: who sees one of them sees it. Returns their names."""
        for path in self._written:
            path.unlink()
        self._written = []
        self.write(manifests.config_map("controller", {key: self.fill(text) for key, text in config.items()}))
        shown = [case for case in self._cases if case.config == config]
        for case in shown:
            for one in manifests.ingresses(case, self._names[id(case)], self.host(case), self.fill):
                self._written.append(self.write(one))
        self._shown = config
        return [self._names[id(case)] for case in shown if case.is_served]

    def show(self, case: Case) -> None:
        """Serve the case, and what else has its ConfigMap."""
        if self._shown == case.config:
            return
        self.settled_with(*self._put(case.config))

    def settled_with(self, *ingresses: str) -> None:
        """Until every worker serves routes of these."""
        eventually(lambda: {*ingresses} <= {route["ingress"] for route in self.daemon.api("routes")})
        self.settled()

    def settled(self) -> None:
        """Until every worker serves the newest generation."""
        eventually(lambda: (status := self.daemon.status())["served_generation"] == status["generation"])

    def fill(self, text: str, host: str = "") -> str:
        """Put in what a case cannot know."""
        known = {"host": host, "http": str(self.daemon.http_port), "https": str(self.daemon.https_port)}
        known |= {name: f"{found[0].address}:{PORT}" for name, found in self.services.items() if found}
        return re.sub(r"\{([a-z]+)\}", lambda match: known.get(match[1], match[0]), text)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, case: Case) -> None:
        """Every step of a case."""
        self.show(case)
        self.run_unlisted(case)

    def run_unlisted(self, case: Case) -> None:
        """The steps of a case whose objects are there already."""
        for number, (ask, want) in enumerate(case.steps, 1):
            met = [self._step(case, ask, want, f"step {number}: {ask.method} {ask.path}") for _ in range(ask.again)]
            endpoints = {one.pod for seen in met for one in seen}
            assert len(endpoints) == (want.endpoints or len(endpoints)), endpoints

    def ask(self, ask: Ask, host: str, mark: str = "none") -> Reply:
        line = Line(
            self.daemon.https_port if ask.tls else self.daemon.http_port,
            ask,
            host,
            self._trust(ask) if ask.tls else None,
        )
        try:
            return line.ask(ask, host, {"X-Case": mark})
        finally:
            line.close()

    def _trust(self, ask: Ask) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        signer = clients.client(ask.client) if ask.client else None
        if signer is not None:
            context.load_cert_chain(signer.write(self._keys()))
        return context

    def _keys(self) -> Path:
        folder = self.path / ".keys"  # hidden: nobody takes it for manifests
        folder.mkdir(exist_ok=True)
        return folder

    def _step(self, case: Case, ask: Ask, want: Want, what: str) -> list[Seen]:
        self._requests += 1
        mark = f"{self.topic}.{self._requests}"
        own = self.host(case)
        host = self.fill(ask.host, own) or ("any.example" if own in ("", "*") else own.replace("*", "any"))
        filled = {name: self.fill(value, host) for name, value in ask.headers.items()}
        reply = self.ask(replace(ask, headers=filled), host, mark)
        seen = [one for one in self.origins.seen if one.get("x-case") == mark]
        try:
            self._compare(reply, want, seen, host)
        except AssertionError as error:
            error.add_note(f"{what}\n{reply}\norigins saw: {seen}")
            raise
        for service, fields in want.saw.items():
            eventually(lambda service=service, fields=fields: self._saw(service, mark, fields, host))  # type: ignore[misc]
        return seen

    def _compare(self, reply: Reply, want: Want, seen: list[Seen], host: str) -> None:
        assert reply.status == want.status
        for name, wanted in want.headers.items():
            self._match(name, reply.get(name), wanted, host)
        if want.body is not None:
            assert want.body in reply.body.decode("latin-1")
        served = [one for one in seen if one.service not in ASKED_ON_THE_WAY or one.service == want.seen]
        if want.seen is None:
            assert not served
        elif want.seen or want.target or want.sent or want.method:
            assert served
            last = served[-1]
            assert last.service == (want.seen or last.service)
            assert last.target == (self.fill(want.target, host) or last.target)
            assert last.method == (want.method or last.method)
            for name, wanted in want.sent.items():
                self._match(name, last.get(name), wanted, host)

    def _saw(self, service: str, mark: str, fields: Mapping[str, Wanted], host: str) -> bool:
        found = [one for one in self.origins.seen if one.service == service and one.get("x-case") == mark]
        assert found, f"{service} saw nothing"
        last = found[-1]
        special = {":target": last.target, ":method": last.method, ":body": last.body.decode("latin-1")}
        for name, wanted in fields.items():
            self._match(name, special[name] if name in special else last.get(name), wanted, host)
        return True

    def _match(self, name: str, value: str | None, wanted: Wanted, host: str) -> None:
        if isinstance(wanted, re.Pattern):
            assert value is not None and wanted.search(value), f"{name}: {value!r}, not {wanted.pattern!r}"  # noqa: PT018
        else:
            expected = None if wanted is None else self.fill(wanted, host)
            assert value == expected, f"{name}: {value!r}, not {expected!r}"
