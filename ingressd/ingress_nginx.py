"""Command lines written for ingress-nginx's controller: changing the image of a Deployment is to be enough.

Its program's name as the first argument means ``run`` with its defaults. Flags that have an equivalent have the same
name in ``cli``. The others are taken here: those that tuned what is not there are passed over, those whose effect
somebody may miss are named in the log. A flag in neither list stays unknown, and ends the start.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

PROGRAM: Final = "/nginx-ingress-controller"
DEFAULTS: Final = {
    "ingress_class": "nginx",
    "controller_class": "k8s.io/ingress-nginx",
    "election_id": "ingress-nginx-leader",
    "metrics_names": "both",
}
"""By name of the option; for those who say that they stand in for that program."""

_WEBHOOK = "nobody answers the admission webhook: delete its ValidatingWebhookConfiguration, else Ingresses are refused"
_NO_L4 = "TCP and UDP services are not forwarded: give them a Service of their own"
_NO_GEOIP = "there are no GeoIP variables"
_MISSED: Final = {
    "validating-webhook": _WEBHOOK,
    "tcp-services-configmap": _NO_L4,
    "udp-services-configmap": _NO_L4,
    "maxmind-license-key": _NO_GEOIP,
    "maxmind-mirror": _NO_GEOIP,
    "report-node-internal-ip-address": "addresses of nodes are not published: give --publish-status-address",
    "enable-ssl-chain-completion": "missing intermediate certificates are not fetched: put them into the Secret",
    "enable-topology-aware-routing": "endpoints of every zone get requests",
    "health-check-path": "liveness is at /healthz, readiness at /readyz",
}
"""Flag and what is different without it."""
_AS_EXPECTED: Final = {"health-check-path": "/healthz"}  # with this value nothing is different

_SWITCHES: Final = frozenset(
    (
        "add_dir_header", "alsologtostderr", "deep-inspect", "disable-full-test", "disable-leader-election",
        "disable-sync-events", "enable-annotation-validation", "enable-metrics", "enable-ssl-chain-completion",
        "enable-topology-aware-routing", "exclude-socket-metrics", "logtostderr", "metrics-per-host",
        "metrics-per-undefined-host", "one_output", "profiling", "report-node-internal-ip-address",
        "report-status-classes", "skip_headers", "skip_log_headers", "update-status-on-shutdown",
    )
)  # fmt: skip
"""Take no value of their own (``--flag`` or ``--flag=true``), as Go programs have it."""
_WITH_VALUE: Final = frozenset(
    (
        "bucket-factor", "default-server-port", "dynamic-configuration-retries", "election-ttl", "health-check-path",
        "health-check-timeout", "internal-logger-address", "length-buckets", "log_backtrace_at", "log_dir", "log_file",
        "log_file_max_size", "max-buckets", "maxmind-edition-ids", "maxmind-license-key", "maxmind-mirror",
        "maxmind-retries-count", "maxmind-retries-timeout", "monitor-max-batch-size", "post-shutdown-grace-period",
        "profiler-port", "size-buckets", "ssl-passthrough-proxy-port", "status-port", "status-update-interval",
        "stderrthreshold", "stream-port", "sync-period", "sync-rate-limit", "tcp-services-configmap", "time-buckets",
        "udp-services-configmap", "validating-webhook", "validating-webhook-certificate", "validating-webhook-key",
        "vmodule",
    )
)  # fmt: skip
_SAME: Final = {"healthz-host": "--admin-address"}
_VERBOSE: Final = ("v", 3)  # klog's verbosity, and from which level on it is what we call debug
_OFF: Final = frozenset(("false", "f", "0"))


class Translated(Struct, frozen=True):
    """A command line without what was only for ingress-nginx, and what its writer should know of that."""

    arguments: tuple[str, ...]
    remarks: tuple[str, ...]


def translate(arguments: Sequence[str]) -> Translated:
    """Of arguments without the program's name."""
    kept: list[str] = []
    remarks: list[str] = []
    waiting = list(reversed(arguments))
    while waiting:
        argument = waiting.pop()
        flag, has_value, value = argument.partition("=")
        name = flag.lstrip("-")
        if not flag.startswith("-") or name not in _SWITCHES | _WITH_VALUE | _SAME.keys() | {_VERBOSE[0]}:
            kept.append(argument)
            continue
        if not has_value and name not in _SWITCHES and waiting:
            value = waiting.pop()
        if name in _SAME:
            kept.append(f"{_SAME[name]}={value}")
        elif name == _VERBOSE[0]:
            kept += ["--log-level=debug"] if value.isdecimal() and int(value) >= _VERBOSE[1] else []
        elif name in _MISSED and value.lower() not in _OFF and value != _AS_EXPECTED.get(name):
            remarks.append(f"--{name} has no effect: {_MISSED[name]}")
    return Translated(tuple(kept), tuple(remarks))
