# SPDX-License-Identifier: GPL-2.0
"""A guest that panics, hangs or is killed is a lost machine: stage, console, no process left."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.measure.boot import BootRun, cmdline_of
from p2pbench.plan.matrix import Boot
from p2pbench.plan.matrix_file import find_matrix, read_matrix
from p2pbench.testbed import machine, qemu
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.channel import ChannelLost
from p2pbench.testbed.initramfs import build_image
from p2pbench.testbed.machine import LostMachine, Pace
from p2pbench.testbed.qemu import Guest
from p2pbench.testbed.qemu_testbed import QemuTestbed
from support import GuestMaker, qemu_children


@contextmanager
def no_qemu_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 5
    while qemu_children(os.getpid()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert qemu_children(os.getpid()) == []


def qemu_of(guest: Guest) -> int:
    assert guest._process
    return guest._process.pid


def test_a_guest_that_panics_is_lost_with_the_panic_and_the_console(make_guest: GuestMaker) -> None:
    with no_qemu_left(), pytest.raises(LostMachine) as caught:
        with make_guest("rdinit=/bin/true"):
            pytest.fail("it booted")
    assert caught.value.lost.stage == "boot"
    assert (
        "panicked: Kernel panic - not syncing: Attempted to kill init!" in caught.value.lost.reason
    )
    assert any("Attempted to kill init" in line for line in caught.value.lost.console)


def test_a_panic_is_named_however_long_the_trace_behind_it(
    make_guest: GuestMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "CONSOLE_LINES", 1)
    with no_qemu_left(), pytest.raises(LostMachine, match="panicked: Kernel panic") as caught:
        with make_guest("rdinit=/bin/true"):
            pytest.fail("it booted")
    assert len(caught.value.lost.console) == 1


def test_a_panic_before_there_is_a_console_is_named(
    make_guest: GuestMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So early the kernel has not read panic=-1 yet: it stops, and QEMU goes on.
    monkeypatch.setattr(machine, "_FIRST_BOOT_DEADLINE_S", 30.0)
    with no_qemu_left(), pytest.raises(LostMachine, match="panicked: .*place for new RAMDISK"):
        with make_guest("mem=16M"):
            pytest.fail("there was room for its initramfs")


def test_an_agent_that_gives_up_at_boot_is_lost_with_its_last_word(make_guest: GuestMaker) -> None:
    with no_qemu_left(), pytest.raises(LostMachine, match="the guest powered off: .*0.0 s"):
        with make_guest("P2PAGENT_SCALE=0.0001"):
            pytest.fail("it had all the time that it wanted")


def test_a_guest_that_never_gets_ready_is_lost_after_the_deadline(
    make_guest: GuestMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_FIRST_BOOT_DEADLINE_S", 0.5)
    with no_qemu_left(), pytest.raises(LostMachine) as caught:
        with make_guest(pace=Pace()):
            pytest.fail("it was ready in half a second")
    assert caught.value.lost.stage == "boot"
    assert "the agent was not ready" in caught.value.lost.reason


def test_a_guest_that_hangs_in_an_order_is_lost_in_that_order(
    make_guest: GuestMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("p2pbench.testbed.channel._GRACE_S", 0.5)
    with no_qemu_left():
        with make_guest() as guest:
            os.kill(qemu_of(guest), signal.SIGSTOP)
            with pytest.raises(ChannelLost) as caught:
                guest.channel.order("memory", deadline_s=0.5)
            lost = guest.lost(caught.value)
    assert lost.lost.stage == "memory"
    assert "still running" in lost.lost.reason


def test_a_killed_qemu_is_named_with_its_signal(make_guest: GuestMaker) -> None:
    with no_qemu_left():
        with make_guest() as guest:
            os.kill(qemu_of(guest), signal.SIGKILL)
            with pytest.raises(ChannelLost) as caught:
                guest.channel.order("setup", guest.setup_args("bar"))
            lost = guest.lost(caught.value)
    assert "QEMU was killed by SIGKILL" in lost.lost.reason


def test_a_qemu_that_refuses_its_command_line_says_why(
    make_guest: GuestMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "NVME_SERIAL", "x,no-such-property=1")
    with no_qemu_left(), pytest.raises(LostMachine, match="exit status 1.*no-such-property"):
        with make_guest():
            pytest.fail("it started")


def test_a_boot_whose_guest_dies_in_the_middle_is_recorded_as_lost(
    page_kernel: Kernel, accelerator: Accelerator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("run")
    build_image(page_kernel)

    def kill_at_fio(stage: str) -> None:
        if stage.startswith("randwrite"):
            os.kill(qemu_children(os.getpid())[0], signal.SIGKILL)

    boot = Boot("b0-page-bar", 0, 0, "page", "bar")
    matrix = read_matrix(find_matrix("smoke"))
    guest = QemuTestbed("qemu", accelerator).machine(
        boot, page_kernel, cmdline_of(boot, matrix), directory / "console.log", None
    )
    with no_qemu_left():
        record = BootRun(boot, matrix, 1, directory / "raw", kill_at_fio).run(guest)
    assert record["status"] == "lost"
    assert record["lost"]["stage"] == "fio"
    assert [entry["status"] for entry in record["workloads"]] == ["ok"]
