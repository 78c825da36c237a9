"""What the tests share: runs of the harness, and the processes that they start."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from p2pbench.paths import ROOT
from p2pbench.qemu import Guest

GuestMaker = Callable[..., Guest]


def start_bench(results: Path, *args: str) -> subprocess.Popen[str]:
    """Start the harness as `make bench` does, with its results in a directory of the test's."""
    command = [sys.executable, "-m", "pytest", "-c", "bench/boots/pytest.ini",
               "--rootdir=bench/boots", "bench/boots", *args]
    env = os.environ | {"P2PBENCH_RESULTS": str(results), "PYTHONPATH": str(ROOT / "bench"),
                        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                            start_new_session=True)


def qemu_children(parent: int) -> list[int]:
    """Return the QEMU processes that a process started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if "Name:\tqemu-system" in text and f"\nPPid:\t{parent}\n" in text:
            found.append(int(status.parent.name))
    return found


def is_running(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def eventually(reached: Callable[[], object]) -> None:
    """Wait until something is so; the limit is only there for a test that fails."""
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)
