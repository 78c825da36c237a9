# SPDX-License-Identifier: GPL-2.0
"""The QEMU testbed: start a guest, talk to its agent, and never leave a process behind."""

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pbench.base.errors import BenchError
from p2pbench.base.program import environment, find_tool
from p2pbench.linux.kernel import Kernel
from p2pbench.records.kinds import MEMORY, plain
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.channel import ChannelLost
from p2pbench.testbed.child import ChildMachine
from p2pbench.testbed.initramfs import AGENT_PORT, MODULE, build_image
from p2pbench.testbed.machine import BOOT_DEADLINE_S, CONSOLE_LINES, Lost, LostMachine, Pace, Shape
from p2pbench.testbed.oom import OomWatch

NVME_SERIAL = "p2pbench"
BAR_PCI_ID = "1af4:1110"
BAR_NUMBER = 2
_BAR_BELOW_THE_HOLE = 256 << 30


@dataclass(frozen=True)
class Board:
    """What a guest has otherwise than configs/testbed draws it.

    apart: "bar" or "nic", a device below a root port of its own, or "disk", on the root
    bus, so that it meets its peers in the host bridge; trusted: the CPU is one whose host
    bridge the kernel trusts with that. iommu: "intel" or "amd", DMA passes an IOMMU of
    theirs. subsystem: the NVMe controller is one of several of a subsystem, which makes
    its disk a multipath one. iops, bps: how many requests, or bytes, the disk does a second at
    most, so that requests wait.
    """

    apart: str = ""
    trusted: bool = True
    iommu: str = ""
    subsystem: bool = False
    iops: int = 0
    bps: int = 0

    def machine(self) -> list[str]:
        """Return the options that must come before the other devices."""
        return ["-device", f"{self.iommu}-iommu,intremap=off"] if self.iommu else []

    def drive(self) -> str:
        """Return what the options of the disk's drive are followed by."""
        limits = {"iops": self.iops, "bps": self.bps}
        return "".join(
            f",throttling.{name}-total={limit}" for name, limit in limits.items() if limit
        )

    def cpu(self) -> str:
        """Return what the name of the CPU is followed by."""
        if not self.apart:
            return ""
        return ",vendor=AuthenticAMD,family=23" if self.trusted else ",vendor=GenuineIntel,family=6"

    def port(self, device: str, number: int, options: str = "") -> list[str]:
        """Return the port that a device is below; its id is d and the number."""
        if self.apart == device:
            return [
                "-device",
                f"pcie-root-port,id=d{number},chassis={number + 2},slot={number}{options}",
            ]
        return [
            "-device",
            f"xio3130-downstream,id=d{number},bus=up0,chassis={number + 2},slot={number}",
        ]

    def nic(self, device: str) -> list[str]:
        """Return the NIC, which the device describes but for its place.

        It is not up without DMA, and QEMU 7.2 has AMD's IOMMU know devices on the root bus only.
        """
        return ["-device", f"{device},bus={'pcie.0' if self.iommu == 'amd' else 'd1'}"]

    def nvme(self, device: str) -> list[str]:
        """Return the NVMe controller, which the device describes but for its place."""
        device += f",bus={'pcie.0' if self.apart == 'disk' else 'd0'}"
        if self.subsystem:
            return [
                "-device",
                "nvme-subsys,id=subsys0,nqn=p2pbench",
                "-device",
                f"{device},subsys=subsys0",
            ]
        return ["-device", device]


def waited_for_cpu_s(pid: int) -> float:
    """Return how long a process was ready to run without a CPU, in s: the most of its threads; 0 if
    it has gone, or this kernel does not say.

    It is the second figure of schedstat, in ns (Documentation/scheduler/sched-stats.rst).
    """
    waited = 0.0
    for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, IndexError):
            waited = max(waited, int(schedstat.read_text().split()[1]) / 1e9)
    return waited


