# SPDX-License-Identifier: GPL-2.0
"""This machine itself as a testbed: the agent is an ordinary process, under the kernel that runs.

It boots nothing, so a run has one variant, and that must be the kernel that runs. configs/testbed
names the devices that the agent may use; it touches no other disk, and no disk with data on it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from p2pbench.base.errors import BenchError
from p2pbench.base.program import environment
from p2pbench.base.tools import file_sha256
from p2pbench.linux.kernel import Kernel
from p2pbench.plan.matrix import Boot
from p2pbench.records.kinds import PERF, plain
from p2pbench.testbed import preflight
from p2pbench.testbed.channel import ChannelLost
from p2pbench.testbed.child import ChildMachine
from p2pbench.testbed.initramfs import build_agent, build_provider
from p2pbench.testbed.instruments import Counter, Instrument
from p2pbench.testbed.machine import CONSOLE_LINES, Lost, LostMachine, Pace, Shape


@dataclass(frozen=True)
class Devices:
    """What of this machine a run may use: the disk by its serial number, the network card, a BAR.

    The card is named, never guessed: it gets an address and an MTU, and may be the way in.
    arguments and variables are what the agent is started with: a test's machine is made of files.
    """

    nvme_serial: str
    netdev: str
    bar: Mapping[str, Any] | None = None
    arguments: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


class LocalMachine(ChildMachine):
    """The agent on this machine; a context manager that ends it whatever happens inside."""

    def __init__(
        self, agent: Path, devices: Devices, module: Path | None, pace: Pace, console: Path
    ) -> None:
        super().__init__(pace, console)
        self.nvme_serial = devices.nvme_serial
        self.command = [str(agent), *devices.arguments]
        self._devices = devices
        self._module = module

    def lost(self, error: ChannelLost) -> LostMachine:
        """Return how the agent ended, and what it said last."""
        reason = error.reason
        try:
            status = self._process.wait(timeout=2) if self._process else None
        except subprocess.TimeoutExpired:
            status = None
        if status is not None:
            reason = (
                f"the agent was killed by {signal.Signals(-status).name}"
                if status < 0
                else f"the agent ended with exit status {status}"
            )
        lines = self.console.read_text(errors="replace").splitlines()
        return LostMachine(Lost(error.stage, reason, lines[-CONSOLE_LINES:]))

    def setup_args(self, provider: str) -> dict[str, Any]:
        """Return the setup order's arguments for the devices of this machine."""
        bar = {"bar": dict(self._devices.bar)} if self._devices.bar else {}
        module = {"module": str(self._module)} if self._module else {}
        return (
            {
                "provider": plain(provider),
                "until": "connect",
                "nvme_serial": self.nvme_serial,
                "netdev": self._devices.netdev,
            }
            | bar
            | module
        )

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            with self.console.open("wb") as stream:
                return subprocess.Popen(
                    self.command,
                    env=environment(**self._devices.variables),
                    stdin=self._theirs.fileno(),
                    stdout=self._theirs.fileno(),
                    stderr=stream,
                    process_group=0,
                )
        except OSError as error:
            raise BenchError(f"cannot start the agent: {error}") from None
        finally:
            self._theirs.close()

    def _end(self) -> None:
        """End the agent, which takes down what it set up when its channel is closed."""
        self.channel.close()
        if self._process:
            try:
                self._process.wait(timeout=60 * self._pace.scale)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


class LocalTestbed:
    """This machine, with the devices of it that a run may use."""

    typical_boot_s = 2.0
    environment_class = "hardware"
    why = "the agent is a process of this machine"
    largest_bar = 1 << 62
    bar_limit = "the size of an address"

    def __init__(self, name: str, shape: Shape, devices: Devices) -> None:
        if not devices.netdev:
            raise BenchError(f"testbed {name}: no network card is named, and none is guessed")
        self.name = name
        self.shape = shape
        self.instrument: Instrument | None = None
        self._devices = devices
        self._pace = Pace()

    def at_once(self) -> int:
        """Return one: there is one machine."""
        return 1

    def check(self, boots: Iterable[Boot], kernels: Iterable[Kernel]) -> None:
        """Raise BenchError where a run needs another kernel than the one that runs."""
        names = [kernel.variant.name for kernel in kernels]
        if len(names) > 1:
            raise BenchError(
                f"testbed {self.name} boots no kernel, so that a run has one variant, "
                f"the kernel that runs (there are {', '.join(names)})"
            )
        preflight.check_tools(("build",))

    def choose_virtual_time(self) -> None:
        """Say that there is none: the clock of a machine is the wall's."""
        self.instrument = Instrument(PERF, real_time="a machine's clock is the wall's")

    def choose(self, kernel: Kernel, counted: bool) -> None:
        """Choose the CPU's own counters."""
        if counted:
            self.choose_virtual_time()

    def image_of(self, kernel: Kernel) -> str:
        """Return the agent's hash: nothing else comes from here."""
        return file_sha256(build_agent())[:16]

    def prepare(self, kernel: Kernel) -> None:
        """Build the agent."""
        build_agent()

    def identity(self) -> dict[str, str]:
        """Return nothing: the host stands in the provenance of every run."""
        return {}

    def provenance(self) -> dict[str, Any]:
        """Return the testbed's name and its devices."""
        return {
            "testbed": {
                "name": self.name,
                "nvme_serial": self._devices.nvme_serial,
                "netdev": self._devices.netdev,
            }
        }

    def machine(
        self, boot: Boot, kernel: Kernel, cmdline: str, console: Path, counter: Counter | None
    ) -> LocalMachine:
        """Return this machine; a module is built where a BAR is made peer memory."""
        module = build_provider(kernel) if self._devices.bar else None
        return LocalMachine(build_agent(), self._devices, module, self._pace, console)

    def terminal(self, kernel: Kernel, cmdline: str, console: Path) -> LocalMachine:
        """Raise BenchError: the user has a terminal of this machine already."""
        raise BenchError(f"testbed {self.name} is this machine: its shell is yours")
