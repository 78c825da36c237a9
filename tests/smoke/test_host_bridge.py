# SPDX-License-Identifier: GPL-2.0
"""Peers that meet in the host bridge: the address that each one needs, with and without IOMMU.

Without an IOMMU QEMU takes a bus address for a physical one, so that only an IOMMU shows which
kind of address, which direction and whose mapping the disk was given: it faults on all others.
What QEMU 7.2 cannot show is a bus address below a switch with a strict IOMMU: it has no shortcut
in its switches, and faults ("PTE Write access is not set"). With iommu=pt that works, too.
"""

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.records.kinds import SQES
from p2pbench.testbed.qemu import Board
from peers import (
    counters,
    every_byte_arrives,
    every_size_is_carried,
    must,
    peer_guest,
    shell,
    verified_through_peer_memory,
)
from support import GuestMaker

# The CPU that the kernel trusts has faults of its own that it warns of.
TRUSTED = "mitigations=off"
IOMMU = f"{TRUSTED} intel_iommu=on iommu.strict=1"


def test_peers_of_a_trusted_host_bridge_exchange_data(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    with peer_guest(make_guest, peer_kernel, cmdline=TRUSTED, board=Board(apart="bar")) as guest:
        every_byte_arrives(guest)
        verified_through_peer_memory(guest)


def test_an_iommu_lets_the_disk_do_what_it_was_mapped_for(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    board = Board(apart="bar", iommu="intel")
    with peer_guest(make_guest, peer_kernel, cmdline=IOMMU, board=board) as guest:
        must(guest, "test -e /sys/bus/pci/devices/0000:03:00.0/iommu")
        every_size_is_carried(guest, (512, 4096, 69632, 1 << 20))
        assert counters(guest)["fallbacks"] == 0


@pytest.mark.parametrize("provider", ["cmb", f"cmb{SQES}"])
def test_behind_an_iommu_a_disk_reaches_its_own_memory_by_bus_address(
    make_guest: GuestMaker, peer_kernel: Kernel, provider: str
) -> None:
    with peer_guest(make_guest, peer_kernel, provider, IOMMU, board=Board(iommu="intel")) as guest:
        every_byte_arrives(guest, 16384)
        verified_through_peer_memory(guest, provider, 16384, size=256 << 10)


@pytest.mark.parametrize("iommu", ["intel", "amd"])
def test_a_disk_that_is_removed_while_its_namespace_is_enabled_is_mapped_for_no_more(
    make_guest: GuestMaker, peer_kernel: Kernel, iommu: str
) -> None:
    """It has no IOMMU group then. Intel's driver takes its DMA operations, too, AMD's does not.

    QEMU 7.2 has AMD's IOMMU know devices on the root bus only.
    """
    cmdline = IOMMU if iommu == "intel" else TRUSTED
    with peer_guest(
        make_guest, peer_kernel, cmdline=cmdline, board=Board(apart="disk", iommu=iommu)
    ) as guest:
        disk = must(guest, "readlink -f /sys/class/nvme/nvme0/device").strip()
        must(guest, f"test -e {disk}/iommu_group")
        verified_through_peer_memory(guest)
        before = counters(guest)
        must(guest, f"echo 1 >{disk}/remove && test ! -e {disk}")
        for transfer in (
            "if=/dev/nvme1n1 of=/dev/null iflag=direct",
            "if=/dev/zero of=/dev/nvme1n1 oflag=direct",
        ):
            assert shell(guest, f"dd {transfer} bs=64k count=1")["exit"] != 0
        after = counters(guest)
        # With pages the NVMe driver maps, and is never asked to.
        if peer_kernel.variant.name != "page":
            assert after["requests"] == before["requests"], "mapped for a disk that is gone"
            assert after["fallbacks"] > before["fallbacks"], "no request came after the removal"
