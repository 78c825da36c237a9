# SPDX-License-Identifier: GPL-2.0
"""What is mapped for the disk behind an IOMMU, as the DMA API keeps book of it.

The disk is slow, so that requests wait in it: a guest under every checker does few a second, and
the book takes a while to be read.
"""

import re
from dataclasses import dataclass

from load import load_status, pool_is_whole, start_load, wait_for
from p2pbench.linux.kernel import Kernel
from p2pbench.testbed.machine import Pace
from p2pbench.testbed.qemu import BAR_NUMBER, Board, Guest
from peers import NAMESPACE, counters, must, peer_guest, shell
from support import GuestMaker

BOOK = "/sys/kernel/debug/dma-api/dump"
DISK = "/sys/block/nvme0n1"
PROVIDERS = "/sys/bus/pci/drivers/p2p_provider"
THROTTLE = "/tmp/blkio/blkio.throttle"
# Two seconds a request, of eight; a host that waits for all of them must not give up.
BLOCK = 16384
DEPTH = 8
SLOW = Board(apart="disk", iommu="intel", bps=BLOCK // 2)
CMDLINE = "mitigations=off intel_iommu=on iommu.strict=1 nvme_core.io_timeout=240"
DIRECTIONS = {"randwrite": "DMA_TO_DEVICE", "randread": "DMA_FROM_DEVICE"}
ENTRY = re.compile(r"P=([0-9a-f]+) N=\S+ D=\S+ L=([0-9a-f]+) (DMA_\w+)")


@dataclass(frozen=True)
class Mapping:
    """A line of the book: where the memory is, how much, and who may do what."""

    address: int
    length: int
    direction: str


def bar(guest: Guest) -> range:
    """Return the CPU's addresses of the provider's memory."""
    provider = must(guest, f"cat {NAMESPACE}/p2pmem").strip()
    lines = must(guest, f"cat /sys/bus/pci/devices/{provider}/resource").splitlines()
    first, last, _flags = lines[BAR_NUMBER].split()
    return range(int(first, 16), int(last, 16) + 1)


def mapped(guest: Guest, memory: range) -> list[Mapping]:
    """Return what is mapped of the memory, for whichever device."""
    # With pages the NVMe driver maps scatterlists, which 6.1 spells otherwise; without, the target
    # maps resources.
    book = must(guest, f"grep -E ' (resource|sca[a-z]*-gather) ' {BOOK}; true")
    entries = [
        Mapping(int(address, 16), int(length, 16), direction)
        for address, length, direction in ENTRY.findall(book)
    ]
    return [entry for entry in entries if entry.address in memory]


def waiting(guest: Guest) -> int:
    """Return how many requests the disk has yet to do."""
    return sum(map(int, must(guest, f"cat {DISK}/inflight").split()))


def start_full_load(guest: Guest, rw: str) -> None:
    """Start a load for as long as it takes, and wait until most requests wait in the disk."""
    start_load(guest, 3600.0, bs=BLOCK, iodepth=DEPTH, rw=rw, requests=DEPTH)
    wait_for(lambda: waiting(guest) > DEPTH // 2, "full disk")


def leaks(guest: Guest) -> list[str]:
    """Return what nothing points to any more. An object must be 5 s old and be missed twice."""
    scan = "echo scan >kmemleak"
    text = must(guest, f"cd /sys/kernel/debug && {scan} && sleep 6 && {scan} && cat kmemleak")
    return text.splitlines()


def test_nothing_stays_mapped_for_a_disk(make_guest: GuestMaker, debug_kernel: Kernel) -> None:
    """Whatever goes under load: a request that ends, the provider, the namespace, the disk.

    The kernel complains if a mapping is undone otherwise than it was made, and if there is one for
    a device that its driver has left.
    """
    # A boot under every checker behind an IOMMU takes as long as many ordinary ones.
    with peer_guest(
        make_guest, debug_kernel, cmdline=CMDLINE, board=SLOW, pace=Pace(scale=30.0, boots=1)
    ) as guest:
        must(guest, "test -e /sys/class/nvme/nvme0/device/iommu_group")
        memory = bar(guest)
        for rw, direction in DIRECTIONS.items():
            what_waits_is_mapped(guest, memory, rw, direction)
            assert mapped(guest, memory) == []
        start_full_load(guest, "randrw")
        a_provider_goes_and_comes_back(guest)
        a_namespace_goes_and_comes_back(guest)
        assert mapped(guest, memory) == []
        a_disk_goes(guest)
        assert mapped(guest, memory) == []
        # The namespace keeps the queue of its disk.
        must(guest, f"echo 0 >{NAMESPACE}/enable")
        assert leaks(guest) == []


def what_waits_is_mapped(guest: Guest, memory: range, rw: str, direction: str) -> None:
    """Each request once, as long as it is, for what the disk does with it and nothing else."""
    start_full_load(guest, rw)
    before = waiting(guest)
    seen = mapped(guest, memory)
    # Two seconds each: meanwhile it has done a few, and got others.
    assert before // 2 <= len(seen) <= DEPTH
    assert {(entry.length, entry.direction) for entry in seen} == {(BLOCK, direction)}
    must(guest, "kill -INT $(pidof fio)")
    load_status(guest)
    assert counters(guest)["fallbacks"] == 0


def a_provider_goes_and_comes_back(guest: Guest) -> None:
    """It waits for the last buffer, and others use host memory meanwhile."""
    device = must(guest, f"cd {PROVIDERS} && echo 0*").strip()
    must(guest, f"echo {device} >{PROVIDERS}/unbind && echo {device} >{PROVIDERS}/bind")
    after = counters(guest)
    assert after["fallbacks"] > 0
    wait_for(lambda: counters(guest)["requests"] > after["requests"] + DEPTH // 2, "peer memory")


def a_namespace_goes_and_comes_back(guest: Guest) -> None:
    """It waits for its requests."""
    must(guest, f"echo 0 >{NAMESPACE}/enable")
    pool_is_whole(guest)
    assert load_status(guest) != "0"
    wait_for(lambda: shell(guest, "test -e /dev/nvme1n1")["exit"] != 0, "end of the namespace")
    must(guest, f"echo 1 >{NAMESPACE}/enable")
    wait_for(lambda: shell(guest, "test -b /dev/nvme1n1")["exit"] == 0, "namespace")


def a_disk_goes(guest: Guest) -> None:
    """With requests that it has, and with some that have not got into its queue yet.

    These are throttled, and it would be hours until the disk gets them. What a worker of the target
    submits is charged to the root group, which has a limit only in the first version of the
    hierarchy. The disk's IOMMU group and domain go with it: nothing else is in them.
    """
    disk = must(guest, "readlink -f /sys/class/nvme/nvme0/device").strip()
    number = must(guest, f"cat {DISK}/dev").strip()
    must(guest, "mkdir /tmp/blkio && mount -t cgroup -o blkio none /tmp/blkio")
    start_full_load(guest, "randrw")
    must(
        guest,
        f"for way in read write; do echo {number} 1 "
        f">{THROTTLE}.${{way}}_bps_device || exit 1; done",
    )
    wait_for(lambda: waiting(guest) <= DEPTH // 2, "request that is throttled")
    must(guest, f"(echo 1 >{disk}/remove; touch /tmp/removed) >/dev/null 2>&1 &")
    wait_for(lambda: shell(guest, "test -e /tmp/removed")["exit"] == 0, "removal of the disk")
    assert load_status(guest) != "0"
    pool_is_whole(guest)
