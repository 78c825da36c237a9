# SPDX-License-Identifier: GPL-2.0
"""A guest whose data goes through peer memory, and what tests ask of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.measure import fio
from p2pbench.measure.boot import COMPLAINT, boot_cmdline
from p2pbench.plan.matrix import Workload
from p2pbench.records import evidence
from p2pbench.records.kinds import SQES
from p2pbench.testbed.channel import AgentError, ChannelLost
from p2pbench.testbed.machine import LostMachine
from p2pbench.testbed.qemu import Guest
from support import GuestMaker

NQN = "nqn.2026-01.org.p2pbench:target"
NVMET = "/sys/kernel/config/nvmet"
NAMESPACE = f"{NVMET}/subsystems/{NQN}/namespaces/1"
TRACING = "/sys/kernel/tracing"
BOTH_WAYS = ("target-to-fabric", "fabric-to-target")


@contextmanager
def lost_machine_fails(guest: Guest) -> Iterator[None]:
    """Turn a guest that dies into a failure that carries what its kernel said last."""
    try:
        yield
    except (ChannelLost, LostMachine) as error:
        lost = error if isinstance(error, LostMachine) else guest.lost(error)
        console = guest.console.read_text(errors="replace").splitlines()
        said = [line for line in console if COMPLAINT.search(line) or "RIP: 0010" in line]
        print("\n".join(console[-200:]))
        pytest.fail(f"{lost}; the kernel said: {' | '.join(said[:2]) or 'nothing'}")


@contextmanager
def peer_guest(
    make_guest: GuestMaker, kernel: Kernel, provider: str = "bar", cmdline: str = "", **guest: Any
) -> Iterator[Guest]:
    """A guest set up with a provider; in the end the pool is whole and the kernel content.

    A pool with the disk's queues in it is as it was in the beginning: the agent sees to that.
    """
    booted = make_guest(f"{boot_cmdline(provider)} {cmdline}", kernel=kernel, **guest)
    with lost_machine_fails(booted), booted:
        booted.channel.order("setup", booted.setup_args(provider), 120)
        yield booted
        try:
            pool = booted.channel.order("teardown", deadline_s=120)["pool"]
        except AgentError as error:
            pytest.fail(f"{error}; kernel: {complaints(booted)[:3]}")
        found = complaints(booted)
        assert found == [], f"the kernel complains: {found[:3]}"
        assert pool["available"] == pool["size"] or provider == f"cmb{SQES}", f"not whole: {pool}"


def complaints(guest: Guest) -> list[str]:
    """Return the lines of the kernel's log in which it complains."""
    lines = guest.channel.order("kernel-log")["lines"]
    return [line for line in lines if COMPLAINT.search(line)]


def shell(guest: Guest, line: str, deadline_s: int = 60) -> dict[str, Any]:
    """Run a line of shell in the guest."""
    return guest.channel.order("command", {"line": line, "deadline_s": deadline_s}, deadline_s + 30)


def must(guest: Guest, line: str) -> str:
    """Run a line of shell that has to succeed; return what it printed."""
    answer = shell(guest, line)
    assert answer["exit"] == 0, f"{line}: {answer['stdout']}{answer['stderr']}"
    return str(answer["stdout"])


def counters(guest: Guest) -> dict[str, int]:
    """Return what nvmet counted: requests, bytes, fallbacks."""
    text = must(guest, f"cd {NAMESPACE} && cat p2pmem_requests p2pmem_bytes p2pmem_fallbacks")
    return dict(zip(("requests", "bytes", "fallbacks"), map(int, text.split())))


def pool(guest: Guest) -> tuple[int, int]:
    """Return the size of the pool that the namespace uses, and what is free in it."""
    text = must(
        guest, f"cd /sys/bus/pci/devices/$(cat {NAMESPACE}/p2pmem)/p2pmem && cat size available"
    )
    size, available = map(int, text.split())
    return size, available


def trace_function(guest: Guest, name: str) -> None:
    """Have the kernel write each call of a function to TRACING/trace from now on."""
    must(
        guest,
        f"mount -t tracefs none {TRACING} && cd {TRACING} && "
        f"echo {name} >set_ftrace_filter && echo function >current_tracer",
    )


def trace_event(guest: Guest, event: str) -> None:
    """Have the kernel write each event of a kind, "block/block_rq_issue", to TRACING/trace."""
    must(guest, f"mount -t tracefs none {TRACING} && echo 1 >{TRACING}/events/{event}/enable")


def traced(guest: Guest, what: str) -> int:
    """Return how many lines of TRACING/trace have this in them."""
    return int(must(guest, f"grep -c '{what}' {TRACING}/trace; true"))


def verify_job(bs: int = 32768, iodepth: int = 4, size: int = 1 << 20) -> Workload:
    """Return a job that writes, and reads back what it wrote."""
    return Workload("verify", "fio", "randwrite", bs, iodepth, 1, "crc32c", size, 0.0, ("bar",))


def run_fio(guest: Guest, job: Workload) -> tuple[dict[str, Any], dict[str, float]]:
    """Run a job that has to succeed; return its evidence and its figures."""
    answer = guest.channel.order(
        "fio", {"name": job.name, "deadline_s": 60, "job": fio.job_file(job, 1)}, 90
    )
    try:
        return answer["evidence"], fio.metrics(job, answer)
    except fio.FioError as error:
        pytest.fail(f"{job.rw} of {job.bs} bytes: {error}; kernel: {complaints(guest)[:2]}")


def verified_through_peer_memory(
    guest: Guest, provider: str = "bar", bs: int = 32768, iodepth: int = 4, size: int = 1 << 20
) -> None:
    """Write and verify, with evidence that all of it went through peer memory."""
    found, figures = run_fio(guest, verify_job(bs, iodepth, size))
    reasons = evidence.judge(provider, found, int(figures["bytes"]))
    assert reasons == [], f"blocks of {bs}: {reasons}: {found}"


def every_byte_arrives(guest: Guest, block: int = 65536) -> None:
    """Carry a pattern in both directions, seen by the target's own disk and by the fabric."""
    for direction in BOTH_WAYS:
        try:
            guest.channel.order(
                "pattern",
                {"bytes": 4 * block, "block": block, "seed": 7, "direction": direction},
                60,
            )
        except AgentError as error:
            pytest.fail(f"{direction}, blocks of {block}: {error}; kernel: {complaints(guest)[:2]}")


def every_size_is_carried(guest: Guest, sizes: Iterable[int]) -> None:
    """Carry a pattern, and write and verify, in blocks of each size through a BAR."""
    for bs in sizes:
        every_byte_arrives(guest, bs)
        verified_through_peer_memory(guest, bs=bs, iodepth=4, size=bs * 8)
