# SPDX-License-Identifier: GPL-2.0
"""Whatever is taken away under load, the pool gets all of it back and the kernel stays content."""

from load import load_status, pool_is_whole, start_load, wait_for
from p2pbench.linux.kernel import Kernel
from p2pbench.testbed.qemu import Guest
from peers import NQN, NVMET, counters, must, peer_guest, verified_through_peer_memory
from support import GuestMaker

DRIVER = "/sys/bus/pci/drivers/p2p_provider"
LINK = f"{NVMET}/ports/4420/subsystems/{NQN}"


def start_switching(guest: Guest) -> None:
    """Let the CPUs switch between processes until the load ends.

    Then QEMU's CPUs forget what they know of the page tables, so that a use of peer memory that is
    unmapped faults; a load alone can go on for long without.
    """
    must(
        guest,
        "for cpu in 0 1; do (while ! test -e /tmp/ended; do /bin/true; done) "
        ">/dev/null 2>&1 & done",
    )


def test_a_provider_that_is_removed_and_comes_back_under_load_costs_no_io(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """Several times, while other processes run: see start_switching()."""
    with peer_guest(make_guest, peer_kernel) as guest:
        device = must(guest, f"cd {DRIVER} && echo 0*").strip()
        start_load(guest, 20.0, bs=65536, iodepth=32)
        start_switching(guest)
        for _round in range(6):
            before = counters(guest)
            must(guest, f"echo {device} >{DRIVER}/unbind")
            wait_for(lambda: counters(guest)["fallbacks"] > before["fallbacks"], "fallback")
            must(guest, f"echo {device} >{DRIVER}/bind")
            before = counters(guest)
            wait_for(lambda: counters(guest)["requests"] > before["requests"] + 50, "peer memory")
        assert load_status(guest) == "0"
        verified_through_peer_memory(guest)


def test_a_process_that_is_killed_under_load_leaves_nothing_behind(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    with peer_guest(make_guest, peer_kernel) as guest:
        start_load(guest, 60.0)
        must(guest, "kill -9 $(pidof fio)")
        assert load_status(guest) != "0"
        pool_is_whole(guest)
        verified_through_peer_memory(guest)


def test_a_port_that_goes_and_comes_back_under_load_costs_no_io(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    with peer_guest(make_guest, peer_kernel) as guest:
        start_load(guest, 6.0)
        must(guest, f"rm {LINK}")
        pool_is_whole(guest)
        must(guest, f"ln -s {NVMET}/subsystems/{NQN} {LINK}")
        assert load_status(guest) == "0"
        verified_through_peer_memory(guest)


def test_a_host_that_goes_under_load_leaves_nothing_behind(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    with peer_guest(make_guest, peer_kernel) as guest:
        start_load(guest, 60.0)
        must(guest, "echo 1 >/sys/class/nvme/nvme1/delete_controller")
        assert load_status(guest) != "0"
        pool_is_whole(guest)
