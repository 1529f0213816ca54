"""When to compile: in a quiet moment after a change, but not later than a ceiling."""

import asyncio


class HoldOff:
    """Coalesces changes. A burst is taken when it pauses for ``quiet_s``, or when its first change has waited for the
    ceiling: as long as acting took the last time, within ``ceiling_s`` (least and most).

    So a stream of changes that are cheap to act on is served promptly, and one of dear changes takes no more than half
    of a CPU.
    """

    def __init__(self, *, quiet_s: float = 0.05, ceiling_s: tuple[float, float] = (0.1, 1.0)) -> None:
        self._quiet_s = quiet_s
        self._least_s, self._most_s = ceiling_s
        self._ceiling_s = self._least_s
        self._changed = asyncio.Event()
        self._first_at: float | None = None
        self._last_at = 0.0

    def poke(self) -> None:
        """Something changed. Cheap; called once per event."""
        now = asyncio.get_running_loop().time()
        if self._first_at is None:
            self._first_at = now
        self._last_at = now
        self._changed.set()

    def acted(self, seconds: float) -> None:
        """Acting on what the last ``wait`` announced took so long."""
        self._ceiling_s = min(max(seconds, self._least_s), self._most_s)

    async def wait(self) -> float:
        """Wait for the next moment to act; returns the loop time of the first change it stands for."""
        await self._changed.wait()
        loop = asyncio.get_running_loop()
        while True:
            first_at = self._first_at if self._first_at is not None else self._last_at
            due = min(self._last_at + self._quiet_s, first_at + self._ceiling_s)
            pause = due - loop.time()
            if pause <= 0:
                break
            await asyncio.sleep(pause)
        self._changed.clear()
        self._first_at = None
        return first_at
