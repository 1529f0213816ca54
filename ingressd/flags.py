"""The flags of each command: names, defaults, how a value is read. Each can also be given as INGRESSD_<FLAG>.

Where ingress-nginx has a flag for the same thing, ours has the same name.
"""

import argparse
import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ingressd.settings import Key, LimitSettings, RoutingSettings
from ingressd.version import __version__

_TRUE = frozenset(("1", "t", "true"))
_FALSE = frozenset(("0", "f", "false"))


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of below a page of usage. ``from_environment``: flag → variable."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.from_environment: dict[str, str] = {}

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {self._in_our_words(message)}; see `{self.prog} --help`\n")

    def _in_our_words(self, message: str) -> str:
        kind, _, rest = message.partition(": ")
        if kind == "unrecognized arguments":
            return self._unknown(rest.split()[0].partition("=")[0])
        if not kind.startswith("argument --"):
            return message
        names = kind.removeprefix("argument ")
        variables = [variable for name in names.split("/") if (variable := self.from_environment.get(name))]
        return f"{names}: {rest}" + (f" (from {variables[0]})" if variables else "")

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is neither a command ({', '.join(_DESCRIPTIONS)}) nor a flag"
        near = difflib.get_close_matches(word, [name for action in self._actions for name in action.option_strings], 1)
        return f"there is no flag {word}" + (f" (did you mean {near[0]}?)" if near else "")


def build_parser(command: str) -> Parser:
    """The parser of one command; ``run`` is the daemon."""
    parser = Parser(
        prog="ingressd" if command == "run" else f"ingressd {command}",
        description=_DESCRIPTIONS[command],
        epilog="Every flag can be given as an environment variable: INGRESSD_HTTP_PORT for --http-port.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ingressd {__version__}")
    if command == "demo":
        _add_demo(parser)
        return parser
    _add_source(parser)
    _add_routing(parser)
    if command in ("routes", "check"):
        what = "table" if command == "routes" else "report"
        parser.add_argument("--output", choices=("text", "json"), default="text", help=f"form of the {what}")
    if command == "check":
        parser.add_argument(
            "paths", nargs="*", metavar="PATH", help="manifests: files, directories, - for standard input"
        )
    if command != "run":
        return parser
    _add_listeners(parser)
    _add_limits(parser)
    _add_status(parser)
    _add_life(parser)
    _add_logs(parser)
    return parser


_DESCRIPTIONS = {
    "run": "Layer-7 reverse proxy and Kubernetes Ingress controller. Commands: run (may be left out), "
    "demo (a sample that needs nothing), check (report on manifests or a cluster, before moving to ingressd), "
    "routes (print the compiled table); see `ingressd COMMAND --help`.",
    "demo": "Start sample backends on loopback, write sample manifests and serve them with hot reload.",
    "routes": "Compile the source and print the routes the daemon would serve.",
    "check": "Compile manifests, or a cluster, exactly as the daemon would, and report: what is the same as in "
    "ingress-nginx, what differs, what is lost, what is wrong. Exit code: 0 clean, 1 a finding of level error, "
    "2 unusable input.",
}


