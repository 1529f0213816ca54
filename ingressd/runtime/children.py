"""The processes of a supervisor: how they are started, and how they are brought together.

When one is started is the supervisor's decision. Whatever of the parent's a child does not need it lets go of at once:
a socket of another worker that stayed open here would keep connections waiting for nobody.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Final

from ingressd.proxy.listener import Listener
from ingressd.runtime import links
from ingressd.runtime.worker import worker_main
from ingressd.settings import Settings

log = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""Those that the supervisor waits for."""


class Child:
    """A process of ours. ``link`` is our end; ``pid`` 0 while it waits to be started again, at ``start_at``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid = 0
        self.link: socket.socket | None = None
        self.started = 0.0
        self.last_beat = 0.0
        self.was_useful = False  # it got as far as it must: serving, or every worker serving
        self.early_deaths = 0
        self.start_at: float | None = 0.0

    def tell(self, message: bytes, descriptor: int | None = None) -> None:
        """Say it, if the child is there to hear it."""
        if self.link is not None:
            links.send(self.link, message, descriptor)


class WorkerChild(Child):
    """``listeners`` are its own sockets. They stay open here, so that what waits in them waits for its replacement."""

    def __init__(self, index: int, listeners: Sequence[Listener]) -> None:
        super().__init__(f"worker-{index}")
        self.index = index
        self.listeners = listeners

    def close_listeners(self) -> None:
        """In this process only."""
        for listener in self.listeners:
            listener.socket.close()


class Children:
    """The control process and the workers. ``selector`` hears of their links, each with its child as data."""

    def __init__(
        self,
        settings: Settings,
        selector: selectors.BaseSelector,
        *,
        admin: socket.socket,
        listeners: Sequence[Sequence[Listener]],
        tls: ssl.SSLContext,
        limits_fd: int,
    ) -> None:
        """``listeners``: those of each worker. ``limits_fd``: of ``SharedLimits``."""
        self._settings = settings
        self._selector = selector
        self._admin = admin
        self._tls = tls
        self._limits_fd = limits_fd
        self._configuration = -1
        self.control = Child("control")
        self.workers = [WorkerChild(index, own) for index, own in enumerate(listeners)]

    def __iter__(self) -> Iterator[Child]:
        yield self.control
        yield from self.workers

    def keep(self, configuration: int) -> None:
        """From now on this descriptor is of the last complete configuration: see ``kept_configuration``."""
        if self._configuration >= 0:
            os.close(self._configuration)
        self._configuration = configuration

    def start(self, child: Child) -> None:
        """Start it, and bring it together with those that it works with.

        Raises:
            OSError: the kernel gives no process or no sockets now; nothing was started.
        """
        if isinstance(child, WorkerChild):
            self._start_worker(child)
        else:
            self._start_control()

    def drop_link(self, child: Child) -> None:
        """The child is gone, or does not listen."""
        if child.link is not None:
            self._selector.unregister(child.link)
            child.link.close()
            child.link = None

    def _start_control(self) -> None:
        with ExitStack() as ours:
            running = [worker for worker in self.workers if worker.pid]
            pairs = [tuple(map(ours.enter_context, socket.socketpair())) for _ in running]
            child_link = ours.enter_context(self._new_link(self.control))

            def control() -> int:
                from ingressd.runtime.control import control_main  # the Kubernetes client stays out of all others

                for end in (one for pair in pairs for one in pair):
                    end.close()
                for worker in self.workers:
                    worker.close_listeners()
                return control_main(self._settings, child_link, self._admin)

            self._fork(self.control, control)
            for worker, (to_control, to_worker) in zip(running, pairs, strict=True):
                worker.tell(links.CHANNEL, to_worker.fileno())
                self._introduce(worker, to_control)
                self._lend(worker)

    def _start_worker(self, worker: WorkerChild) -> None:
        to_control, to_worker = socket.socketpair()
        with to_control, to_worker, self._new_link(worker) as child_link:

            def serve() -> int:
                to_control.close()
                for other in self.workers:
                    if other is not worker:
                        other.close_listeners()
                self._admin.close()
                return worker_main(
                    self._settings, worker.index, child_link, to_worker, worker.listeners, self._tls, self._limits_fd
                )

            self._fork(worker, serve)
            self._introduce(worker, to_control)
            self._lend(worker)

    def _introduce(self, worker: WorkerChild, to_control: socket.socket) -> None:
        self.control.tell(b"%b %d %d" % (links.CHANNEL, worker.index, worker.pid), to_control.fileno())

    def _lend(self, worker: WorkerChild) -> None:
        """A worker that serves nothing yet, while no control process can tell it what: it begins with the last known.

        (Else it would accept nothing, and connections would wait in its queue, until the API server is back.)
        """
        if self._configuration >= 0 and not worker.was_useful and not self.control.was_useful:
            worker.tell(links.LAST, self._configuration)

    def _new_link(self, child: Child) -> socket.socket:
        ours, theirs = links.new_link()
        self.drop_link(child)
        child.link = ours
        self._selector.register(ours, selectors.EVENT_READ, child)
        return theirs

    def _fork(self, child: Child, body: Callable[[], int]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal to the new process before it lets go of the wake-up descriptor would be told to us: as a second one.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._be(child, body)
        except OSError:
            self.drop_link(child)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        child.pid = pid
        child.start_at = None
        child.was_useful = False
        child.started = child.last_beat = time.monotonic()

    def _be(self, child: Child, body: Callable[[], int]) -> None:
        """In the child; never returns."""
        code = 1
        try:
            self._leave_parent()
            code = body()
        except BaseException:
            log.exception("%s failed", child.name)
        finally:
            os._exit(code)

    def _leave_parent(self) -> None:
        """Let go of what is the parent's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The others keep the handler that does nothing: a signal to the whole process group is ours to obey, by orders
        # over the links. Not SIG_IGN, which programs started by a child (credential plugins) would inherit.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self._selector.close()
        for child in self:
            if child.link is not None:
                child.link.close()
        if self._configuration >= 0:
            os.close(self._configuration)  # it holds private keys, which nobody is to have without need
