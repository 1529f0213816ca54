"""What many owners remember, bounded together: each route has its own rules, and a cluster has thousands of routes."""

from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class SharedBound:
    """A bound of all dictionaries that are filled through it. When it is met all of them are emptied: what is asked
    for is soon there again. Looking things up is the owners' own and costs nothing more than that.
    """

    __slots__ = ("_count", "_filled", "_most")

    def __init__(self, most: int) -> None:
        """``most`` entries in all."""
        self._most = most
        self._count = 0
        self._filled: list[dict[Any, Any]] = []  # those that are not empty; their owners may be gone

    def remember(self, memory: dict[Key, Value], key: Key, value: Value, most: int) -> None:
        """Put a new ``key`` into ``memory``, which is emptied first when it holds ``most`` entries already."""
        if len(memory) >= most:
            self._count -= len(memory)
            memory.clear()
        elif not memory:
            self._filled.append(memory)
        if self._count >= self._most:
            for filled in self._filled:
                filled.clear()
            self._filled = [memory]
            self._count = 0
        memory[key] = value
        self._count += 1
