# SPDX-License-Identifier: GPL-2.0
"""A namespace that is disabled or removed lets go of what it held."""

from load import load_status, pool_is_whole, start_load, wait_for
from p2pbench.linux.kernel import Kernel
from p2pbench.measure.boot import boot_cmdline
from peers import (
    NAMESPACE,
    NQN,
    NVMET,
    TRACING,
    complaints,
    lost_machine_fails,
    must,
    peer_guest,
    shell,
    trace_function,
    verified_through_peer_memory,
)
from support import GuestMaker

FABRIC_DISK = "/dev/nvme1n1"


def test_a_namespace_that_is_disabled_and_enabled_under_load_can_be_released(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """Commands reach it while it is disabled; the kernel warns if it outlives its subsystem."""
    with peer_guest(make_guest, peer_kernel) as guest:
        for _round in range(3):
            start_load(guest, 60.0)
            must(guest, f"echo 0 >{NAMESPACE}/enable")
            must(guest, "nvme id-ns /dev/nvme1 --namespace-id=1")
            pool_is_whole(guest)
            assert load_status(guest) != "0", "the namespace was not gone"
            wait_for(lambda: shell(guest, f"test -e {FABRIC_DISK}")["exit"] != 0, "end of the disk")
            must(guest, f"echo 1 >{NAMESPACE}/enable")
            wait_for(lambda: shell(guest, f"test -b {FABRIC_DISK}")["exit"] == 0, "disk")
        verified_through_peer_memory(guest)


def test_a_namespace_that_is_added_to_a_connected_host_uses_peer_memory(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """Of the same disk, which the test has one of."""
    second = f"{NVMET}/subsystems/{NQN}/namespaces/2"
    with peer_guest(make_guest, peer_kernel) as guest:
        must(
            guest,
            f"mkdir {second} && cd {second} && echo /dev/nvme0n1 >device_path && "
            f"cat {NAMESPACE}/p2pmem >p2pmem && echo 1 >enable",
        )
        wait_for(lambda: shell(guest, "test -b /dev/nvme1n2")["exit"] == 0, "disk")
        must(guest, "dd if=/dev/zero of=/dev/nvme1n2 bs=64k count=4 oflag=direct")
        used = must(guest, f"cd {second} && cat p2pmem_bytes p2pmem_fallbacks").split()
        assert int(used[0]) >= 4 * 65536 and used[1] == "0", used
        must(guest, f"echo 0 >{second}/enable && rmdir {second}")


def test_a_provider_is_freed_when_the_namespaces_that_named_it_are_gone(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    other = f"{NVMET}/subsystems/other"
    guest = make_guest(boot_cmdline(), kernel=peer_kernel)
    with lost_machine_fails(guest), guest:
        guest.channel.order("setup", guest.setup_args("bar"), 120)
        provider = must(guest, f"cat {NAMESPACE}/p2pmem").strip()
        must(
            guest,
            f"mkdir -p {other}/namespaces/1 && echo {provider} >{other}/namespaces/1/p2pmem"
            f" && rmdir {other}/namespaces/1 {other}",
        )
        must(guest, f"cd {NAMESPACE} && echo 0 >enable && echo 0 >p2pmem")
        trace_function(guest, "pci_release_dev")
        must(guest, f"echo 1 >/sys/bus/pci/devices/{provider}/remove")
        wait_for(
            lambda: "pci_release_dev" in must(guest, f"cat {TRACING}/trace"),
            "release of the provider",
        )
        assert complaints(guest) == []
