# SPDX-License-Identifier: GPL-2.0
"""Allocations that fail on the way of a request cost an I/O at most, and never peer memory."""

import time

from p2pbench.linux.kernel import Kernel
from p2pbench.measure import fio
from peers import (
    counters,
    every_byte_arrives,
    must,
    peer_guest,
    pool,
    shell,
    verified_through_peer_memory,
    verify_job,
)
from support import GuestMaker

FAILSLAB = "/sys/kernel/debug/failslab"
# The kernel threads that carry out the target's work: nobody else's allocations fail.
WORKERS = "for p in /proc/[0-9]*; do grep -q ^kworker $p/comm && echo {} >$p/make-it-fail; done"


def fail_allocations(percent: int) -> str:
    """Return the line of shell that lets allocations of the kernel's workers fail."""
    settings = {
        "task-filter": "Y",
        "ignore-gfp-wait": "N",
        "verbose": 0,
        "interval": 1,
        "times": -1,
        "probability": percent,
    }
    writes = [f"echo {value} >{FAILSLAB}/{name}" for name, value in settings.items()]
    return "; ".join([WORKERS.format(1 if percent else 0), *writes])


def test_a_target_without_memory_falls_back_or_fails_but_leaks_nothing(
    make_guest: GuestMaker, debug_kernel: Kernel
) -> None:
    # With memory regions the target allocates something for each request.
    with peer_guest(make_guest, debug_kernel, cmdline="ib_core.force_mr=1") as guest:
        verified_through_peer_memory(guest, size=256 << 10)
        job = fio.job_file(verify_job(32768, 4, 2 << 20), 1)
        must(guest, f"cat >/tmp/job <<'EOF'\n{job}EOF\n")
        must(guest, fail_allocations(5))
        before = counters(guest)["fallbacks"]
        shell(
            guest,
            "DEV=/dev/nvme1n1 timeout 60 fio --continue_on_error=all "
            "--output-format=json /tmp/job",
            180,
        )
        must(guest, fail_allocations(0))
        fallbacks = counters(guest)["fallbacks"] - before
        time.sleep(2)
        size, available = pool(guest)
        assert available == size, f"{size - available} bytes did not come back"
        assert fallbacks > 0, "no allocation on the path failed: nothing was tested"
        every_byte_arrives(guest)
