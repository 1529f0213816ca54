"""Requests as policies see them, made as the data path makes them."""

from ingressd.http.head import RequestFields
from ingressd.http.target import normalise_host, parse_target
from ingressd.policy.ask import Ask


def ask(
    target: str = "/",
    *,
    method: bytes = b"GET",
    host: bytes | None = b"shop.example",
    fields: bytes = b"",
    scheme: bytes = b"http",
    authority: bytes | None = None,
    port: bytes = b"80",
    client: str = "192.0.2.7",
    is_tls: bool = False,
    request_id: bytes = b"abc",
    client_verdict: str = "",
    client_name: str = "",
) -> Ask:
    """``target`` as in a request line, ``fields`` whole lines but Host. ``authority`` None: what Host says."""
    said = RequestFields()
    said.host_field = host
    said.host = normalise_host(host.decode("latin-1")) if host else ""
    said.onward = fields
    read = parse_target(target)
    return Ask(
        method=method,
        path=read.path,
        query=read.query,
        fields=said,
        scheme=scheme,
        authority=(host or b"") if authority is None else authority,
        port=port,
        client=client,
        is_tls=is_tls,
        request_id=request_id,
        client_verdict=client_verdict,
        client_name=client_name,
    )
