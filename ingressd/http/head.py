"""Request heads: bytes up to the empty line → checked values, or a refusal.

llhttp (through httptools) reads the field section, strictly; what it leaves to its user is decided here.

Field sections repeat: API clients send the same block with every request. Whole blocks are therefore remembered,
boundedly, by their exact bytes; a hit is the same judgement, not a laxer one.
"""

import re

import httptools

from ingressd.errors import BadRequest
from ingressd.http.field_parser import FieldParser
from ingressd.http.field_values import content_length, list_items, without_named
from ingressd.http.fields import FieldKind, PassedNames, folded, request_kind, request_kinds
from ingressd.http.request_line import NO_LINE, RequestLine
from ingressd.http.target import normalise_host

_PROTOCOL = re.compile(rb"([!#$%&'*+\-.^_`|~0-9a-z]+)(?:/[!#$%&'*+\-.^_`|~0-9a-z]+)?")  # RFC 9110 §7.8, lower case
_GOOD_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")

_MAX_OFFER_BYTES = 256  # in Upgrade: nobody offers a dozen protocols, and each is looked at
_MAX_BLOCK_TO_REMEMBER = 2048
_MAX_REMEMBERED_BLOCKS = 512


class RequestFields:
    """What a request's field section says. ``onward`` holds the end-to-end field lines, each ending in CRLF.

    ``lead`` is Host and these, ``tail`` the lines on framing and connection with the empty line: what an HTTP/1.1
    request's onward head has around the lines that we add. Shared by all requests with the same section: nobody may
    change one.
    """

    __slots__ = (
        "accept",
        "agent",
        "chunked",
        "claimed",
        "close",
        "content_length",
        "expects_continue",
        "host",
        "host_field",
        "keep_alive",
        "lead",
        "offers_h2c",
        "onward",
        "referer",
        "request_id",
        "tail",
        "te_trailers",
        "upgrade",
        "whole",
    )

    def __init__(self) -> None:
        self.host = ""
        self.host_field: bytes | None = None
        self.onward = b""
        self.claimed = b""  # lines that say where the request came from (X-Forwarded-*): not passed on
        self.content_length = -1  # bytes; -1: not said
        self.chunked = False
        self.close = False
        self.keep_alive = False
        self.expects_continue = False
        self.offers_h2c = False  # and nothing else; not passed on
        self.upgrade = b""  # protocols the client offers to switch to, as far as we let it
        self.request_id = b""
        self.te_trailers = False
        self.accept = b""
        self.agent = b""
        self.referer = b""
        self.whole = b""  # ``onward`` with what Connection named, when it named anything: see policy/forwarded
        self.lead = b""
        self.tail = b"\r\n"

    @property
    def has_body(self) -> bool:
        """Whether body bytes follow the head (a chunked body has some even when it is empty)."""
        return self.chunked or self.content_length > 0


_NO_FIELDS = RequestFields()


class RequestHead:
    """A checked request: what was asked, of whom, and how its body is framed.

    Made empty, it stands for a request that could not be read.
    """

    __slots__ = ("fields", "line")

    def __init__(self, line: RequestLine = NO_LINE, fields: RequestFields = _NO_FIELDS) -> None:
        self.line = line
        self.fields = fields

    @property
    def method(self) -> bytes:
        return self.line.method

    @property
    def minor(self) -> int:
        return self.line.minor

    @property
    def path(self) -> str:
        return self.line.path

    @property
    def query(self) -> str:
        return self.line.query


# Looking into an enum costs as much as a comparison: once is enough.
_DROPPED, _HOST, _CONNECTION, _ACCEPT = FieldKind.DROPPED, FieldKind.HOST, FieldKind.CONNECTION, FieldKind.ACCEPT
_AGENT, _REFERER, _REQUEST_ID = FieldKind.LOGGED_AGENT, FieldKind.LOGGED_REFERER, FieldKind.REQUEST_ID
_CONTENT_LENGTH, _TRANSFER_ENCODING = FieldKind.CONTENT_LENGTH, FieldKind.TRANSFER_ENCODING
_EXPECT, _UPGRADE, _TE, _CLAIMED = FieldKind.EXPECT, FieldKind.UPGRADE, FieldKind.TE, FieldKind.CLAIMED
_DATE, _UNDERSCORED, _UNUSUAL = FieldKind.DATE, FieldKind.UNDERSCORED, FieldKind.UNUSUAL
_KEEP_ALIVE = [b"keep-alive"]
_parser = FieldParser(httptools.HttpRequestParser, b"GET / HTTP/1.1\r\n")
_remembered: dict[bytes, RequestFields] = {}
_remembered_with_names: dict[PassedNames, dict[bytes, RequestFields]] = {
    PassedNames.UNDERSCORES: {},
    PassedNames.TOKENS: {},
}


