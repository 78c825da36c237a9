# SPDX-License-Identifier: GPL-2.0
"""What has to be on the disk, or in peer memory, before somebody is told that it is."""

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.testbed.qemu import Guest
from peers import counters, must, peer_guest, trace_event, trace_function, traced
from support import GuestMaker

DISK = "/sys/block/nvme0n1"
# How often each command is sent.
TIMES = 6
WRITE = "nvme write /dev/nvme1n1 --block-count=7 --data-size=4096 --data=/tmp/data"


def repeat(guest: Guest, command: str) -> None:
    """Send a command TIMES times."""
    must(guest, f"for i in $(seq {TIMES}); do {command} || exit 1; done")


def flushes(guest: Guest) -> int:
    """Return how many flushes the disk has done: the 16th field, Documentation/block/stat.rst."""
    return int(must(guest, f"cat {DISK}/stat").split()[15])


def test_a_write_that_must_be_on_the_disk_is_one_there(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """As a flush is one: each gets to the disk as what it is, and the data by peer memory."""
    with peer_guest(make_guest, peer_kernel) as guest:
        must(guest, "head -c 4096 /dev/urandom >/tmp/data")
        before = flushes(guest)
        repeat(guest, "nvme flush /dev/nvme1n1")
        assert flushes(guest) == before + TIMES
        trace_event(guest, "block/block_rq_issue")
        moved = counters(guest)
        repeat(guest, f"{WRITE} --force-unit-access")
        assert counters(guest)["requests"] == moved["requests"] + TIMES
        assert counters(guest)["fallbacks"] == moved["fallbacks"]
        number = must(guest, f"cat {DISK}/dev").strip().replace(":", ",")
        assert traced(guest, f"block_rq_issue: {number} WFS 4096 ") == TIMES
        must(guest, "dd if=/dev/nvme0n1 bs=4k count=1 iflag=direct | cmp - /tmp/data")


def test_each_write_is_pushed_into_peer_memory_before_the_disk_reads_it(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """QEMU's memory does not need it, so that the calls are counted."""
    if peer_kernel.variant.name == "page":
        pytest.skip("with pages the compiler leaves no function to trace")
    with peer_guest(make_guest, peer_kernel) as guest:
        must(guest, "head -c 4096 /dev/urandom >/tmp/data")
        trace_function(guest, "pci_p2pmem_buf_flush")
        repeat(guest, WRITE)
        assert traced(guest, ": pci_p2pmem_buf_flush <-") == TIMES
