"""The parent process: holds the sockets, starts the others, replaces what dies, ends in order.

Why a lean parent with all others as its children:

- Listening sockets outlive every worker. A connection in the queue of a killed worker waits for the replacement.
- The TLS listener context is made here before any fork, so all workers can open each other's session tickets.
- So is the memory in which workers count what their clients may do together; it outlives each of them.
- Workers are forked from a process that never imported the Kubernetes client: they share its pages and stay small, and
  starting one takes milliseconds.
- The control process may be killed, or starve, without touching a request: workers go on with the table they have.

It has no event loop and no threads, which makes forking safe at any time.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from enum import IntEnum

from msgspec.structs import replace

from ingressd.errors import StartError
from ingressd.proxy.listener import bind_listeners
from ingressd.runtime import links
from ingressd.runtime.children import SIGNALS, Child, Children
from ingressd.runtime.logs import set_up_logs
from ingressd.runtime.preconditions import bind_admin, check_access_log, raise_limits, shared_memory
from ingressd.settings import Settings
from ingressd.tls.context import listener_context

log = logging.getLogger(__name__)

WORKER_HANG_S = 10.0
"""A worker whose loop has not turned for so long serves nobody: it is replaced."""
CONTROL_HANG_S = 60.0
_STOP_CONTROL_S = 5.0
_CUT_OFF_S = 3.0
_QUICK_DEATH_S = 1.0
_MAX_EARLY_DEATHS = 5
_LONGEST_PAUSE_S = 5.0


class _Phase(IntEnum):
    RUNNING = 0
    GRACE = 1  # still accepting, readiness fails
    DRAINING = 2  # accepts no more, open exchanges finish
    STOPPING = 3  # workers are gone, the control process hands back what it holds


def run(settings: Settings, *, on_ready: Callable[[int, int], None] | None = None) -> int:
    """Run the daemon; returns its exit code. ``on_ready`` gets the HTTP and HTTPS ports after the ready line.

    Raises:
        StartError: what keeps it from starting, in one line.
    """
    set_up_logs(settings.log_level, settings.log_format, "supervisor")
    for remark in settings.remarks:
        log.warning("%s", remark)
    return Supervisor(settings, on_ready).run()


class Supervisor:
    """See the module's text."""

    def __init__(self, settings: Settings, on_ready: Callable[[int, int], None] | None = None) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._phase = _Phase.RUNNING
        self._deadline = 0.0
        self._failure = ""
        self._is_ready = False
        self._is_cut = False
        self._hurried = 0
        self._drain_timeout_s = settings.drain_timeout_s
        self._beaten = 0.0
        self._selector = selectors.DefaultSelector()
        raise_limits()
        if settings.access_log not in ("-", "off"):
            check_access_log(settings.access_log)
        http = bind_listeners(settings.bind_address, "http", settings.http_port, settings.workers)
        https = bind_listeners(settings.bind_address, "https", settings.https_port, settings.workers)
        self._settings = replace(settings, https_port=https[0][0].port)  # which redirects may name: not 0
        self._admin = bind_admin(settings.admin_address, settings.admin_port)
        self._children = Children(
            self._settings,
            self._selector,
            admin=self._admin,
            listeners=[[*pair[0], *pair[1]] for pair in zip(http, https, strict=True)],
            tls=listener_context(),
            limits_fd=shared_memory(settings.workers),
        )
        self._control, self._workers = self._children.control, self._children.workers

    # -- life

    def run(self) -> int:
        """Until the end of the last child."""
        wakeup_read, wakeup_write = socket.socketpair()
        for end in (wakeup_read, wakeup_write):
            end.setblocking(False)
        signal.set_wakeup_fd(wakeup_write.fileno())
        for number in SIGNALS:
            signal.signal(number, _noted)
        self._selector.register(wakeup_read, selectors.EVENT_READ, None)
        gc.collect()
        gc.freeze()  # what is here now is shared with every child; a collector must not write into it
        try:
            while not self._is_over():
                self._start_due()
                for key, _ in self._selector.select(self._pause()):
                    if key.data is None:
                        self._on_signals(wakeup_read)
                    else:
                        self._on_link(key.data)
                self._reap()
                self._beat()
                self._end_hung()
                self._move_on()
        finally:
            for child in self._children:
                if child.pid:
                    os.kill(child.pid, signal.SIGKILL)
            signal.set_wakeup_fd(-1)  # before its socket is closed: children may still be ending
        if self._hurried:
            return 128 + self._hurried
        if self._failure:
            raise StartError(self._failure)
        return 0

    def _is_over(self) -> bool:
        if self._hurried:
            return True
        return self._phase is _Phase.STOPPING and not self._control.pid

    def _pause(self) -> float:
        now = time.monotonic()
        due = [child.start_at for child in self._children if child.start_at is not None and not child.pid]
        if self._phase is not _Phase.RUNNING:
            due.append(self._deadline)
        return max(0.0, min([at - now for at in due], default=1.0)) if due else 1.0

    # -- starting

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.start_at is not None and child.start_at <= now and self._phase < _Phase.DRAINING:
                self._start(child)

    def _start(self, child: Child) -> None:
        """Out of processes, memory or descriptors is a reason to try again, never one to end what is served."""
        try:
            self._children.start(child)
        except OSError as error:
            child.early_deaths += 1
            self._again(child, f"cannot be started: {error.strerror}")
            return
        if child is self._control and self._phase is not _Phase.RUNNING:
            child.tell(links.DRAINING)

    def _again(self, child: Child, why: str) -> None:
        """Start it once more, the later the more often it did not get far; before all are ready, not for ever."""
        if not self._is_ready and child.early_deaths >= _MAX_EARLY_DEATHS:
            log.error("%s %s", child.name, why)
            self._fail(f"a process ({child.name}) keeps failing at start; the log above says why")
            return
        pause_s = min(0.1 * 2**child.early_deaths, _LONGEST_PAUSE_S) if child.early_deaths else 0.0
        child.start_at = time.monotonic() + pause_s
        log.error("%s %s: starting it again", child.name, why)

    # -- what children say

    def _on_link(self, child: Child) -> None:
        while child.link is not None:
            try:
                message, descriptor = links.receive(child.link)
            except BlockingIOError:
                return
            except links.LinkClosed:
                self._children.drop_link(child)
                return
            child.last_beat = time.monotonic()
            word, _, rest = message.partition(b" ")
            if descriptor is not None:
                self._children.keep(descriptor)  # the only one that anybody sends here, with ``KEEP``
            if word in (links.READY, links.ACCEPTING):
                child.was_useful = True
            if word == links.READY and not self._is_ready:
                self._is_ready = True
                self._print_ready(int(rest))
            elif word == links.DRAIN_TIMEOUT and not self._settings.drain_timeout_was_given:
                self._drain_timeout_s = self._settings.drain_timeout_s if rest == b"-" else float(rest)
            elif word == links.FAILED:
                self._on_failed(rest.decode(errors="replace"))

    def _print_ready(self, routes: int) -> None:
        listeners = self._workers[0].listeners
        http = next(one for one in listeners if one.scheme == "http")
        https = next(one for one in listeners if one.scheme == "https")
        address, port = self._admin.getsockname()[:2]
        if not self._settings.admin_address:
            address = "0.0.0.0"  # of both families, as the traffic ports are called
        admin = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        workers = len(self._workers)
        line = f"ingressd ready http={http.label} https={https.label} admin={admin} workers={workers} routes={routes}"
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            if self._on_ready is not None:
                self._on_ready(http.port, https.port)

    def _on_failed(self, why: str) -> None:
        """The control process says it cannot start. When traffic is being served that is no reason to stop serving."""
        if not self._is_ready:
            self._fail(why)
            return
        log.error("no control process: %s; serving on with what there is, trying again", why)
        self._control.tell(links.STOP)

    def _fail(self, why: str) -> None:
        """Something this program cannot run without is missing: end at once, saying so."""
        self._failure = self._failure or why
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGKILL)
        self._enter(_Phase.STOPPING, _STOP_CONTROL_S)
        self._control.tell(links.STOP)

    # -- what ends

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in self._children:
                if child.pid == pid:
                    self._on_death(child, status)

    def _on_death(self, child: Child, status: int) -> None:
        lived_s = time.monotonic() - child.started
        child.pid = 0
        self._children.drop_link(child)
        if self._phase >= _Phase.DRAINING:
            return
        is_early = not child.was_useful or lived_s < _QUICK_DEATH_S
        child.was_useful = False
        child.early_deaths = child.early_deaths + 1 if is_early else 0
        self._again(child, f"{_how(status)} after {lived_s:.1f} s")

    def _beat(self) -> None:
        """Let the control process know that we turn, for its health answers."""
        now = time.monotonic()
        if now - self._beaten >= links.BEAT_S / 2:
            self._beaten = now
            self._control.tell(links.BEAT)

    def _end_hung(self) -> None:
        now = time.monotonic()
        for child in self._children:
            limit_s = CONTROL_HANG_S if child is self._control else WORKER_HANG_S
            if child.pid and now - child.last_beat > limit_s:
                log.error("%s has not answered for %.0f s: ending it", child.name, limit_s)
                os.kill(child.pid, signal.SIGKILL)
                child.last_beat = now

    # -- signals and phases

    def _on_signals(self, wakeup: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in wakeup.recv(4096):
                if number in (signal.SIGTERM, signal.SIGINT):
                    self._on_stop(number)
                elif number == signal.SIGHUP:
                    self._control.tell(links.RELOAD)
                    for worker in self._workers:
                        worker.tell(links.REOPEN)

    def _on_stop(self, number: int) -> None:
        if self._phase is not _Phase.RUNNING:
            self._hurried = number
            return
        log.info("stopping: readiness fails for %g s, then open exchanges have %g s to finish",
                 self._settings.shutdown_grace_s, self._drain_timeout_s)  # fmt: skip
        self._control.tell(links.DRAINING)
        self._enter(_Phase.GRACE, self._settings.shutdown_grace_s)

    def _enter(self, phase: _Phase, for_s: float) -> None:
        self._phase = phase
        self._deadline = time.monotonic() + for_s

    def _move_on(self) -> None:
        now = time.monotonic()
        if self._phase is _Phase.GRACE and now >= self._deadline:
            self._enter(_Phase.DRAINING, self._drain_timeout_s)
            for worker in self._workers:
                # The workers' copies are the last: each accepts what waits in its queue before closing.
                worker.close_listeners()
                worker.tell(links.DRAIN)
        if self._phase is _Phase.DRAINING:
            if now >= self._deadline:
                self._cut_off()
            if not any(worker.pid for worker in self._workers):
                self._enter(_Phase.STOPPING, _STOP_CONTROL_S)
                self._control.tell(links.STOP)
        elif self._phase is _Phase.STOPPING and now >= self._deadline and self._control.pid:
            os.kill(self._control.pid, signal.SIGKILL)

    def _cut_off(self) -> None:
        """First by an order, so that what is cut off is logged as well; who does not obey is killed."""
        for worker in self._workers:
            if worker.pid and self._is_cut:
                os.kill(worker.pid, signal.SIGKILL)
            elif worker.pid:
                log.warning("%s still had open exchanges after the drain's time: cut off", worker.name)
                worker.tell(links.CUT)
        self._is_cut = True
        self._deadline = time.monotonic() + _CUT_OFF_S


def _noted(number: int, frame: object) -> None:
    """The wake-up descriptor carries the number; this only keeps the default action away, in children too."""


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
