"""Which rule a request meets, as data: the tables of the Ingress v1 documentation and what they leave open.

The same cases run through the pure matcher, the table, the compiler and a socket. Each says the rules, what is asked
(``host`` as sent in the Host field, ``path`` as in the request line) and the Service that must answer; None is a 404.
"""

from typing import NamedTuple

from ingressd.http.target import normalise_host, parse_target
from ingressd.model.objects import Ingress
from tests.support.objects import ingress, rule
from tests.support.objects import path as declared_path


class Rule(NamedTuple):
    """One path of an Ingress: ``host`` "" is any host; ``service`` is the Service that answers, at port 80."""

    host: str
    path_type: str
    path: str
    service: str


class Case(NamedTuple):
    rules: tuple[Rule, ...]
    host: str
    path: str
    expected: str | None

    @property
    def normal_host(self) -> str:
        """The host as routing sees it: lower case, no port, no trailing dot."""
        return normalise_host(self.host)

    @property
    def normal_path(self) -> str:
        """The path as routing sees it."""
        return parse_target(self.path).path

    def ingress(self) -> Ingress:
        """One Ingress with all rules."""
        return ingress(
            "case",
            *(rule(one.host, declared_path(one.path_type, one.path, f"{one.service}:80")) for one in self.rules),
        )


HOST = "foo.com"


def _paths(*declared: tuple[str, str]) -> tuple[Rule, ...]:
    """Rules of one host; the Service of the n-th is ``s1``, ``s2``, …"""
    return tuple(Rule(HOST, kind, path, f"s{number}") for number, (kind, path) in enumerate(declared, 1))


def _title(declared: tuple[tuple[str, str], ...]) -> str:
    return " + ".join(f"{kind} {path}" for kind, path in declared)


def _path_cases() -> dict[str, Case]:
    """Declared paths → request path → the Service of the n-th declared path, or None."""
    table: list[tuple[tuple[tuple[str, str], ...], dict[str, str | None]]] = [
        ((("Exact", "/foo"),), {"/foo": "s1", "/foo/": None, "/FOO": None, "/bar": None, "/foo/x": None, "/": None}),
        ((("Exact", "/foo/"),), {"/foo/": "s1", "/foo": None}),
        ((("Exact", "/"),), {"/": "s1", "/x": None}),
        ((("Prefix", "/foo"),), {"/foo": "s1", "/foo/": "s1", "/foo/x": "s1", "/FOO": None, "/foobar": None}),
        ((("Prefix", "/foo/"),), {"/foo": "s1", "/foo/": "s1", "/foo/x": "s1", "/FOO": None, "/foobar": None}),
        ((("Prefix", "/aaa/bb"),), {"/aaa/bbb": None, "/aaa/bb": "s1", "/aaa/bb/": "s1"}),
        (
            (("Prefix", "/aaa/bbb"),),
            {"/aaa/bbb": "s1", "/aaa/bbb/": "s1", "/aaa/bbb/ccc": "s1", "/aaa/bbbxyz": None, "/aaa": None},
        ),
        ((("Prefix", "/aaa/bbb/"),), {"/aaa/bbb": "s1", "/aaa/bbb/": "s1", "/aaa": None}),
        ((("Prefix", "/"),), {"/": "s1", "/x": "s1", "/x/y": "s1"}),
        (
            (("Prefix", "/"), ("Prefix", "/aaa"), ("Prefix", "/aaa/bbb")),
            {"/aaa/bbb": "s3", "/aaa/bbb/x": "s3", "/aaa/ccc": "s2", "/aaa": "s2", "/ccc": "s1", "/": "s1"},
        ),
        ((("Prefix", "/foo"), ("Exact", "/foo")), {"/foo": "s2", "/foo/": "s1", "/foo/x": "s1"}),
        ((("Exact", "/foo/"), ("Prefix", "/foo")), {"/foo/": "s1", "/foo": "s2"}),
        ((("Exact", "/a/b"), ("Prefix", "/a/b/c"), ("Prefix", "/")), {"/a/b": "s1", "/a/b/c": "s2", "/a/b/d": "s3"}),
        ((("ImplementationSpecific", "/foo"),), {"/foo": "s1", "/foo/x": "s1", "/foobar": None}),
        ((("ImplementationSpecific", ""),), {"/": "s1", "/x": "s1"}),
        ((("Prefix", "/~user"),), {"/%7Euser": "s1", "/~user/x": "s1"}),
        ((("Prefix", "/%7euser"),), {"/~user": "s1"}),
        ((("Prefix", "/caf\u00e9"),), {"/caf%c3%a9": "s1", "/caf%C3%A9/x": "s1", "/cafe": None}),
        ((("Prefix", "/a%3ab"),), {"/a%3Ab": "s1", "/a%3ab": "s1", "/a:b": None}),
        ((("Prefix", "/secret"), ("Prefix", "/")), {"/open/../secret": "s1", "/./secret": "s1", "//secret": "s1"}),
    ]
    return {
        f"{_title(declared)}: {asked}": Case(_paths(*declared), HOST, asked, answer)
        for declared, answers in table
        for asked, answer in answers.items()
    }


