"""The files clients read: a kubeconfig, and a directory like a pod's service-account mount."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import yaml

from tests.support.apiserver.certificates import Pair
from tests.support.apiserver.errors import Json


def write_kubeconfig(path: Path, url: str, authority: bytes | None, user: Json) -> None:
    cluster: Json = {"server": url}
    if authority:
        cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fixture", "cluster": cluster}],
        "users": [{"name": "fixture", "user": user}],
        "contexts": [{"name": "fixture", "context": {"cluster": "fixture", "user": "fixture"}}],
        "current-context": "fixture",
    }
    _replace(path, yaml.safe_dump(config, sort_keys=False).encode())


def user_entry(token: str, token_file: Path | None, pair: Pair | None) -> Json:
    if pair:
        return {
            "client-certificate-data": base64.b64encode(pair.certificate).decode(),
            "client-key-data": base64.b64encode(pair.key).decode(),
        }
    if token_file:
        return {"tokenFile": str(token_file)}
    return {"token": token} if token else {}


def decode_pair(user: Json) -> bytes:
    """The client certificate and its key of a user entry, as one PEM."""
    return b"".join(base64.b64decode(user[field]) for field in ("client-certificate-data", "client-key-data"))


def write_service_account(directory: Path, token: str, authority: bytes | None) -> None:
    directory.mkdir(exist_ok=True)
    _replace(directory / "token", token.encode())
    _replace(directory / "namespace", b"default")
    _replace(directory / "ca.crt", authority or b"")


def _replace(path: Path, content: bytes) -> None:
    """At once, as kubelet swaps projected files: a reader sees the old or the new."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    os.replace(draft, path)
