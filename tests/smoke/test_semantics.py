# SPDX-License-Identifier: GPL-2.0
"""What must not go through peer memory does not, and what goes wrong leaks nothing."""

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.measure.boot import boot_cmdline
from p2pbench.testbed.channel import AgentError
from p2pbench.testbed.qemu import Board
from peers import (
    NAMESPACE,
    NVMET,
    complaints,
    counters,
    lost_machine_fails,
    must,
    peer_guest,
    pool,
    run_fio,
    shell,
    verified_through_peer_memory,
    verify_job,
)
from support import GuestMaker


def test_commands_other_than_read_and_write_never_use_peer_memory(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    with peer_guest(make_guest, peer_kernel) as guest:
        run_fio(guest, verify_job())
        before = counters(guest)
        for command in (
            "nvme dsm /dev/nvme1n1 --ad --slbs=0,64 --blocks=8,8",
            "nvme write-zeroes /dev/nvme1n1 --start-block=0 --block-count=15",
            "nvme flush /dev/nvme1n1",
        ):
            must(guest, command)
        assert counters(guest) == before


# Each of these commands gets a buffer of peer memory, and fails afterwards.
FAILING = {
    "read behind the end": "read --start-block=0x7ffffff0 --block-count=15 --data-size=8192 "
    "--data=/tmp/data",
    "write behind the end": "write --start-block=0x7ffffff0 --block-count=15 --data-size=8192 "
    "--data=/tmp/data",
    "buffer longer than the blocks": "io-passthru --opcode=1 --write --namespace-id=1 --cdw12=7 "
    "--data-len=16384 --input-file=/tmp/data",
    "write of more blocks than its buffer": "io-passthru --opcode=1 --write --namespace-id=1 "
    "--cdw12=31 --data-len=4096 --input-file=/tmp/data",
    "buffer shorter than the blocks": "io-passthru --opcode=2 --read --namespace-id=1 --cdw12=31 "
    "--data-len=4096",
}


def test_a_command_that_fails_gives_its_whole_buffer_back(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    with peer_guest(make_guest, peer_kernel) as guest:
        must(guest, "head -c 16384 /dev/zero >/tmp/data")
        for what, command in FAILING.items():
            before = counters(guest)
            verb, arguments = command.split(" ", 1)
            answer = shell(guest, f"nvme {verb} /dev/nvme1n1 {arguments}")
            assert answer["exit"] != 0, f"{what}: succeeded"
            assert counters(guest)["requests"] == before["requests"] + 1, what
            size, available = pool(guest)
            assert available == size, f"{what}: {size - available} bytes did not come back"
        verified_through_peer_memory(guest)


def test_odd_sizes_are_verified_through_peer_memory(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    with peer_guest(make_guest, peer_kernel) as guest:
        for bs in (512, 1536, 4608, 98304, 1 << 20):
            verified_through_peer_memory(guest, bs=bs, iodepth=8, size=bs * 24)


@pytest.mark.parametrize("metadata", [",ms=8,pi=1", ",ms=8"], ids=["protected", "plain"])
def test_data_with_metadata_is_in_peer_memory_only_with_pages(
    make_guest: GuestMaker, peer_kernel: Kernel, metadata: str
) -> None:
    """The CPU reads the data to generate and to verify protection information.

    Other metadata is as much a payload that the bio would need.
    """
    with peer_guest(make_guest, peer_kernel, namespace=metadata) as guest:
        found, _figures = run_fio(guest, verify_job())
    ios = found["device"]["reads"] + found["device"]["writes"]
    in_peer_memory = ios if peer_kernel.variant.name == "page" else 0
    assert ios > 0
    assert found["p2p"]["requests"] == in_peer_memory
    assert found["p2p"]["fallbacks"] == ios - in_peer_memory


def test_a_disk_with_several_paths_never_gets_peer_addresses(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """An address is made for one controller; failover would hand it to another."""
    guest = make_guest(boot_cmdline(), kernel=peer_kernel, board=Board(subsystem=True))
    with lost_machine_fails(guest), guest:
        with pytest.raises(AgentError) as caught:
            guest.channel.order("setup", guest.setup_args("bar"), 120)
        assert caught.value.step == "nvmet namespace"
        assert f"{NAMESPACE}/enable" in caught.value.expected
        assert complaints(guest) == []


def test_a_disk_that_takes_no_peer_addresses_is_refused(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    namespace = f"{NVMET}/subsystems/other/namespaces/1"
    with peer_guest(make_guest, peer_kernel) as guest:
        must(
            guest,
            f"mkdir -p {namespace} && cd {namespace} && echo /dev/nullb0 >device_path && "
            f"cat {NAMESPACE}/p2pmem >p2pmem",
        )
        answer = shell(guest, f"echo 1 >{namespace}/enable")
        assert answer["exit"] != 0
        must(guest, f"cd / && rmdir {namespace} {NVMET}/subsystems/other")


def test_an_rdma_device_that_cannot_reach_the_provider_costs_no_io(
    make_guest: GuestMaker, peer_kernel: Kernel
) -> None:
    """The NIC is behind a host bridge that the kernel does not trust; the disk is a peer."""
    board = Board(apart="nic", trusted=False)
    with peer_guest(make_guest, peer_kernel, board=board) as guest:
        found, _figures = run_fio(guest, verify_job())
        assert found["p2p"]["requests"] == 0
        assert found["p2p"]["fallbacks"] == found["device"]["reads"] + found["device"]["writes"] > 0


def test_a_pool_that_runs_empty_costs_no_io(make_guest: GuestMaker, peer_kernel: Kernel) -> None:
    """Four requests fill the pool; the disk is slow, so that more wait on a busy host, too."""
    with peer_guest(make_guest, peer_kernel, "cmb", cmb=2 << 20, board=Board(iops=20)) as guest:
        job = verify_job(512 << 10, 16, 8 << 20)
        found, figures = run_fio(guest, job)
        assert found["p2p"]["requests"] > 0 and found["p2p"]["fallbacks"] > 0
        assert (
            found["p2p"]["requests"] + found["p2p"]["fallbacks"]
            == found["device"]["reads"] + found["device"]["writes"]
        )
        assert figures["bytes"] == 2 * job.size
        size, available = pool(guest)
        assert available == size