def _host_cases() -> dict[str, Case]:
    """Declared hosts → request (host, path) → the Service that answers."""
    exact = Rule("foo.com", "Prefix", "/", "exact")
    upper = Rule("FOO.Com", "Prefix", "/", "upper")
    wildcard = Rule("*.foo.com", "Prefix", "/", "wildcard")
    deeper = Rule("*.bar.foo.com", "Prefix", "/", "deeper")
    named = Rule("bar.foo.com", "Prefix", "/named", "named")
    anyone = Rule("", "Prefix", "/", "anyone")
    table: list[tuple[str, tuple[Rule, ...], dict[tuple[str, str], str | None]]] = [
        (
            "name",
            (exact,),
            {
                ("foo.com", "/"): "exact",
                ("FOO.com", "/"): "exact",
                ("foo.com:8080", "/"): "exact",
                ("foo.com.", "/"): "exact",
                ("Foo.Com.:8080", "/"): "exact",
                ("bar.foo.com", "/"): None,
                ("foo.com.org", "/"): None,
                ("xfoo.com", "/"): None,
            },
        ),
        ("upper-case name", (upper,), {("foo.com", "/"): "upper", ("FOO.COM", "/"): "upper"}),
        (
            "wildcard",
            (wildcard,),
            {
                ("bar.foo.com", "/"): "wildcard",
                ("BAR.foo.com:80", "/"): "wildcard",
                ("baz.bar.foo.com", "/"): None,
                ("foo.com", "/"): None,
            },
        ),
        ("any", (anyone,), {("foo.com", "/"): "anyone", ("10.0.0.1", "/x"): "anyone", ("[::1]", "/"): "anyone"}),
        (
            "name, wildcard, any",
            (anyone, wildcard, deeper, named),
            {
                ("bar.foo.com", "/named"): "named",
                ("baz.foo.com", "/named"): "wildcard",
                ("x.bar.foo.com", "/"): "deeper",
                ("x.y.bar.foo.com", "/"): "anyone",
                ("foo.com", "/"): "anyone",
            },
        ),
        # The API text is silent on a path miss; a less specific rule must not open what a host's owner left closed.
        (
            "a miss stays on its host",
            (anyone, wildcard, named, Rule("*.baz.com", "Prefix", "/only", "only")),
            {("bar.foo.com", "/other"): None, ("x.baz.com", "/other"): None},
        ),
    ]
    return {
        f"{title}: {host}{path}": Case(rules, host, path, answer)
        for title, rules, asked in table
        for (host, path), answer in asked.items()
    }


PATH_CASES = _path_cases()
HOST_CASES = _host_cases()
CASES = PATH_CASES | HOST_CASES
