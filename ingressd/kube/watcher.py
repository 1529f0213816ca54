"""Hears of changes in directories from the kernel and says so on the loop. One thread, asleep nearly always."""

import asyncio
import threading
from collections.abc import Callable, Collection
from typing import Final

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

STEP_MS: Final = 40
"""How long changes are gathered, and how fast close() is noticed."""

POLL_S: Final = 0.5


class Watcher:
    """Watches directories, not what is below them. Once it is made, no change goes unheard.

    ``on_paths`` is called on the loop with the paths that changed. ``is_polling`` tells that the kernel would not
    watch (its limit of watches is reached, say); then ``on_paths`` is called with None, twice a second: look yourself.
    (The library's own polling sees only whole seconds of a file's time, and so misses every second change of one.)
    """

    def __init__(self, directories: Collection[str], on_paths: Callable[[Collection[str] | None], None]) -> None:
        """Raises FileNotFoundError when a directory is not there any more."""
        self._loop = asyncio.get_running_loop()
        self._on_paths = on_paths
        self._closed = threading.Event()
        notify = _notify(list(directories))
        self.is_polling = notify is None
        self._thread = threading.Thread(target=self._run, args=(notify,), name="manifest-watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No call of ``on_paths`` follows. The thread ends within a step; nobody has to wait for it."""
        self._closed.set()

    def _run(self, notify: RustNotify | None) -> None:
        try:
            if notify is None:
                self._poll()
            else:
                self._follow(notify)
        except RuntimeError:
            pass  # the loop is closed
        finally:
            if notify is not None:
                notify.close()

    def _follow(self, notify: RustNotify) -> None:
        while not self._closed.is_set():
            changes = notify.watch(STEP_MS * 4, STEP_MS, 0, self._closed)
            if isinstance(changes, set):
                self._loop.call_soon_threadsafe(self._deliver, {path for _, path in changes})

    def _poll(self) -> None:
        while not self._closed.wait(POLL_S):
            self._loop.call_soon_threadsafe(self._deliver, None)

    def _deliver(self, paths: Collection[str] | None) -> None:
        if not self._closed.is_set():
            self._on_paths(paths)


def _notify(directories: list[str]) -> RustNotify | None:
    """None when the kernel refuses. Raises FileNotFoundError."""
    try:
        return RustNotify(directories, False, False, 0, False, True)
    except FileNotFoundError:
        raise
    except (OSError, WatchfilesRustInternalError):
        return None
