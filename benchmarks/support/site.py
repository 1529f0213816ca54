"""A manifest directory with one host on one loopback port."""

import json
from pathlib import Path

from tests.support import sites

HOST = "shop.example"


def write_site(directory: Path, port: int) -> list[str]:
    """Flags of a daemon that serves it on free loopback ports."""
    endpoints = sites.endpoints("shop", [])
    endpoints["ports"] = [{"name": "http", "port": port, "protocol": "TCP"}]
    endpoints["endpoints"] = [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]
    items = [sites.ingress_class(), sites.ingress("shop", {HOST: {"/": "shop"}}), sites.service("shop"), endpoints]
    (directory / "shop.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    addresses = ["--bind-address=127.0.0.1", "--admin-address=127.0.0.1"]
    ports = ["--http-port=0", "--https-port=0", "--healthz-port=0"]
    return ["--manifests", str(directory), *addresses, *ports, "--access-log=off"]