class Guest(ChildMachine):
    """One booted guest; a context manager that ends the guest whatever happens inside."""

    def __init__(
        self,
        kernel: Kernel,
        accelerator: Accelerator,
        shape: Shape,
        pace: Pace,
        console: Path,
        cmdline: str = "",
        interactive: bool = False,
        namespace: str = "",
        board: Board = Board(),
        plugin: str = "",
        icount: str = "",
    ) -> None:
        super().__init__(pace, console)
        self.kernel = kernel
        self.nvme_serial = NVME_SERIAL
        self._accelerator = accelerator
        self._shape = shape
        self._cmdline = cmdline
        self._interactive = interactive
        self._namespace = namespace
        self._plugin = plugin
        self._icount = icount
        self._board = board
        self._oom = OomWatch()
        self._held_up = 0.0
        self.channel.held_up_s = self._held_up_s

    @staticmethod
    def setup_args(provider: str) -> dict[str, Any]:
        """Return the setup order's arguments for the devices of a guest."""
        memory = provider.startswith(MEMORY)
        return {
            "provider": "bar" if memory else plain(provider),
            "until": "provider" if memory else "connect",
            "nvme_serial": NVME_SERIAL,
            "module": MODULE,
            "netdev": "eth0",  # the guest has one network card, and no udev to rename it
            "bar": {"pci": BAR_PCI_ID, "bar": BAR_NUMBER, "offset": 0, "size": 0},
        }

    def lost(self, error: ChannelLost) -> LostMachine:
        """Turn a lost channel into a lost machine: how QEMU ended, and the console's last lines."""
        reason = error.reason
        code = None
        if self._process:
            try:
                code = self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                reason += "; QEMU was still running and was killed"
        lines = self._console_lines()
        panic = [line for line in lines if "Kernel panic" in line]
        if panic:
            reason = f"the guest's kernel panicked: {panic[0].split('] ', 1)[-1]}"
        elif code is not None and code < 0:
            reason = f"QEMU was killed by {signal.Signals(-code).name}"
            memory = self._oom.explanation() if -code == signal.SIGKILL else ""
            reason += f": {memory}" if memory else ""
        elif code is not None:
            said = [line for line in lines if "reboot: Power down" not in line]
            what = (
                f"QEMU ended with exit status {code}"
                if code
                else "the guest powered off"
                if len(said) < len(lines)
                else "the guest reset"
            )
            reason = f"{what}: {(said or ['no word'])[-1]}"
        return LostMachine(Lost(error.stage, reason, lines[-CONSOLE_LINES:]))

    def _held_up_s(self) -> float:
        """Return how long QEMU wanted a CPU and had none; if it is gone, what was seen last."""
        if self._process:
            self._held_up = max(self._held_up, waited_for_cpu_s(self._process.pid))
        return self._held_up

    def _console_lines(self) -> list[str]:
        """Return the lines of the guest's console and of QEMU's own messages."""
        try:
            text = self.console.read_text(errors="replace")
        except OSError:
            return []
        return [line.rstrip("\r") for line in text.splitlines() if line.strip()]

    def _start(self) -> subprocess.Popen[bytes]:
        disk = os.memfd_create("p2pbench-disk")
        try:
            os.ftruncate(disk, self._shape.disk)
            self.command = self._command(disk, self._theirs.fileno())
            # setpriv: QEMU must not outlive a harness that is killed with SIGKILL.
            with self.console.open("wb") as stream:
                output = None if self._interactive else stream
                return subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", *self.command],
                    env=environment(),
                    stdin=None if self._interactive else subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=(disk, self._theirs.fileno()),
                    process_group=None if self._interactive else 0,
                )
        except OSError as error:
            raise BenchError(f"cannot start QEMU: {error}") from None
        finally:
            os.close(disk)
            self._theirs.close()

    def _wait_ready(self) -> None:
        super()._wait_ready()
        self._pace.booted(self.boot_s)
        self.channel.scale = self._pace.scale

    def _end(self) -> None:
        self.channel.close()
        if self._process and self._process.poll() is None:
            self._process.kill()
        if self._process:
            self._process.wait()

    def _command(self, disk: int, channel: int) -> list[str]:
        """Return QEMU's command line; the topology is drawn in configs/testbed/qemu.toml."""
        shape = self._shape
        # Without ERMS a copy moves words: with it, each byte of a copy to the
        # CMB would be an emulated access of its own.
        cpu = "host" if self._accelerator.name == "kvm" else "max,-erms,-fsrm"
        cpu += self._board.cpu()
        reserve = max(shape.bar, 1 << 30)
        # From 7.1 on, a q35 with an AMD processor reserves the last 12 GiB below 1 TiB
        # for HyperTransport. TCG's addresses end there, and so does a BAR of 512 GiB.
        machine = "pc-q35-7.0" if shape.bar > _BAR_BELOW_THE_HOLE else "q35"
        # A guest that gets no CPU for some ticks takes its timer for broken, and panics.
        # quiet is first, or the early console has all that the kernel says until then.
        # The agent is as patient as we are, but has no order yet that could say so.
        cmdline = (
            "quiet console=ttyS0 earlyprintk=ttyS0 panic=-1 oops=panic nokaslr "
            f"no_timer_check P2PAGENT_SCALE="
            f"{self._pace.boot_deadline_s() / BOOT_DEADLINE_S:.1f} "
            f"{self._cmdline}"
        ).rstrip()
        serial = "mon:stdio" if self._interactive else "stdio"
        return [
            str(find_tool("qemu-system-x86_64")),
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-machine",
            machine,
            "-accel",
            self._accelerator.option,
            "-cpu",
            cpu,
            "-smp",
            str(shape.cpus),
            "-m",
            f"{shape.memory >> 20}M",
            "-serial",
            serial,
            "-kernel",
            str(self.kernel.bzimage),
            "-initrd",
            str(build_image(self.kernel)),
            "-append",
            cmdline,
            *self._board.machine(),
            "-device",
            f"pcie-root-port,id=rp0,chassis=1,pref64-reserve={reserve}",
            "-device",
            "x3130-upstream,id=up0,bus=rp0",
            "-device",
            "xio3130-downstream,id=d0,bus=up0,chassis=2,slot=0",
            *self._board.port("nic", 1),
            *self._board.port("bar", 2, f",pref64-reserve={reserve}"),
            "-drive",
            f"file=/proc/self/fd/{disk},if=none,id=disk,format=raw,cache=unsafe,"
            f"aio=threads,file.locking=off{self._board.drive()}",
            *self._board.nvme(f"nvme,id=nvme0,serial={NVME_SERIAL},cmb_size_mb={shape.cmb >> 20}"),
            "-device",
            f"nvme-ns,drive=disk,bus=nvme0,nsid=1{self._namespace}",
            # vmxnet3 leaves the CPU alone while nothing is sent: e1000e's driver looks at
            # its link every 2 s, and the busy wait in it is as long as some I/Os.
            "-netdev",
            "user,id=net,restrict=on",
            *self._board.nic("vmxnet3,netdev=net"),
            "-object",
            f"memory-backend-memfd,id=bar,size={shape.bar},share=on,reserve=off",
            "-device",
            "ivshmem-plain,memdev=bar,bus=d2",
            "-device",
            "virtio-serial-pci",
            "-chardev",
            f"socket,id=agent,fd={channel}",
            "-device",
            f"virtserialport,chardev=agent,name={AGENT_PORT}",
            "-device",
            "virtio-rng-pci",
            *(["-plugin", self._plugin] if self._plugin else []),
            *(["-icount", self._icount] if self._icount else []),
        ]
