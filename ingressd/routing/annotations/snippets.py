"""What a snippet does, as typed annotations that do the same safely; and what has no equivalent. Never executed.

Known are the idioms that most snippets consist of: headers set, added, cleared; ``return``; ``if`` on user agent, host
and scheme; ``allow`` and ``deny``; settings that have an annotation of their own.
"""

import re

from msgspec import Struct

from ingressd.routing.annotations.nginx_text import Directive, Unreadable, read_directives
from ingressd.routing.annotations.row import BadValue
from ingressd.routing.annotations.table import ANNOTATIONS
from ingressd.routing.annotations.values import nginx_time

_PREFIX = "ingressd.io"
_SHOWN_VALUE = 120
_SHOWN_NAME = 40

_SETTINGS = {
    "client_max_body_size": "proxy-body-size",
    "proxy_buffer_size": "proxy-buffer-size",
    "proxy_buffering": "proxy-buffering",
    "proxy_request_buffering": "proxy-request-buffering",
    "proxy_http_version": "proxy-http-version",
    "proxy_next_upstream_tries": "proxy-next-upstream-tries",
    "proxy_ssl_name": "proxy-ssl-name",
    "proxy_ssl_server_name": "proxy-ssl-server-name",
    "proxy_ssl_verify": "proxy-ssl-verify",
    "satisfy": "satisfy",
}
_TIMES = {
    "proxy_connect_timeout": "proxy-connect-timeout",
    "proxy_next_upstream_timeout": "proxy-next-upstream-timeout",
    "proxy_read_timeout": "proxy-read-timeout",
    "proxy_send_timeout": "proxy-send-timeout",
}
# Done without being asked: headers that every upstream request has, and the upgrade of WebSockets.
_ALREADY = {
    ("host", "$host"),
    ("host", "$http_host"),
    ("host", "$best_http_host"),
    ("x-real-ip", "$remote_addr"),
    ("x-forwarded-for", "$remote_addr"),
    ("x-forwarded-for", "$proxy_add_x_forwarded_for"),
    ("x-forwarded-host", "$host"),
    ("x-forwarded-host", "$http_host"),
    ("x-forwarded-proto", "$scheme"),
    ("x-forwarded-proto", "$pass_access_scheme"),
    ("x-forwarded-port", "$server_port"),
    ("x-request-id", "$req_id"),
    ("x-scheme", "$scheme"),
    ("upgrade", "$http_upgrade"),
    ("connection", "upgrade"),
    ("connection", "$connection_upgrade"),
}
# Directives that keep somebody out: without them a route may be more open than it was.
_PROTECTING = re.compile(
    r"allow|deny|limit_(?:except|req|conn)|auth_\w+|satisfy|valid_referers|internal|ssl_(?:verify_client|client_certificate)"
    r"|(?:access|rewrite)_by_lua\w*|modsecurity\w*|secure_link\w*"
)


class Suggestion(Struct, frozen=True):
    """An annotation, by its whole name, and its value."""

    annotation: str
    value: str

    def __str__(self) -> str:
        value = self.value if len(self.value) <= _SHOWN_VALUE else self.value[:_SHOWN_VALUE] + "…"
        return f"{self.annotation}: {value!r}"


class SnippetReport(Struct, frozen=True):
    """``others`` names directives without an equivalent. ``protects``: it keeps somebody out."""

    suggestions: tuple[Suggestion, ...] = ()
    others: tuple[str, ...] = ()
    protects: bool = False


def read_snippet(text: str, *, is_auth: bool = False) -> SnippetReport:
    """What the text of a snippet does. Never raises.

    What is suggested holds for the paths of the Ingress; a server-snippet's may be wanted on other Ingresses of the
    host too. ``is_auth``: an auth-snippet, whose headers are for the auth service (``auth-proxy-set-headers``), so
    that none of it has an equivalent that can be written down as a value.
    """
    try:
        directives = read_directives(text)
    except Unreadable as error:
        return SnippetReport(others=(f"the whole text ({error})",), protects=True)
    return _Reader().read(directives, is_auth)


def _protects(directive: Directive) -> bool:
    if _PROTECTING.fullmatch(directive.name):
        return True
    if directive.name == "return" and directive.arguments[:1] and directive.arguments[0].startswith("4"):
        return True
    return any(_protects(inner) for inner in directive.block)


