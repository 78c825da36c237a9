# SPDX-License-Identifier: GPL-2.0
"""What happens to the target's disk under load: its queue is frozen, reset, or has an elevator."""

from load import load_status, start_load
from p2pbench.linux.kernel import Kernel
from peers import counters, must, peer_guest, trace_function, traced, verified_through_peer_memory
from support import GuestMaker

QUEUE = "/sys/block/nvme0n1/queue"
# Each of them waits until no request is in flight, and lets none in meanwhile.
FREEZES = {
    "elevator": f"echo mq-deadline >{QUEUE}/scheduler && echo none >{QUEUE}/scheduler",
    "requests": f"echo 64 >{QUEUE}/nr_requests && echo 128 >{QUEUE}/nr_requests",
    "writeback": f"echo 1000 >{QUEUE}/wbt_lat_usec && echo 0 >{QUEUE}/wbt_lat_usec",
    "limits": "echo 1 >/sys/class/nvme/nvme0/rescan_controller",
    "reset": "echo 1 >/sys/class/nvme/nvme0/reset_controller",
}


def test_a_queue_that_is_frozen_under_load_costs_no_io_and_no_peer_memory(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """Requests wait until it goes on, and their data stays where it is."""
    with peer_guest(make_guest, peer_kernel) as guest:
        must(guest, f"echo none >{QUEUE}/scheduler")
        for what, freeze in FREEZES.items():
            start_load(guest, 4.0, bs=65536, iodepth=32)
            for _round in range(8):
                must(guest, freeze)
            assert load_status(guest, f"load over {what}") == "0", what
            assert counters(guest)["fallbacks"] == 0, what
        verified_through_peer_memory(guest)


def test_a_reset_under_load_leaves_no_queue_without_its_doorbells(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """What waits for a tag goes to a queue as soon as it is there, before all of the reset is done.

    The host then writes a doorbell only where the controller's event index asks for it.
    """
    with peer_guest(make_guest, peer_kernel) as guest:
        must(guest, f"echo none >{QUEUE}/scheduler && echo 4 >{QUEUE}/nr_requests")
        must(
            guest,
            "(fio --name=load --filename=/dev/nvme0n1 --direct=1 --ioengine=libaio "
            "--rw=randread --bs=4k --iodepth=32 --numjobs=8 --size=32m --time_based "
            "--runtime=6 >/dev/null 2>&1; echo $? >/tmp/ended) >/dev/null 2>&1 &",
        )
        for _round in range(24):
            must(guest, FREEZES["reset"])
        assert load_status(guest) == "0"


def test_a_single_request_does_not_wait_for_kblockd(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """Under a plug the target runs the disk's queue itself, as it does without an elevator.

    Without a plug a request gets to the elevator by another function, which leaves the rest to
    kblockd.
    """
    with peer_guest(make_guest, peer_kernel) as guest:
        must(
            guest,
            "for q in /sys/block/nvme1*/queue/scheduler; do echo none >$q; done; "
            f"echo mq-deadline >{QUEUE}/scheduler && grep -F '[mq-deadline]' "
            f"{QUEUE}/scheduler",
        )
        trace_function(guest, "blk_mq_sched_insert_request")
        before = counters(guest)["requests"]
        must(guest, "dd if=/dev/nvme1n1 of=/dev/null bs=4k count=200 iflag=direct")
        assert counters(guest)["requests"] >= before + 200
        left = traced(guest, ": blk_mq_sched_insert_request <-")
        assert left < 20, f"{left} of 200 requests were left to kblockd"
