"""What is mapped for the disk behind an IOMMU, as the DMA API keeps book of it."""

import re
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


def disk_of(guest: Guest) -> str:
    """Return the directory of the target's disk."""
    return must(guest, "readlink -f /sys/class/nvme/nvme0/device").strip()


def mapped_for(guest: Guest, device: str) -> list[str]:
    """Return the lines of the book for a device, but for memory that it has as long as it lives."""
    name = device.rpartition("/")[2]
    return must(guest, f"grep -F ' {name} ' {BOOK} | grep -v ' coherent '; true").splitlines()


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


def test_every_mapping_of_the_disk_is_undone(make_guest: GuestMaker,
                                             debug_kernel: Kernel) -> None:
    """Its length and its direction, too: the DMA API complains of an end that does not fit."""
    with peer_guest(make_guest, debug_kernel, cmdline=IOMMU,
                    board=Board(apart="bar", iommu="intel")) as guest:
        disk = disk_of(guest)
        must(guest, f"test -e {disk}/iommu_group")
        for bs in (512, 4096, 69632, 1 << 20):
            every_byte_arrives(guest, bs)
            verified_through_peer_memory(guest, bs=bs, iodepth=4, size=bs * 8)
        assert counters(guest)["fallbacks"] == 0
        wait_for(lambda: mapped_for(guest, disk) == [], "end of all mappings")


@pytest.mark.parametrize("rw, direction", [("randwrite", "DMA_TO_DEVICE"),
                                           ("randread", "DMA_FROM_DEVICE")])
def test_the_disk_is_mapped_for_no_more_than_it_does(make_guest: GuestMaker, debug_kernel: Kernel,
                                                     rw: str, direction: str) -> None:
    """The disk is slow, so that there is something to see. The book takes a while to be read."""
    with peer_guest(make_guest, debug_kernel, cmdline=IOMMU,
                    board=Board(apart="bar", iommu="intel", iops=100)) as guest:
        disk = disk_of(guest)
        start_load(guest, 30.0, bs=32768, iodepth=16, rw=rw)
        seen = [line for _look in range(10) for line in mapped_for(guest, disk)]
        assert load_status(guest) == "0"
        # A buffer is a resource; with pages it is a list, as the kernel spells it.
        data = [line for line in seen if re.search(r" (resource|scather-gather) ", line)]
        assert data, "nothing was mapped: nothing was tested"
        assert [line for line in data if f" {direction} " not in line] == []
        wait_for(lambda: mapped_for(guest, disk) == [], "end of all mappings")


@pytest.mark.parametrize("how", ["remove", "driver/unbind"])
def test_a_disk_that_goes_under_load_leaves_nothing_mapped(make_guest: GuestMaker,
                                                           debug_kernel: Kernel, how: str) -> None:
    """The kernel complains if something is mapped for a device that its driver has left."""
    with peer_guest(make_guest, debug_kernel, cmdline=IOMMU,
                    board=Board(apart="disk", iommu="intel", iops=200)) as guest:
        disk = disk_of(guest)
        must(guest, f"test -e {disk}/iommu_group")
        start_load(guest, 120.0, bs=65536, iodepth=32)
        word = "1" if how == "remove" else disk.rpartition("/")[2]
        answer = shell(guest, f"echo {word} >{disk}/{how}", PATIENCE_S)
        assert answer["exit"] == 0, answer
        assert load_status(guest) != "0"
        assert mapped_for(guest, disk) == []
        pool_is_whole(guest)
        # The namespace keeps the queue of its disk.
        must(guest, f"echo 0 >{NAMESPACE}/enable")
        assert leaks(guest) == []


def test_a_disk_that_goes_takes_requests_along_that_were_throttled(make_guest: GuestMaker,
                                                                   debug_kernel: Kernel) -> None:
    """They have not entered the queue, and the removal must not wait for their turn.

    A buffer without pages is mapped by then; pages are later.

    What a worker of the target submits is charged to the root group, which has a limit only in
    the first version of the hierarchy. At this rate a request's turn takes a minute.
    """
    with peer_guest(make_guest, debug_kernel, cmdline=IOMMU,
                    board=Board(apart="disk", iommu="intel")) as guest:
        disk = disk_of(guest)
        number = must(guest, "cat /sys/block/nvme0n1/dev").strip()
        must(guest, "mkdir /tmp/blkio && mount -t cgroup -o blkio none /tmp/blkio")
        start_load(guest, 120.0, bs=65536, iodepth=8)
        must(guest, f"for way in read write; do echo {number} 1024 "
                    f">{THROTTLE}.${{way}}_bps_device || exit 1; done")
        wait_for(lambda: nothing_moves(guest), "throttled load")
        if debug_kernel.variant.name != "page":
            assert mapped_for(guest, disk), "nothing was mapped: nothing was tested"
        answer = shell(guest, f"echo 1 >{disk}/remove", 30)
        assert answer["exit"] == 0, answer
        assert load_status(guest) != "0"
        assert mapped_for(guest, disk) == []
        pool_is_whole(guest)


def test_a_provider_that_goes_under_load_leaves_nothing_mapped(make_guest: GuestMaker,
                                                               debug_kernel: Kernel) -> None:
    """Its memory waits for the last buffer, whose mapping is gone by then."""
    with peer_guest(make_guest, debug_kernel, cmdline=IOMMU,
                    board=Board(apart="bar", iommu="intel", iops=400)) as guest:
        disk = disk_of(guest)
        device = must(guest, f"cd {PROVIDERS} && echo 0*").strip()
        start_load(guest, 30.0, bs=65536, iodepth=32)
        for _round in range(3):
            before = counters(guest)
            must(guest, f"echo {device} >{PROVIDERS}/unbind")
            wait_for(lambda: counters(guest)["fallbacks"] > before["fallbacks"], "fallback")
            must(guest, f"echo {device} >{PROVIDERS}/bind")
            before = counters(guest)
            wait_for(lambda: counters(guest)["requests"] > before["requests"], "peer memory")
        assert load_status(guest) == "0"
        wait_for(lambda: mapped_for(guest, disk) == [], "end of all mappings")
        verified_through_peer_memory(guest)
        assert leaks(guest) == []
