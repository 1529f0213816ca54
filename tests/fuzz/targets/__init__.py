"""The targets by name. Each takes any bytes, and raises unless ingressd accepts or refuses them rightly."""

from collections.abc import Callable

from tests.fuzz.targets import chunks, connection, head, path, response

Check = Callable[[bytes], None]
TARGETS: dict[str, Check] = {
    "head": head.check,
    "chunks": chunks.check,
    "path": path.check,
    "response": response.check,
    "connection": connection.check,
}
