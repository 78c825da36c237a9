"""What must not go through peer memory does not, and what goes wrong leaks nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from p2pbench import evidence, fio
from p2pbench.boot import COMPLAINT, boot_cmdline, setup_args
from p2pbench.kernel import Kernel, build
from p2pbench.matrix import Workload
from p2pbench.qemu import Guest
from p2pbench.variants import find_variant

from support import GuestMaker

NAMESPACE = "/sys/kernel/config/nvmet/subsystems/nqn.2026-01.org.p2pbench:target/namespaces/1"


@pytest.fixture(scope="module", params=["page", "pageless"])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return build(find_variant(request.param), "bench")


@contextmanager
def bar_guest(make_guest: GuestMaker, kernel: Kernel, **guest: Any) -> Iterator[Guest]:
    """A guest set up with provider bar; in the end the pool is whole and the kernel content."""
    with make_guest(boot_cmdline(), kernel=kernel, **guest) as booted:
        booted.channel.order("setup", setup_args("bar"), 120)
        yield booted
        pool = booted.channel.order("teardown", deadline_s=120)["pool"]
        assert pool["available"] == pool["size"]
        lines = booted.channel.order("kernel-log")["lines"]
        assert [line for line in lines if COMPLAINT.search(line)] == []


def shell(guest: Guest, line: str) -> dict[str, Any]:
    return guest.channel.order("command", {"line": line, "deadline_s": 60}, 90)


def counters(guest: Guest) -> dict[str, int]:
    """Return what nvmet counted: requests, bytes, fallbacks."""
    answer = shell(guest, f"cd {NAMESPACE} && cat p2pmem_requests p2pmem_bytes p2pmem_fallbacks")
    assert answer["exit"] == 0, answer["stderr"]
    return dict(zip(("requests", "bytes", "fallbacks"), map(int, answer["stdout"].split())))


def run_fio(guest: Guest, job: Workload) -> tuple[dict[str, Any], dict[str, float]]:
    answer = guest.channel.order("fio", {"name": job.name, "deadline_s": 60,
                                         "job": fio.job_file(job, 1)}, 90)
    return answer["evidence"], fio.metrics(job, answer)


def verify_job(bs: int = 32768, iodepth: int = 4, size: int = 1 << 20) -> Workload:
    return Workload("verify", "fio", "randwrite", bs, iodepth, 1, "crc32c", size, 0.0, ("bar",))


def test_commands_other_than_read_and_write_never_use_peer_memory(make_guest: GuestMaker,
                                                                  kernel: Kernel) -> None:
    with bar_guest(make_guest, kernel) as guest:
        run_fio(guest, verify_job())
        before = counters(guest)
        for command in ("nvme dsm /dev/nvme1n1 --ad --slbs=0,64 --blocks=8,8",
                        "nvme write-zeroes /dev/nvme1n1 --start-block=0 --block-count=15",
                        "nvme flush /dev/nvme1n1"):
            answer = shell(guest, command)
            assert answer["exit"] == 0, f"{command}: {answer['stdout']}{answer['stderr']}"
        assert counters(guest) == before


def test_a_command_that_fails_gives_its_buffer_back(make_guest: GuestMaker,
                                                    kernel: Kernel) -> None:
    with bar_guest(make_guest, kernel) as guest:
        before = counters(guest)
        for verb in ("read", "write"):
            answer = shell(guest, "head -c 8192 /dev/zero >/tmp/data; "
                           f"nvme {verb} /dev/nvme1n1 --start-block=0x7ffffff0 --block-count=15 "
                           "--data-size=8192 --data=/tmp/data")
            assert answer["exit"] != 0
        assert counters(guest)["requests"] == before["requests"] + 2
        found, figures = run_fio(guest, verify_job())
        assert evidence.judge("bar", found, int(figures["bytes"])) == []


def test_odd_sizes_are_verified_through_peer_memory(make_guest: GuestMaker,
                                                    kernel: Kernel) -> None:
    with bar_guest(make_guest, kernel) as guest:
        for bs in (512, 4608, 98304, 1 << 20):
            found, figures = run_fio(guest, verify_job(bs, 8, bs * 24))
            assert evidence.judge("bar", found, int(figures["bytes"])) == [], f"bs {bs}"


def test_a_namespace_with_protection_information_uses_host_memory(make_guest: GuestMaker,
                                                                  kernel: Kernel) -> None:
    with bar_guest(make_guest, kernel, namespace=",ms=8,pi=1") as guest:
        found, _figures = run_fio(guest, verify_job())
    assert found["p2p"]["requests"] == 0
    assert found["p2p"]["fallbacks"] == found["device"]["reads"] + found["device"]["writes"] > 0


def test_a_provider_that_is_removed_under_load_costs_no_io(make_guest: GuestMaker,
                                                           kernel: Kernel) -> None:
    unbind = "sleep 1; for d in /sys/bus/pci/drivers/p2p_provider/0*; do " \
             "echo ${d##*/} >/sys/bus/pci/drivers/p2p_provider/unbind; done; echo gone >/tmp/gone"
    with make_guest(boot_cmdline(), kernel=kernel) as guest:
        guest.channel.order("setup", setup_args("bar"), 120)
        job = Workload("load", "fio", "randrw", 16384, 8, 1, "", 32 << 20, 4.0, ("bar",))
        answer = shell(guest, f"cat >/tmp/job <<'EOF'\n{fio.job_file(job, 1)}EOF\n"
                       f"({unbind}) >/dev/null 2>&1 &\n"
                       "DEV=/dev/nvme1n1 fio --output-format=json /tmp/job")
        assert fio.metrics(job, answer)["ios"] > 0
        assert shell(guest, "cat /tmp/gone")["stdout"] == "gone\n"
        found = counters(guest)
        lines = guest.channel.order("kernel-log")["lines"]
    assert found["requests"] > 0 and found["fallbacks"] > 0
    assert [line for line in lines if COMPLAINT.search(line)] == []
