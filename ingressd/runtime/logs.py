"""Our own log: lines on standard error, as text for people or JSON for machines."""

import logging
import sys
from typing import Any

import orjson

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _JsonFormatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def set_up_logs(level: str, form: str, process: str) -> None:
    """Send the root logger to standard error. ``process`` names this process in every line."""
    sink = logging.StreamHandler(sys.stderr)
    if form == "json":
        sink.setFormatter(_JsonFormatter(process))
    else:
        sink.setFormatter(logging.Formatter(f"%(asctime)s %(levelname).1s {process} %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [sink]
    root.setLevel(_LEVELS[level])
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
