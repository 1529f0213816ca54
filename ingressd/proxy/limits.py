"""What one peer may cost. Every bound of the data path is here with its reason; `docs/request.md` lists them."""

from msgspec import Struct

from ingressd.http.fields import PassedNames


class Limits(Struct, frozen=True, gc=False, kw_only=True):
    """Bounds per connection or request; sizes in bytes, times in seconds."""

    request_line_bytes: int = 8192  # nginx's large_client_header_buffers: 8 KiB a line
    header_bytes: int = 32768  # and four of them in total
    header_fields: int = 100
    names: PassedNames = PassedNames.PLAIN  # of header fields: others are dropped
    response_header_bytes: int = 65536  # generous: OAuth cookies come in many
    pipelined_bytes: int = 65536  # read ahead of the request being answered; then reading pauses
    replay_bytes: int = 65536  # of a request body kept so that it can be sent again
    requests_per_connection: int = 1000  # bounds what one client can pin to one worker
    reuse_for_all: bool = False  # kept connections also for what must not be sent twice: faster, and may cost a 502
    upstream_requests_per_connection: int = 10_000
    upstream_idle_per_endpoint: int = 320
    upstream_idle_s: float = 60.0
    upstream_age_s: float = 3600.0  # then a connection ends with its request, so that nobody keeps one for ever
    keep_alive_s: float = 75.0
    header_s: float = 60.0
    body_gap_s: float = 60.0  # between two reads of a request body
    min_rate: float = 100.0  # bytes a second, over the gap and more: who drips is cut off, who has a bad line is not
    client_write_gap_s: float = 60.0  # without a byte taken by a client for which more is waiting than we buffer
    linger_s: float = 5.0  # after a refusal, so that the client can read it before the connection is reset
    linger_bytes: int = 1 << 24  # some clients send all of a body before they look; after this they have to wait
    attempts: int = 3  # of one request, all endpoints together
    interim_responses: int = 16  # 1xx before one final response
    tls_handshake_s: float = 15.0
    connections: int = 16_384  # per worker; the daemon lowers it to what its descriptors allow
    connections_per_client: int = 0  # 0: no limit, because behind a load balancer everybody has its address
    backlog: int = 4096  # connections waiting to be accepted, per listening socket
