# SPDX-License-Identifier: GPL-2.0
"""Every way that the data can take on both sides of the buffer carries every byte."""

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.records.kinds import SQES
from peers import (
    counters,
    every_byte_arrives,
    every_size_is_carried,
    must,
    peer_guest,
    verified_through_peer_memory,
)
from support import GuestMaker

SGL_THRESHOLD = "/sys/module/nvme/parameters/sgl_threshold"
QUEUE = "/sys/block/nvme0n1/queue"


@pytest.mark.parametrize("provider", ["bar", "cmb"])
def test_both_kinds_of_provider_carry_every_byte(
    make_guest: GuestMaker, peer_kernel: Kernel, provider: str
) -> None:
    with peer_guest(make_guest, peer_kernel, provider) as guest:
        every_byte_arrives(guest, 16384)
        verified_through_peer_memory(guest, provider, 16384, size=256 << 10)


@pytest.mark.parametrize("threshold", [0, 1], ids=["prp", "sgl"])
def test_the_disk_takes_peer_addresses_as_prp_and_as_sgl(
    make_guest: GuestMaker, peer_kernel: Kernel, threshold: int
) -> None:
    with peer_guest(make_guest, peer_kernel) as guest:
        must(guest, f"echo {threshold} >{SGL_THRESHOLD}")
        every_size_is_carried(guest, (512, 4096, 12288, 12800, 69632, 1 << 20))


@pytest.mark.parametrize("threshold", [0, 1], ids=["prp", "sgl"])
def test_the_parts_of_a_request_may_start_inside_a_page(
    make_guest: GuestMaker, peer_kernel: Kernel, threshold: int
) -> None:
    """A buffer starts at a page. What the block layer makes of it does not, under odd limits."""
    with peer_guest(make_guest, peer_kernel) as guest:
        must(guest, f"echo {threshold} >{SGL_THRESHOLD}")
        must(guest, f"cd {QUEUE} && echo 18 >max_sectors_kb && grep -x 512 physical_block_size")
        every_size_is_carried(guest, (65536, 1 << 20))


def test_rdma_takes_peer_addresses_in_memory_regions(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """Also of less than a page, and with a last page that is not whole."""
    with peer_guest(make_guest, peer_kernel, cmdline="ib_core.force_mr=1") as guest:
        every_size_is_carried(guest, (512, 4096, 4608, 69632, 70144, 1 << 20))
        assert counters(guest)["fallbacks"] == 0


def test_a_disk_with_blocks_of_4_kib_takes_peer_addresses(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    blocks = ",logical_block_size=4096,physical_block_size=4096"
    with peer_guest(make_guest, peer_kernel, namespace=blocks) as guest:
        must(guest, f"grep -x 4096 {QUEUE}/logical_block_size")
        every_size_is_carried(guest, (4096, 69632, 1 << 20))
        assert counters(guest)["fallbacks"] == 0


@pytest.mark.parametrize("provider", ["bar", "cmb"])
def test_the_disks_own_queues_may_be_in_peer_memory(
    make_guest: GuestMaker, peer_kernel: Kernel, provider: str
) -> None:
    with peer_guest(make_guest, peer_kernel, provider + SQES) as guest:
        cmb = "/sys/class/nvme/nvme0/device/p2pmem"
        before = must(guest, f"cd {cmb} && cat size available").split()
        assert int(before[1]) < int(before[0]), "no queue lies in the CMB"
        every_byte_arrives(guest, 16384)
        verified_through_peer_memory(guest, provider, 16384, size=256 << 10)
        assert counters(guest)["fallbacks"] == 0
        assert must(guest, f"cat {cmb}/available").split() == before[1:]
