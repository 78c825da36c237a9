# SPDX-License-Identifier: GPL-2.0
"""Load on the peer memory of a guest, which goes on while a test takes something away."""

import time
from collections.abc import Callable

from p2pbench.measure import fio
from p2pbench.plan.matrix import Workload
from p2pbench.testbed.qemu import Guest
from peers import counters, must, pool, shell

# What the kernel waits for before it gives up on a host: far beyond what is seen.
PATIENCE_S = 240


def start_load(
    guest: Guest,
    runtime_s: float,
    bs: int = 16384,
    iodepth: int = 8,
    rw: str = "randrw",
    requests: int = 50,
) -> None:
    """Read and write in the background; ends by itself, or with an error that it leaves in /tmp.

    This waits until the target has begun with more than so many requests.
    """
    job = Workload("load", "fio", rw, bs, iodepth, 1, "", 32 << 20, runtime_s, ("bar",))
    must(
        guest,
        f"cat >/tmp/job <<'EOF'\n{fio.job_file(job, 1)}EOF\n"
        "rm -f /tmp/ended; (DEV=/dev/nvme1n1 fio --output-format=json --output=/tmp/out "
        "/tmp/job >/dev/null 2>&1; echo $? >/tmp/ended) >/dev/null 2>&1 &",
    )
    before = counters(guest)["requests"]
    wait_for(lambda: counters(guest)["requests"] > before + requests, "load on the peer memory")


def wait_for(reached: Callable[[], bool], what: str) -> None:
    """Wait until something is so; a machine where it never is must not hang the test."""
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, f"no {what} in {PATIENCE_S} s"
        time.sleep(0.2)


def load_status(guest: Guest, load: str = "load") -> str:
    """Wait for the end of the load; return its exit status."""
    wait_for(lambda: shell(guest, "test -e /tmp/ended")["exit"] == 0, f"end of the {load}")
    return must(guest, "cat /tmp/ended").strip()


def pool_is_whole(guest: Guest) -> None:
    """Everything comes back."""
    wait_for(lambda: pool(guest)[0] == pool(guest)[1], "whole pool")