def has_bare_line_end(data: bytes | bytearray) -> bool:
    """Whether an unfinished head already holds a CR or LF alone (a CR at the very end may still get its LF)."""
    # Counted, not searched by an expression, which takes fifteen times as long: it is asked again with each read of
    # a head, and a client may send a large one byte by byte.
    pairs = data.count(b"\r\n")
    return data.count(b"\n") != pairs or data.count(b"\r") - data.endswith(b"\r") != pairs


def read_request_fields(block: bytes, max_fields: int, names: PassedNames = PassedNames.PLAIN) -> RequestFields:
    """Judge a request's field section, which ends with the empty line (and is just that when there are no fields).

    ``names`` other than plain ones are passed on where the name that some server could take them for (``folded``) is
    neither one that means something to us nor that of another field of the section.

    Raises:
        BadRequest: with the reason; the connection cannot be used afterwards.
    """
    remembered = _remembered_with_names[names] if names else _remembered
    known = remembered.get(block)
    if known is not None:
        return known
    try:
        raw = _parser.parse(block)
    except ValueError as error:
        raise BadRequest("bad_fields", str(error)) from None
    if len(raw) > max_fields:
        raise BadRequest("too_many_fields", f"more than {max_fields} header fields")
    fields = _judge(raw, names)
    if len(block) <= _MAX_BLOCK_TO_REMEMBER:
        if len(remembered) >= _MAX_REMEMBERED_BLOCKS:
            remembered.clear()
        remembered[block] = fields
    return fields


def _judge(raw: list[tuple[bytes, bytes]], names: PassedNames) -> RequestFields:
    fields = RequestFields()
    onward: list[bytes] = []
    options: list[bytes] = []
    for name, value in raw:
        kind = request_kinds.get(name)
        if kind is None:
            kind = request_kind(name)
        if not kind:  # END_TO_END
            onward += (name, b": ", value.strip(), b"\r\n")
        elif kind is _AGENT or kind is _ACCEPT or kind is _REFERER or kind is _DATE:  # passed on, and looked at
            value = value.strip()
            onward += (name, b": ", value, b"\r\n")
            if kind is _AGENT:
                fields.agent = value
            elif kind is _ACCEPT:
                fields.accept = fields.accept + b"," + value if fields.accept else value
            elif kind is _REFERER:
                fields.referer = value
        elif kind is not _DROPPED and kind < _UNDERSCORED:
            _judge_field(fields, kind, name, value.strip(), options)
    if names:
        onward += _mistakable(raw, names)
    if fields.chunked and fields.content_length >= 0:
        raise BadRequest("ambiguous_framing", "both Content-Length and Transfer-Encoding (RFC 9112 §6.3)")
    if options == _KEEP_ALIVE:
        fields.keep_alive = True
    elif options:
        fields.close = b"close" in options
        fields.keep_alive = b"keep-alive" in options
        kept = without_named(onward, options)
        if len(kept) < len(onward):
            fields.whole = b"".join(onward)
        onward = kept
    if fields.upgrade:
        _judge_upgrade(fields, offered=b"upgrade" in options)
    if fields.request_id and not _GOOD_REQUEST_ID.fullmatch(fields.request_id):
        fields.request_id = b""
    fields.te_trailers = fields.te_trailers and b"te" in options
    fields.onward = b"".join(onward)
    fields.lead = b"Host: %b\r\n%b" % (fields.host_field or b"", fields.onward)
    fields.tail = _tail(fields)
    return fields


def _mistakable(raw: list[tuple[bytes, bytes]], names: PassedNames) -> list[bytes]:
    """Pieces of the lines whose names not every server reads alike, and that nobody takes for another field's here."""
    spellings: dict[bytes, set[bytes]] = {}
    for name, _ in raw:
        spellings.setdefault(folded(name), set()).add(name.lower())
    pieces: list[bytes] = []
    for name, value in raw:
        kind = request_kind(name)
        is_wanted = kind is _UNDERSCORED or (kind is _UNUSUAL and names is PassedNames.TOKENS)
        if is_wanted and len(spellings[folded(name)]) == 1:
            pieces += (name, b": ", value.strip(), b"\r\n")
    return pieces


