"""Arguments to Settings to runtime; nothing else. Which flags there are is in ``flags``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ingressd import ingress_nginx
from ingressd.errors import StartError, UsageError
from ingressd.flags import Parser, build_parser, with_environment
from ingressd.runtime.cpus import usable_cpus
from ingressd.runtime.streams import open_standard_streams
from ingressd.settings import LimitSettings, RoutingSettings, Settings, SourceSettings, StatusSettings

COMMANDS = ("run", "demo", "routes", "check")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ingressd; returns the exit code of `docs/` and `ingressd --help`: 0 clean, 1 could not go on, 2 bad usage."""
    open_standard_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments and arguments[0] in COMMANDS else "run"
    parser = build_parser(command)
    try:
        arguments, remarks = _without_ingress_nginx(parser, command, arguments)
        options = parser.parse_intermixed_args(with_environment(parser, arguments, os.environ))
        return _dispatch(command, options, remarks)
    except UsageError as error:
        print(f"ingressd: {error}", file=sys.stderr)
        return 2
    except StartError as error:
        print(f"ingressd: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _without_ingress_nginx(parser: Parser, command: str, arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """What is left of a command line written for that controller, and what is to be said of the rest."""
    if command != "run":
        return arguments, ()
    if arguments[:1] == [ingress_nginx.PROGRAM]:
        parser.set_defaults(**ingress_nginx.DEFAULTS)
        del arguments[0]
    translated = ingress_nginx.translate(arguments)
    return list(translated.arguments), translated.remarks


def _dispatch(command: str, options: argparse.Namespace, remarks: tuple[str, ...]) -> int:
    # Imported here: a worker must never carry what only another command needs.
    if command == "routes":
        from ingressd.runtime.offline import print_routes

        return print_routes(_source(options), _routing(options), options.output)
    if command == "check":
        from ingressd.runtime.check import check

        reads_input = _take_paths(options)
        source = None if reads_input and not options.manifests else _source(options)
        return check(source, _routing(options), options.output, reads_input=reads_input)
    if command == "demo":
        from ingressd.demo.run import run_demo

        return run_demo(options.directory, options.http_port, options.https_port, options.admin_port, options.workers)
    settings = settings_from(options, remarks)
    from ingressd.runtime.supervisor import run

    return run(settings)


def _take_paths(options: argparse.Namespace) -> bool:
    """The paths of ``check`` are manifests, with which loopback endpoints are fine. Whether one is standard input."""
    if not options.paths:
        return False
    if options.kubeconfig is not None or options.context is not None:
        raise UsageError("both paths and a cluster are given: configuration comes from exactly one source")
    options.manifests = [*options.manifests, *(Path(path) for path in options.paths if path != "-")]
    if options.allow_loopback_endpoints is None:
        options.allow_loopback_endpoints = True
    return "-" in options.paths


def settings_from(options: argparse.Namespace, remarks: tuple[str, ...] = ()) -> Settings:
    """Settings of the daemon; ``remarks`` go to its log. Raises UsageError for values that no run could have meant."""
    if options.http_port == options.https_port != 0:
        raise UsageError(f"--http-port and --https-port are both {options.http_port}: give them different ports")
    return Settings(
        source=_source(options),
        routing=_routing(options),
        status=StatusSettings(
            update_status=options.update_status,
            publish_service=options.publish_service,
            publish_addresses=options.publish_status_address,
            election_id=options.election_id,
        ),
        limits=LimitSettings(**{name: getattr(options, name) for name in LimitSettings.__struct_fields__}),
        bind_address=options.bind_address,
        http_port=options.http_port,
        https_port=options.https_port,
        admin_port=options.healthz_port,
        admin_address=options.admin_address,
        workers=options.workers or usable_cpus(),
        shutdown_grace_s=options.shutdown_grace_period,
        drain_timeout_s=30.0 if options.drain_timeout is None else options.drain_timeout,
        drain_timeout_was_given=options.drain_timeout is not None,
        access_log=options.access_log,
        metrics_names=options.metrics_names,
        log_level=options.log_level,
        log_format=options.log_format or ("text" if sys.stderr.isatty() else "json"),
        remarks=remarks,
    )


def _routing(options: argparse.Namespace) -> RoutingSettings:
    allow_loopback = options.allow_loopback_endpoints
    return RoutingSettings(
        ingress_class=options.ingress_class,
        controller_class=options.controller_class,
        watch_ingress_without_class=options.watch_ingress_without_class,
        ingress_class_by_name=options.ingress_class_by_name,
        disable_catch_all=options.disable_catch_all,
        follow_external_names=not options.disable_svc_external_name,
        allow_loopback_endpoints=bool(options.manifests) if allow_loopback is None else allow_loopback,
        default_backend_service=options.default_backend_service,
        default_ssl_certificate=options.default_ssl_certificate,
        configmap=options.configmap,
        annotations_prefix=options.annotations_prefix,
        enable_ssl_passthrough=options.enable_ssl_passthrough,
    )


def _source(options: argparse.Namespace) -> SourceSettings:
    scope = {
        "watch_namespace": options.watch_namespace,
        "watch_namespace_selector": options.watch_namespace_selector,
    }
    if options.manifests and options.kubeconfig is not None:
        raise UsageError("--manifests and --kubeconfig are both given: configuration comes from exactly one source")
    if options.watch_namespace and options.watch_namespace_selector:
        raise UsageError("--watch-namespace and --watch-namespace-selector are both given: give one of them")
    if options.manifests:
        missing = [path for path in options.manifests if not path.exists()]
        if missing:
            flag = "" if str(missing[0]) in getattr(options, "paths", ()) else "--manifests "
            raise UsageError(f"{flag}{missing[0]}: there is no such file or directory")
        if options.watch_namespace_selector:
            message = "labels are asked of a cluster; with --manifests give --watch-namespace"
            raise UsageError(f"--watch-namespace-selector: {message}")
        return SourceSettings(kind="manifests", manifests=tuple(options.manifests), **scope)
    if options.kubeconfig is not None or options.context is not None:
        kubeconfig = options.kubeconfig or ""
        if kubeconfig and not Path(kubeconfig).is_file():
            raise UsageError(f"--kubeconfig {kubeconfig}: there is no such file")
        return SourceSettings(kind="kubeconfig", kubeconfig=kubeconfig, context=options.context, **scope)
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return SourceSettings(kind="in-cluster", **scope)
    paths = "PATHs of manifests" if hasattr(options, "paths") else "--manifests PATH"
    raise UsageError(
        f"no source of configuration: give {paths}, or --kubeconfig [FILE], or run inside a pod with a service account"
    )
