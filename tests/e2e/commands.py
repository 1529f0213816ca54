"""kubectl and curl, as people type them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

_TIMEOUT_S = 60


class Kubectl:
    """One kubectl program with one cluster."""

    def __init__(self, program: Path, home: Path, kubeconfig: Path) -> None:
        self._program = str(program)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
            "KUBECTL_KUBERC": "false",
            "NO_PROXY": "*",
        }

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        """Standard output; what is ``given`` comes on standard input."""
        done = subprocess.run(
            [self._program, *arguments],
            env=self._environment,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def apply(self, *manifests: str | dict[str, Any]) -> str:
        """YAML texts and plain objects, in one go."""
        texts = [one if isinstance(one, str) else json.dumps(one) for one in manifests]
        return self("apply", "-f", "-", given="".join(f"---\n{text}\n" for text in texts))


class Curl:
    """curl towards one daemon: names are resolved to loopback, everything else is curl's own."""

    UNTRUSTED = 60

    def __init__(self, program: str, http_port: int, https_port: int) -> None:
        self._program = program
        self._ports = {"http": http_port, "https": https_port}

    def run(self, scheme: str, host: str, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        port = self._ports[scheme]
        command = [self._program, "--silent", "--show-error", "--noproxy", "*", "--max-time", "15"]
        command += ["--resolve", f"{host}:{port}:127.0.0.1", "--write-out", "\n%{http_code}", *arguments]
        return subprocess.run([*command, f"{scheme}://{host}:{port}{path}"], capture_output=True, text=True)

    def __call__(self, scheme: str, host: str, path: str = "/", *arguments: str) -> str:
        """The Service that answered, or the status of an answer that is not 200."""
        done = self.run(scheme, host, path, *arguments)
        assert done.returncode == 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return str(json.loads(body)["service"]) if status == "200" else status

    def everywhere(self, *request: str) -> set[str]:
        """Several connections: what all workers say."""
        return {self(*request) for _ in range(6)}