def _tail(fields: RequestFields) -> bytes:
    """Framing and connection fields come from the meaning of what was received, never from its bytes."""
    tail = b""
    if fields.chunked:
        tail = b"Transfer-Encoding: chunked\r\n"
    elif fields.content_length >= 0:
        tail = b"Content-Length: %d\r\n" % fields.content_length
    if fields.expects_continue and fields.has_body:
        tail += b"Expect: 100-continue\r\n"
    if fields.upgrade:
        tail += b"Connection: upgrade\r\nUpgrade: " + fields.upgrade + b"\r\n"
    elif fields.te_trailers:
        tail += b"Connection: TE\r\nTE: trailers\r\n"
    return tail + b"\r\n"


def _judge_field(fields: RequestFields, kind: FieldKind, name: bytes, value: bytes, options: list[bytes]) -> None:
    if kind is _HOST:
        if fields.host_field is not None:
            raise BadRequest("bad_host", "more than one Host field (RFC 9112 §3.2)")
        fields.host_field = value
        fields.host = normalise_host(value.decode("latin-1"))
    elif kind is _CONNECTION:
        options += list_items(value)
    elif kind is _CONTENT_LENGTH or kind is _TRANSFER_ENCODING:
        _judge_framing(fields, kind, value)
    elif kind is _EXPECT:
        fields.expects_continue = value.lower() == b"100-continue"
    elif kind is _UPGRADE:
        fields.upgrade = fields.upgrade + b", " + value if fields.upgrade else value
    elif kind is _TE:
        fields.te_trailers = fields.te_trailers or b"trailers" in list_items(value)
    elif kind is _CLAIMED:
        # Whatever Connection names: a client must not be able to erase what a proxy in front of us added.
        fields.claimed += b"%b: %b\r\n" % (name, value)
    elif kind is _REQUEST_ID:
        # Several of them are several opinions: joined like this they are as malformed as none.
        fields.request_id = fields.request_id + b"," + value if fields.request_id else value


def _judge_framing(fields: RequestFields, kind: FieldKind, value: bytes) -> None:
    if kind is _TRANSFER_ENCODING:
        if fields.chunked or value.lower() != b"chunked":
            raise BadRequest("bad_transfer_encoding", "a Transfer-Encoding other than chunked (RFC 9112 §6.1)")
        fields.chunked = True
        return
    length = content_length(value)
    if length < 0 or fields.content_length >= 0:
        raise BadRequest("bad_content_length", "Content-Length is repeated or not a plain number (RFC 9110 §8.6)")
    fields.content_length = length


def _judge_upgrade(fields: RequestFields, *, offered: bool) -> None:
    """Without ``Connection: upgrade`` it is no offer. One that we do not pass on ends the connection with its answer:
    what follows may already be in the other protocol, so it is never read as a request (RFC 9110 §7.8).

    h2c alone is another case: its clients have to wait for a 101 (RFC 7540 §3.2), so one that sent nothing before the
    answer's end goes on in HTTP/1.1. Clients offer it with their first request to any http URL (Java's HttpClient).
    """
    protocols = list_items(fields.upgrade) if len(fields.upgrade) <= _MAX_OFFER_BYTES else []
    if not offered:
        fields.upgrade = b""
    elif protocols == [b"h2c"]:
        fields.upgrade = b""
        fields.offers_h2c = True
    elif fields.has_body or not protocols or not all(map(_may_be_offered, protocols)):
        fields.upgrade = b""
        fields.close = True
    else:
        # RFC 9110 §5.6.1.1: who sends a list sends no empty members
        fields.upgrade = b", ".join(filter(None, (one.strip() for one in fields.upgrade.split(b","))))


def _may_be_offered(protocol: bytes) -> bool:
    """Whether ``protocol`` is well formed and changes nothing we speak: h2c tunnels requests past every policy."""
    match = _PROTOCOL.fullmatch(protocol)
    return match is not None and match.group(1) not in (b"h2c", b"h2", b"http", b"tls")
