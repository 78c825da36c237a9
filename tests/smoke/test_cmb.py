# SPDX-License-Identifier: GPL-2.0
"""A controller memory buffer that nobody asked for: a drive has it, and no user of peer memory."""

from load import wait_for
from p2pbench.linux.kernel import Kernel
from peers import NAMESPACE, must, peer_guest, shell
from support import GuestMaker

TAGS = "/sys/block/nvme0n1/mq/0/nr_tags"
# As the kernel has it by default; the harness keeps the queues out of the CMB.
DEFAULT = "nvme.use_cmb_sqes=1"


def test_a_drive_with_a_small_cmb_keeps_its_queue_depth(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """Its queues stay in host memory, and nothing of the CMB becomes peer memory."""
    with peer_guest(make_guest, peer_kernel, cmdline=DEFAULT, cmb=1 << 20) as guest:
        assert int(must(guest, f"cat {TAGS}")) == 1023
        device = "/sys/class/nvme/nvme0/device"
        must(guest, f"test -e {device}/resource2")  # the BAR of the CMB
        assert shell(guest, f"test -e {device}/p2pmem")["exit"] != 0


def test_the_choice_of_a_provider_passes_a_small_cmb_by(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """The disk's own memory is the closest, and would be preferred to the BAR."""
    with peer_guest(make_guest, peer_kernel, cmdline=DEFAULT, cmb=1 << 20) as guest:
        bar = must(guest, f"cat {NAMESPACE}/p2pmem").strip()
        must(guest, f"cd {NAMESPACE} && echo 0 >enable && echo 1 >p2pmem && echo 1 >enable")
        chosen = f"using p2pmem on {bar} for nsid 1"
        wait_for(
            lambda: sum(chosen in line for line in guest.channel.order("kernel-log")["lines"]) == 2,
            "choice of the BAR",
        )
