"""Paths and names: rewrites, patterns and what they do to a host, app-root, aliases."""

from tests.annotations.case import Ask, Case, Other, Path, Want, case

A, B = Path(path="/a"), Path(path="/b", service="other")
CAPTURE = Path(path="/api(/|$)(.*)", kind="ImplementationSpecific")

CASES: list[Case] = [
    case(
        "a rewrite takes what its groups caught, and leaves the query",
        {"rewrite-target": "/$2"},
        (Ask(path="/api/users?page=2"), Want(target="/users?page=2")),
        (Ask(path="/api"), Want(target="/")),
        (Ask(path="/API/x"), Want(target="/x")),
        path=CAPTURE,
    ),
    case(
        "a rewrite without groups gives everybody the bare target",
        {"rewrite-target": "/"},
        (Ask(path="/api/x"), Want(target="/")),
        path=Path(path="/api"),
    ),
    case(
        "a rewrite to the path itself does nothing and asks for no patterns",
        {"rewrite-target": "/"},
        (Ask(path="/bar"), Want(seen="echo", target="/bar")),
        (Ask(path="/foobar"), Want(seen="echo", target="/foobar")),
        (Ask(path="/foo"), Want(seen="other")),
        others=(Other(paths=(Path(path="/foo", service="other"),)),),
    ),
    case(
        "a group that took no part is empty",
        {"rewrite-target": "/v1/$3"},
        (Ask(path="/api/x"), Want(target="/v1/")),
        path=CAPTURE,
    ),
    case(
        "an absolute target is a redirect",
        {"rewrite-target": "https://new.example/$2"},
        (Ask(path="/api/x"), Want(status=302, headers={"location": "https://new.example/x"}, seen=None)),
        path=CAPTURE,
    ),
    case(
        "the prefix that was taken away is told",
        {"rewrite-target": "/$2", "x-forwarded-prefix": "/api"},
        (Ask(path="/api/x"), Want(target="/x", sent={"x-forwarded-prefix": "/api"})),
        path=CAPTURE,
    ),
    case(
        "the prefix is told only where something is rewritten",
        {"x-forwarded-prefix": "/api"},
        (Ask(path="/api/x"), Want(target="/api/x", sent={"x-forwarded-prefix": None})),
        path=Path(path="/api"),
    ),
    case(
        "a pattern",
        {"use-regex": "true"},
        (Ask(path="/v7/users"), Want(target="/v7/users")),
        (Ask(path="/V7/users/1"), Want()),
        (Ask(path="/vx/users"), Want(status=404, seen=None)),
        path=Path(path="/v[0-9]+/users", kind="ImplementationSpecific"),
    ),
    case(
        "patterns make all paths of the host patterns",
        {"use-regex": "true"},
        (Ask(path="/foobar"), Want(seen="other")),
        (Ask(path="/FOO"), Want(seen="other")),
        (Ask(path="/exact/below"), Want(seen="other")),
        path=Path(path="/p/[0-9]"),
        others=(Other(paths=(Path(path="/foo", service="other"), Path(path="/exact", kind="Exact", service="other"))),),
    ),
    case(
        "unless they keep it to their own paths",
        {"use-regex": "true", "ingressd.io/regex-scope": "path"},
        (Ask(path="/foobar"), Want(status=404, seen=None)),
        (Ask(path="/foo"), Want(seen="other")),
        (Ask(path="/p/7"), Want(seen="echo")),
        path=Path(path="/p/[0-9]"),
        others=(Other(paths=(Path(path="/foo", service="other"),)),),
    ),
    case(
        "the longest declared text is asked first, pattern or not",
        {"use-regex": "true"},
        (Ask(path="/foo/bar/bar"), Want(seen="echo")),
        (Ask(path="/foo/bar/1"), Want(seen="other")),
        paths=(
            Path(path="/foo/bar/[a-z]{3}"),
            Path(path="/foo/bar/bar", service="none"),
            Path(path="/f", service="other"),
        ),
    ),
    case(
        "Prefix and Exact of a plain host",
        {},
        (Ask(path="/foo"), Want(seen="other")),
        (Ask(path="/foo/x"), Want(seen="echo")),
        (Ask(path="/foobar"), Want(status=404, seen=None)),
        (Ask(path="/Foo"), Want(status=404, seen=None)),
        paths=(Path(path="/foo"), Path(path="/foo", kind="Exact", service="other")),
    ),
    case(
        "a path with a closing slash redirects to itself",
        {},
        (Ask(path="/foo/x"), Want(seen="echo")),
        (Ask(path="/foo?a=1"), Want(status=301, headers={"location": "http://{host}/foo/?a=1"}, seen=None)),
        path=Path(path="/foo/"),
        shows=("automatic-slash",),
    ),
    case(
        "the root of an application",
        {"app-root": "/app"},
        (Ask(path="/?q=1"), Want(status=302, headers={"location": "http://{host}/app"}, seen=None)),
        (Ask(path="/other"), Want(target="/other")),
    ),
    case(
        "other names of a host",
        {"server-alias": "alias.example,*.more.example"},
        (Ask(host="alias.example"), Want(sent={"host": "alias.example"})),
        (Ask(host="x.more.example"), Want(sent={"host": "x.more.example"})),
        (Ask(host="x.y.more.example"), Want(status=404, seen=None)),
    ),
    case(
        "an alias yields to an Ingress that owns the name",
        {"server-alias": "owned.example"},
        (Ask(host="owned.example"), Want(seen="other")),
        others=(Other(host="owned.example", paths=(Path(service="other"),)),),
    ),
    case(
        "an older Ingress keeps its path",
        {},
        (Ask(), Want(seen="echo")),
        others=(Other(paths=(Path(service="other"),)),),
    ),
    case(
        "who probes by address is told that we are well",
        {},
        (Ask(host="10.0.0.7:30080", path="/healthz"), Want(status=200, seen=None)),
        (Ask(host="10.0.0.7:30080", path="/healthz/x"), Want(status=404, seen=None)),
        (Ask(path="/healthz"), Want(seen="echo", target="/healthz")),
    ),
    case(
        "a rule of a host without paths goes to the default backend",
        {},
        (Ask(path="/x"), Want(seen="other")),
        paths=(),
        default="other",
    ),
]
