"""The kubectl programs to be tested against: whatever is on PATH, and Debian's old one, so that two ages of client
are always covered. Debian's is unpacked below the checkout and installed over nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "kubectl"
_PACKAGE = "kubernetes-client"


class KubectlMissingError(Exception):
    """No kubectl: tests that need one must fail, not skip."""


@cache
def kubectl_binaries() -> tuple[Path, ...]:
    """Absolute paths, at least one. The first call may download Debian's package."""
    found = shutil.which("kubectl")
    on_path = [Path(found)] if found else []
    try:
        return (*on_path, _debian_kubectl())
    except (OSError, subprocess.CalledProcessError) as error:
        if on_path:
            return tuple(on_path)
        why = getattr(error, "stderr", None) or error
        raise KubectlMissingError(
            f"no kubectl on PATH, and apt-get could not download Debian's {_PACKAGE}: {why}"
        ) from error


def _debian_kubectl() -> Path:
    program = _CACHE / "usr" / "bin" / "kubectl"
    if not program.exists():
        _CACHE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE.parent) as work:
            _download(Path(work))
            _adopt(Path(work) / "unpacked", _CACHE)
    return program


def _download(work: Path) -> None:
    _run(["apt-get", "download", "-q", _PACKAGE], work)
    [package] = work.glob(f"{_PACKAGE}_*.deb")
    _run(["dpkg", "-x", package.name, "unpacked"], work)


def _run(command: list[str], directory: Path) -> None:
    subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=120)


def _adopt(unpacked: Path, target: Path) -> None:
    """Renamed into place whole; when another test run was faster, its copy stays."""
    try:
        os.rename(unpacked, target)
    except OSError:
        if not (target / "usr" / "bin" / "kubectl").exists():
            raise