def _add_source(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where configuration comes from (exactly one source)")
    group.add_argument(
        "--kubeconfig", nargs="?", const="", metavar="FILE",
        help="the cluster in FILE; without FILE the usual rules (KUBECONFIG, then ~/.kube/config)",
    )  # fmt: skip
    group.add_argument("--context", metavar="NAME", help="context of the kubeconfig")
    group.add_argument(
        "--manifests", action="append", type=Path, default=[], metavar="PATH",
        help="file or directory of YAML or JSON manifests, watched; repeatable",
    )  # fmt: skip
    group.add_argument("--watch-namespace", default="", metavar="NS", help="only this namespace")
    group.add_argument("--watch-namespace-selector", default="", metavar="SELECTOR", help="only namespaces with labels")


def _add_routing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which objects are served, and how")
    defaults = RoutingSettings()
    group.add_argument(
        "--ingress-class", type=_text, default=defaults.ingress_class, metavar="NAME", help="class name served"
    )
    group.add_argument(
        "--controller-class", type=_text, default=defaults.controller_class, metavar="NAME",
        help="spec.controller of the IngressClasses served",
    )  # fmt: skip
    _add_switch(group, "--watch-ingress-without-class", "also serve Ingresses that name no class")
    _add_switch(group, "--ingress-class-by-name", "also serve an IngressClass of our name with another controller")
    _add_switch(group, "--disable-catch-all", "ignore Ingresses that would catch every host")
    _add_switch(group, "--disable-svc-external-name", "do not follow ExternalName Services")
    _add_switch(
        group, "--allow-loopback-endpoints", "accept endpoint addresses on loopback (on with --manifests)", default=None
    )
    group.add_argument(
        "--default-backend-service", type=_key, metavar="NS/NAME", help="answers what no rule does (else a 404)"
    )
    group.add_argument(
        "--default-ssl-certificate", type=_key, metavar="NS/NAME", help="Secret for unknown names (else self-signed)"
    )
    _add_switch(group, "--enable-ssl-passthrough", "honour ssl-passthrough: TLS goes to the Service as it comes")
    group.add_argument("--configmap", type=_key, metavar="NS/NAME", help="global settings, ingress-nginx's keys")
    group.add_argument(
        "--annotations-prefix", type=_text, default=defaults.annotations_prefix, metavar="PREFIX",
        help="what annotations begin with; ingressd.io/ is always read too, and wins",
    )  # fmt: skip


def _add_listeners(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("listeners (port 0: a free one, the ready line says which)")
    group.add_argument("--bind-address", default="", metavar="ADDR", help="traffic ports; default: all, IPv4 and IPv6")
    group.add_argument("--http-port", type=_port, default=80, metavar="N", help="plain HTTP")
    group.add_argument("--https-port", type=_port, default=443, metavar="N", help="TLS")
    group.add_argument("--healthz-port", "--admin-port", type=_port, default=10254, metavar="N", help="admin server")
    group.add_argument("--admin-address", default="", metavar="ADDR", help="admin server; default: all")
    group.add_argument("--workers", type=_positive, default=None, metavar="N", help="serving processes (usable CPUs)")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what one client may cost (docs/security.md)")
    defaults = LimitSettings()

    def add(flag: str, field: str, kind: Callable[[str], object], unit: str, text: str) -> None:
        default = getattr(defaults, field)
        group.add_argument(flag, dest=field, type=kind, default=default, metavar=unit, help=text)

    add("--max-connections", "max_connections", _count, "N", "client connections per worker; 0: as descriptors allow")
    add("--max-connections-per-client", "max_connections_per_client", _count, "N", "of one address; 0: no limit")
    add("--keep-alive-requests", "keep_alive_requests", _count, "N", "requests on one connection")
    add("--keep-alive", "keep_alive_timeout_s", _seconds, "SECONDS", "an idle client connection is kept this long")
    add("--client-header-timeout", "header_timeout_s", _seconds, "SECONDS", "for a request head to arrive whole")
    add("--client-body-timeout", "body_timeout_s", _seconds, "SECONDS", "between two reads of a request body")
    add("--client-send-timeout", "send_timeout_s", _seconds, "SECONDS", "for a client to take more of its answer")
    add("--max-request-line-bytes", "max_request_line_bytes", _count, "BYTES", "method, target and version (414)")
    add("--max-header-bytes", "max_header_bytes", _count, "BYTES", "all header fields together (431)")
    add("--max-header-fields", "max_header_fields", _count, "N", "number of header fields (431)")
    add("--proxy-body-size", "max_body_bytes", _count, "BYTES", "request body (413); 0: no limit")
    group.add_argument(
        "--reuse-for-all", action="store_true",
        help="kept endpoint connections also for POST and the like: saves a connect, and may cost one of them a 502",
    )  # fmt: skip


def _add_status(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is written back to the cluster")
    group.add_argument(
        "--update-status", nargs="?", const=True, type=_boolean, default=True, metavar="BOOL",
        help="write status.loadBalancer of served Ingresses (leader only)",
    )  # fmt: skip
    group.add_argument("--publish-service", type=_key, metavar="NS/NAME", help="Service whose address is published")
    group.add_argument(
        "--publish-status-address", type=_addresses, default=(), metavar="ADDR,…", help="addresses to publish instead"
    )
    group.add_argument("--election-id", type=_text, default="ingressd-leader", metavar="NAME", help="name of the Lease")


def _add_life(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("stopping")
    group.add_argument(
        "--shutdown-grace-period", type=_seconds, default=0.0, metavar="SECONDS",
        help="keep serving this long after SIGTERM, with readiness failing",
    )  # fmt: skip
    group.add_argument(
        "--drain-timeout",
        type=_seconds,
        default=None,
        metavar="SECONDS",
        help="then open exchanges are given this long (worker-shutdown-timeout of the ConfigMap, else 30)",
    )


def _add_logs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("logs and metrics")
    group.add_argument("--access-log", default="-", metavar="FILE|-|off", help="JSON lines; - is standard output")
    group.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info", help="own log")
    group.add_argument("--log-format", choices=("text", "json"), default=None, help="text on a terminal, else json")
    group.add_argument(
        "--metrics-names", choices=("ingressd", "nginx", "both"), default="ingressd",
        help="what metrics of routes are called; nginx and both: ingress-nginx's names for whatever has an equivalent",
    )  # fmt: skip


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", nargs="?", type=Path, default=None, help="where to write (default: a new one)")
    parser.add_argument("--http-port", type=_port, default=8080, metavar="N", help="plain HTTP")
    parser.add_argument("--https-port", type=_port, default=8443, metavar="N", help="TLS")
    parser.add_argument(
        "--healthz-port", "--admin-port", dest="admin_port", type=_port, default=10254, metavar="N", help="admin server"
    )
    parser.add_argument("--workers", type=_positive, default=2, metavar="N", help="serving processes")


def _add_switch(group: argparse._ArgumentGroup, flag: str, text: str, default: bool | None = False) -> None:
    """A boolean as Go programs take it: ``--flag`` and ``--flag=false``."""
    group.add_argument(flag, nargs="?", const=True, default=default, type=_boolean, metavar="BOOL", help=text)


def with_environment(parser: Parser, arguments: list[str], environment: Mapping[str, str]) -> list[str]:
    """Flags from INGRESSD_* variables first, so that the command line has the last word."""
    given = {argument.partition("=")[0] for argument in arguments}
    extra: list[str] = []
    for action in parser._actions:
        if given.intersection(action.option_strings):
            continue  # what may be repeated must not be added to
        for option in action.option_strings:
            variable = "INGRESSD_" + option.lstrip("-").replace("-", "_").upper()
            value = environment.get(variable)
            if value is not None and option.startswith("--") and option not in ("--help", "--version"):
                parser.from_environment[option] = variable
                extra += [f"{option}={part}" for part in _repeated(action, value)]
    return extra + arguments


def _repeated(action: Any, value: str) -> list[str]:
    """``--manifests`` from the environment is a list like PATH: separated by colons."""
    return value.split(os.pathsep) if isinstance(action, argparse._AppendAction) else [value]


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 1 << 40:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1024")
    return int(text)


def _seconds(text: str) -> float:
    number = text.removesuffix("s")  # Go durations in whole seconds are common in manifests
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def _text(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("is empty")
    return text


def _key(text: str) -> Key:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME")
    return namespace, name


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(address for address in (part.strip() for part in text.split(",")) if address)
