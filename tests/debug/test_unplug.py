# SPDX-License-Identifier: GPL-2.0
"""A provider that is unplugged is used by no request any more: KASAN sees one that does."""

from load import load_status, start_load, wait_for
from p2pbench.linux.kernel import Kernel
from p2pbench.measure.boot import boot_cmdline
from peers import NAMESPACE, complaints, lost_machine_fails, must, shell
from support import GuestMaker


def test_a_provider_that_goes_with_its_namespace_outlives_the_requests(
    make_guest: GuestMaker, debug_kernel: Kernel
) -> None:
    """As soon as the namespace is being disabled nothing else keeps the provider.

    There is one request at a time: the buffer of another one would.
    """
    guest = make_guest(boot_cmdline(), kernel=debug_kernel)
    with lost_machine_fails(guest), guest:
        guest.channel.order("setup", guest.setup_args("bar"), 120)
        provider = must(guest, f"cat {NAMESPACE}/p2pmem").strip()
        start_load(guest, 120.0, iodepth=1)
        must(guest, f"(echo 0 >{NAMESPACE}/enable; touch /tmp/disabled) >/dev/null 2>&1 &")
        wait_for(
            lambda: shell(guest, f"echo 0 >{NAMESPACE}/p2pmem")["exit"] == 0,
            "namespace that is being disabled",
        )
        must(guest, f"echo 1 >/sys/bus/pci/devices/{provider}/remove")
        wait_for(lambda: shell(guest, "test -e /tmp/disabled")["exit"] == 0, "disabled namespace")
        assert load_status(guest) != "0"
        assert complaints(guest) == []
