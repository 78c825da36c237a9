"""What is mapped for the disk behind an IOMMU, as the DMA API keeps book of it."""

import time

import pytest

from p2pbench.kernel import Kernel
from p2pbench.qemu import Board, Guest

from load import PATIENCE_S, load_status, pool_is_whole, start_load, wait_for
from peers import (NAMESPACE, counters, every_byte_arrives, must, peer_guest, shell,
                   verified_through_peer_memory)
from support import GuestMaker

BOOK = "/sys/kernel/debug/dma-api/dump"
IOMMU = "mitigations=off intel_iommu=on iommu.strict=1"
PROVIDERS = "/sys/bus/pci/drivers/p2p_provider"
THROTTLE = "/tmp/blkio/blkio.throttle"
DIRECTIONS = {"randwrite": "DMA_TO_DEVICE", "randread": "DMA_FROM_DEVICE"}


@pytest.fixture(name="series_kernel")
def kernel_with_the_series(debug_kernel: Kernel) -> Kernel:
    """The kernel that maps buffers itself: with pages the NVMe driver does, as upstream."""
    if debug_kernel.variant.name == "page":
        pytest.skip("with pages the NVMe driver maps, and a boot takes minutes")
    return debug_kernel


def disk_of(guest: Guest) -> str:
    """Return the directory of the target's disk."""
    return must(guest, "readlink -f /sys/class/nvme/nvme0/device").strip()


def mapped_for(guest: Guest, device: str) -> list[str]:
    """Return the lines of the book for a device, but for memory that it has as long as it lives."""
    name = device.rpartition("/")[2]
    return must(guest, f"grep '^{name} ' {BOOK} | grep -v ' coherent '; true").splitlines()


def leaks(guest: Guest) -> list[str]:
    """Return what nothing points to any more. An object must be 5 s old and be missed twice."""
    found = shell(guest, "cd /sys/kernel/debug && echo scan >kmemleak && sleep 6 && "
                         "echo scan >kmemleak && cat kmemleak", 300)
    assert found["exit"] == 0, found
    return str(found["stdout"]).splitlines()


def nothing_moves(guest: Guest) -> bool:
    """No request has got a buffer for two seconds."""
    before = counters(guest)
    time.sleep(2)
    return counters(guest) == before


def test_every_mapping_of_the_disk_is_undone_and_goes_one_way(make_guest: GuestMaker,
                                                              series_kernel: Kernel) -> None:
    """Its length and its direction, too: the DMA API complains of an end that does not fit.

    A provider that goes meanwhile waits for the last buffer, whose mapping is gone by then.
    The disk is slow, so that there is something to see: the book takes a while to be read.
    """
    with peer_guest(make_guest, series_kernel, cmdline=IOMMU,
                    board=Board(apart="bar", iommu="intel", iops=30)) as guest:
        disk = disk_of(guest)
        must(guest, f"test -e {disk}/iommu_group")
        for bs in (512, 69632):
            every_byte_arrives(guest, bs)
            verified_through_peer_memory(guest, bs=bs, iodepth=4, size=bs * 8)
        assert counters(guest)["fallbacks"] == 0
        for rw, direction in DIRECTIONS.items():
            start_load(guest, 15.0, bs=32768, iodepth=16, rw=rw)
            data = [line for _look in range(3) for line in mapped_for(guest, disk)
                    if " resource " in line]
            assert load_status(guest) == "0"
            assert data, "nothing was mapped: nothing was tested"
            assert [line for line in data if f" {direction} " not in line] == []
        a_provider_goes_and_comes_back(guest)
        wait_for(lambda: mapped_for(guest, disk) == [], "end of all mappings")
        assert leaks(guest) == []


def a_provider_goes_and_comes_back(guest: Guest) -> None:
    """Twice under load, which uses host memory meanwhile."""
    device = must(guest, f"cd {PROVIDERS} && echo 0*").strip()
    start_load(guest, 20.0, bs=65536, iodepth=32)
    for _round in range(2):
        before = counters(guest)
        must(guest, f"echo {device} >{PROVIDERS}/unbind")
        wait_for(lambda: counters(guest)["fallbacks"] > before["fallbacks"], "fallback")
        must(guest, f"echo {device} >{PROVIDERS}/bind")
        again = counters(guest)
        wait_for(lambda: counters(guest)["requests"] > again["requests"], "peer memory")
    assert load_status(guest) == "0"


def test_a_disk_that_goes_under_load_leaves_nothing_mapped(make_guest: GuestMaker,
                                                           series_kernel: Kernel) -> None:
    """The kernel complains if something is mapped for a device that its driver has left."""
    with peer_guest(make_guest, series_kernel, cmdline=IOMMU,
                    board=Board(apart="disk", iommu="intel", iops=200)) as guest:
        disk = disk_of(guest)
        must(guest, f"test -e {disk}/iommu_group")
        start_load(guest, 120.0, bs=65536, iodepth=32)
        answer = shell(guest, f"echo 1 >{disk}/remove", PATIENCE_S)
        assert answer["exit"] == 0, answer
        assert load_status(guest) != "0"
        assert mapped_for(guest, disk) == []
        pool_is_whole(guest)
        # The namespace keeps the queue of its disk.
        must(guest, f"echo 0 >{NAMESPACE}/enable")
        assert leaks(guest) == []


def test_a_disk_that_goes_takes_requests_along_that_were_throttled(make_guest: GuestMaker,
                                                                   series_kernel: Kernel) -> None:
    """They have not entered the queue, and the removal must not wait for their turn.

    A buffer is mapped by then.

    What a worker of the target submits is charged to the root group, which has a limit only in
    the first version of the hierarchy. At this rate a request's turn takes a minute.
    """
    with peer_guest(make_guest, series_kernel, cmdline=IOMMU,
                    board=Board(apart="disk", iommu="intel")) as guest:
        disk = disk_of(guest)
        number = must(guest, "cat /sys/block/nvme0n1/dev").strip()
        must(guest, "mkdir /tmp/blkio && mount -t cgroup -o blkio none /tmp/blkio")
        start_load(guest, 120.0, bs=65536, iodepth=8)
        must(guest, f"for way in read write; do echo {number} 1024 "
                    f">{THROTTLE}.${{way}}_bps_device || exit 1; done")
        wait_for(lambda: nothing_moves(guest), "throttled load")
        assert mapped_for(guest, disk), "nothing was mapped: nothing was tested"
        answer = shell(guest, f"echo 1 >{disk}/remove", 30)
        assert answer["exit"] == 0, answer
        assert load_status(guest) != "0"
        assert mapped_for(guest, disk) == []
        pool_is_whole(guest)
