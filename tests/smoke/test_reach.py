# SPDX-License-Identifier: GPL-2.0
"""A provider that is out of reach: not by its place, which is known, but by an address."""

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.testbed.qemu import Board
from peers import counters, every_byte_arrives, peer_guest, run_fio, verify_job
from support import GuestMaker

GIVEN_UP = "cannot reach p2pmem"


def test_a_provider_that_the_disk_cannot_reach_is_given_up_once(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """All DMA is bounced, and peer memory cannot be, so the disk cannot reach it by the bridge."""
    if peer_kernel.variant.name == "page":
        pytest.skip("with pages the NVMe driver would try to map it for ever")
    board = Board(apart="bar")
    with peer_guest(
        make_guest, peer_kernel, cmdline="mitigations=off swiotlb=force", board=board
    ) as guest:
        every_byte_arrives(guest)
        run_fio(guest, verify_job(32768, 4, 1 << 20))
        found = counters(guest)
        assert found["requests"] == 0 and found["fallbacks"] > 32, found
        lines = guest.channel.order("kernel-log")["lines"]
        assert len([line for line in lines if GIVEN_UP in line]) == 1
