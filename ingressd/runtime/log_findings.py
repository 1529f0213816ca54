"""What is wrong with the access log that the controller's ConfigMap asks for: only ``telemetry`` can tell."""

from functools import lru_cache

from ingressd.model.cluster import Key
from ingressd.model.finding import Finding
from ingressd.policy.pattern import PatternError, compile_pattern
from ingressd.policy.policies import LogFormat as Wanted
from ingressd.telemetry.log_format import FormatError, LogFormat


@lru_cache(maxsize=4)
def log_findings(wanted: Wanted, config_map: Key | None) -> tuple[Finding, ...]:
    """Workers keep the JSON lines when a format cannot be used, and log what an expression was to leave out."""
    if config_map is None:
        return ()
    found = []
    problem = _format_problem(wanted.template)
    if problem:
        found.append(_finding(config_map, "log-format-upstream", f"{problem}; the log keeps its own format"))
    for entry in wanted.skip_targets:
        try:
            if entry.startswith("~"):
                compile_pattern(entry[1:].removeprefix("*"))
        except PatternError as error:
            found.append(_finding(config_map, "skip-access-log-urls", f"{error}; what it would leave out is logged"))
    return tuple(found)


def _format_problem(template: str) -> str:
    try:
        if template:
            LogFormat(template)
    except FormatError as error:
        return str(error)
    return ""


def _finding(config_map: Key, key: str, message: str) -> Finding:
    namespace, name = config_map
    return Finding(
        kind="ConfigMap",
        namespace=namespace,
        name=name,
        level="error",
        reason="BadConfigMapValue",
        field=f"data.{key}",
        message=message,
    )
