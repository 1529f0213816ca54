"""Nothing that was started outlives us: a parent that does no work, adopts orphans and ends whatever is left.

The benchmark runs in a child of the guard. Every peer descends from that child; when the child is gone, killed or not,
its descendants become the guard's (``PR_SET_CHILD_SUBREAPER``), and the guard kills them. When the guard is killed, the
child is asked to end (``PR_SET_PDEATHSIG``) and stops its peers itself.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from benchmarks.peers.accounting import descendants

_PDEATHSIG, _CHILD_SUBREAPER = 1, 36


def guarded(work: Callable[[], int]) -> int:
    """Exit status of ``work``, run in a child; on return no descendant is alive."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot adopt orphans")
    guard = os.getpid()
    child = os.fork()
    if not child:
        _work(libc, guard, work)
    return _watch(child)


def _work(libc: ctypes.CDLL, guard: int, work: Callable[[], int]) -> None:
    """Never returns."""
    signal.signal(signal.SIGTERM, _interrupt)
    libc.prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    status = 1
    try:
        if os.getppid() == guard:  # else it went before we could ask to be told
            status = work()
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        else:
            status = error.code or 0
    except KeyboardInterrupt:
        status = 130
    except BaseException:  # noqa: BLE001  # a fork must not run on into its parent's code
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _watch(child: int) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the child as well
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, signal.SIGTERM))
    status = 1
    try:
        _, ended = os.waitpid(child, 0)
        status = os.waitstatus_to_exitcode(ended)
    finally:
        end_all()
    return status if status >= 0 else 128 - status


def end_all() -> None:
    """Kill every descendant of this process and wait until none is left."""
    while pids := descendants(os.getpid()):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)
    _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
