"""What the watches tell telemetry, without knowing it."""

from typing import Protocol


class WatchObserver(Protocol):
    """Told what telemetry wants to know."""

    def restarted(self, kind: str) -> None:
        """A watch of this kind ended, for any reason, and is about to be opened again."""

    def event(self, kind: str, at: float) -> None:
        """The server said something about this kind: a list, events, a bookmark. ``at`` is seconds since the epoch."""


class NoObserver:
    def restarted(self, kind: str) -> None:
        pass

    def event(self, kind: str, at: float) -> None:
        pass