class _Reader:
    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._others: list[str] = []
        self._access: list[Directive] = []

    def read(self, directives: tuple[Directive, ...], is_auth: bool) -> SnippetReport:
        for directive in directives:
            if is_auth:
                self._other(directive)
            elif directive.name in ("allow", "deny"):
                self._access.append(directive)
            elif not self._knows(directive):
                self._other(directive)
        if self._access and not self._lists():
            for directive in self._access:
                self._other(directive)
        suggestions = tuple(
            Suggestion(f"{_PREFIX}/{name}", ("," if name.endswith("-range") else "\n").join(dict.fromkeys(values)))
            for name, values in self._found.items()
        )
        return SnippetReport(suggestions, tuple(dict.fromkeys(self._others)), any(map(_protects, directives)))

    def _other(self, directive: Directive) -> None:
        name = f"if {directive.arguments[0]}…" if _is_if(directive) else directive.name
        self._others.append(name[:_SHOWN_NAME])

    def _suggest(self, name: str, value: str) -> bool:
        """Only what the annotation's own parser takes is suggested; nginx's variables have no equivalent."""
        if "$" in value and not ANNOTATIONS[name].kind.name.startswith("expression"):
            return False
        try:
            ANNOTATIONS[name].kind.parse(value)
        except BadValue:
            return False
        self._found.setdefault(name, []).append(value)
        return True

    def _knows(self, directive: Directive) -> bool:
        name, arguments = directive.name, directive.arguments
        if name == "if":
            return self._if(directive)
        if directive.block or not arguments:
            return False
        match name:
            case "more_set_headers":
                return self._lines(arguments, "response-headers")
            case "more_set_input_headers":
                return self._lines(arguments, "request-headers")
            case "more_clear_headers" | "proxy_hide_header":
                return self._names(arguments, "response-headers-remove")
            case "more_clear_input_headers":
                return self._names(arguments, "request-headers-remove")
            case "add_header":
                return self._header("response-headers", arguments[0], arguments[1:2])
            case "proxy_set_header":
                return self._proxy_set_header(arguments)
            case "return":
                return self._return(arguments)
        return self._setting(name, " ".join(arguments))

    def _setting(self, name: str, value: str) -> bool:
        if name in _SETTINGS:
            return self._suggest(_SETTINGS[name], value)
        if name in _TIMES:
            try:
                return self._suggest(_TIMES[name], str(max(1, round(nginx_time(value)))))
            except BadValue:
                return False
        return False

    # ── headers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lines(self, lines: tuple[str, ...], which: str) -> bool:
        """``"Name: value"``…; options (``-s 404``) make it depend on the answer, which has no equivalent."""
        if any(line.startswith("-") for line in lines):
            return False
        known = [self._header(which, name, (value,)) for name, _, value in (line.partition(":") for line in lines)]
        return all(known)

    def _names(self, names: tuple[str, ...], annotation: str) -> bool:
        if any(name.startswith("-") or "*" in name for name in names):
            return False
        known = [self._suggest(annotation, name) for line in names for name in re.split(r"[,\s]+", line) if name]
        return all(known)

    def _header(self, which: str, name: str, value: tuple[str, ...]) -> bool:
        """No value, or an empty one, removes the header."""
        text = value[0].strip() if value else ""
        return self._suggest(f"{which}-set", f"{name}: {text}") if text else self._suggest(f"{which}-remove", name)

    def _proxy_set_header(self, arguments: tuple[str, ...]) -> bool:
        name, value = arguments[0], " ".join(arguments[1:])
        if (name.lower(), value.lower()) in _ALREADY:
            return True
        if name.lower() == "host":
            return self._suggest("upstream-vhost", value)
        return self._header("request-headers", name, (value,))

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _return(self, arguments: tuple[str, ...]) -> bool:
        if len(arguments) == 1 and not arguments[0].isdigit():
            arguments = ("302", arguments[0])
        code, text = arguments[0], " ".join(arguments[1:])
        if code == "301" and text.startswith("http"):
            return self._suggest("permanent-redirect", text)
        if code == "302" and text.startswith("http"):
            return self._suggest("temporal-redirect", text)
        if code == "444":  # nginx closes the connection without an answer
            code = "403"
        return self._suggest("respond", f"{code} {text}".strip())

    def _if(self, directive: Directive) -> bool:
        condition = " ".join(directive.arguments).removeprefix("(").removesuffix(")").strip()
        variable, _, rest = condition.partition(" ")
        operator, _, operand = rest.strip().partition(" ")
        then = directive.block
        if len(then) != 1 or then[0].name != "return":
            return False
        answer = then[0].arguments
        if variable == "$http_user_agent":
            return answer in (("403",), ("444",)) and self._user_agent(operator, operand.strip())
        if not answer or answer[0] not in ("301", "302", "307", "308"):
            return False
        if (variable, operator) in (("$scheme", "="), ("$http_x_forwarded_proto", "="), ("$https", "=")):
            return operand in ("http", '""', "") and self._suggest("force-ssl-redirect", "true")
        if (variable, operator, operand) in (
            ("$scheme", "!=", "https"),
            ("$http_x_forwarded_proto", "!=", "https"),
        ):
            return self._suggest("force-ssl-redirect", "true")
        if variable == "$host" and operator == "=" and len(answer) == 2:
            return self._www(operand, answer[1])
        return False

    def _user_agent(self, operator: str, operand: str) -> bool:
        match operator:
            case "~*":
                return self._suggest("deny-user-agents", f"(?i){operand}")
            case "~":
                return self._suggest("deny-user-agents", operand)
            case "=":
                return self._suggest("deny-user-agents", f"^{re.escape(operand)}$")
        return False

    def _www(self, host: str, target: str) -> bool:
        to = re.fullmatch(r"(?:https?|\$scheme)://([^/$]+)(?:/?\$request_uri)?", target)
        if to is None or host.removeprefix("www.") != to[1].removeprefix("www.") or host == to[1]:
            return False
        return self._suggest("from-to-www-redirect", "true")

    # ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _lists(self) -> bool:
        """``deny``s, then ``allow``s, then ``deny all`` or ``allow all``: the first match counts, as with our lists."""
        steps = [(one.name, " ".join(one.arguments)) for one in self._access]
        denied = []
        while steps and steps[0][0] == "deny" and steps[0][1] != "all":
            denied.append(steps.pop(0)[1])
        allowed = []
        while steps and steps[0][0] == "allow" and steps[0][1] != "all":
            allowed.append(steps.pop(0)[1])
        if steps not in ([], [("allow", "all")], [("deny", "all")]):
            return False
        known = [self._suggest("denylist-source-range", one) for one in denied]
        if steps == [("deny", "all")]:
            if not allowed:
                known.append(self._suggest("respond", "403"))
            known += [self._suggest("allowlist-source-range", one) for one in allowed]
        return all(known)


def _is_if(directive: Directive) -> bool:
    return directive.name == "if" and bool(directive.arguments)
