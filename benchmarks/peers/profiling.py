"""Where a worker's time goes under load: perf, when it is there and allowed; and cProfile, by Python function.

perf sees the kernel and every library, but of Python only the interpreter; cProfile sees Python functions, without the
kernel, and makes small ones look dearer than they are.
"""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.peers.load import Wrk
from benchmarks.peers.measure import WARM_UP_S
from benchmarks.peers.proxies import PROXIES, ROOT, Variant
from benchmarks.peers.site import Site
from benchmarks.support.figures import RESULTS

SECONDS = 5
_REPORT = ("--stdio", "--no-children", "--percent-limit", "0.5")


def profile(site: Site, name: str) -> int:
    """Prints shares by library, then by function; the whole goes to results/. Exit status."""
    driver = Wrk(kind="browser")
    with PROXIES[name](site, Variant(log=True)) as proxy:
        driver.run(proxy, WARM_UP_S)
        data = site.folder / "perf.data"
        pids = ",".join(map(str, proxy.serving()))
        load = threading.Thread(target=driver.run, args=(proxy, SECONDS + 2))
        load.start()
        time.sleep(0.5)
        recorded = _record(pids, data)
        load.join()
    if recorded:
        _print_report(data, name)
    else:
        print("perf is not there or not allowed: Python's share only, without the kernel", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks.exchange", "--profile"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _print_report(data: Path, name: str) -> None:
    by_library = _report(data, "--sort", "dso")
    by_function = _report(data, "--sort", "dso,symbol")
    path = RESULTS / f"profile-{name}-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(by_library + by_function)
    print(by_library, "\n".join(by_function.splitlines()[:50]), f"\nall of it: {path}", sep="\n")


def _record(pids: str, data: Path) -> bool:
    perf = shutil.which("perf")
    if perf is None:
        return False
    command = [perf, "record", "--freq", "2000", "--pid", pids, "--output", str(data), "--", "sleep", str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and data.exists()


def _report(data: Path, *options: str) -> str:
    command = ["perf", "report", "--input", str(data), *_REPORT, *options]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return "\n".join(line for line in said.splitlines() if line.strip() and not line.startswith("#")) + "\n"
