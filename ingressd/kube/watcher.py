"""Hears of changes in directories from the kernel and says so on the loop. One thread, asleep nearly always."""

import asyncio
import threading
from collections.abc import Callable, Collection
from typing import Final

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

STEP_MS: Final = 40
"""How long changes are gathered, and how fast close() is noticed."""

POLL_DELAY_MS: Final = 300


class Watcher:
    """Watches directories, not what is below them. Once it is made, no change goes unheard.

    ``on_paths`` is called on the loop with the paths that changed. ``is_polling`` tells that the kernel would not
    watch (its limit of watches is reached, say) and that directories are looked at three times a second instead.
    """

    def __init__(self, directories: Collection[str], on_paths: Callable[[Collection[str]], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_paths = on_paths
        self._closed = threading.Event()
        self._notify, self.is_polling = _notify(list(directories))
        self._thread = threading.Thread(target=self._run, name="manifest-watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No call of ``on_paths`` follows. The thread ends within a step; nobody has to wait for it."""
        self._closed.set()

    def _run(self) -> None:
        try:
            while not self._closed.is_set():
                changes = self._notify.watch(STEP_MS * 4, STEP_MS, 0, self._closed)
                if isinstance(changes, set):
                    self._loop.call_soon_threadsafe(self._deliver, {path for _, path in changes})
        except RuntimeError:
            pass  # the loop is closed
        finally:
            self._notify.close()

    def _deliver(self, paths: Collection[str]) -> None:
        if not self._closed.is_set():
            self._on_paths(paths)


def _notify(directories: list[str]) -> tuple[RustNotify, bool]:
    """Raises FileNotFoundError when a directory went away meanwhile."""
    try:
        return RustNotify(directories, False, False, 0, False, True), False
    except FileNotFoundError:
        raise
    except (OSError, WatchfilesRustInternalError):
        return RustNotify(directories, False, True, POLL_DELAY_MS, False, True), True
