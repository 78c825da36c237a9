# SPDX-License-Identifier: GPL-2.0
"""A machine with the agent in it, whatever it is: what a boot asks of one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Protocol

from p2pbench.testbed.channel import Channel, ChannelLost

# A boot to a ready agent that takes this long is normal under TCG; deadlines
# are for a machine of that speed and scale with how slow the first boot was.
_NOMINAL_BOOT_S = 5.0
_FIRST_BOOT_DEADLINE_S = 180.0
BOOT_DEADLINE_S = 40.0
# How many of the last lines of a console are kept of a machine that was lost.
CONSOLE_LINES = 40


class Machine(Protocol):
    """A booted machine; a context manager that boots it, and ends it whatever happens inside.

    channel leads to its agent, boot_s is how long it took to be ready, command how it was started,
    nvme_serial the serial number of the target's disk.
    """

    channel: Channel
    boot_s: float
    command: list[str]
    nvme_serial: str

    def __enter__(self) -> Machine:
        """Boot it and wait for its agent."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""

    def kill(self) -> None:
        """End it from another thread, booted or not; for the one that runs it, it is lost."""

    def lost(self, error: ChannelLost) -> LostMachine:
        """Return why its agent does not answer any more: a panic, a kill, a hang."""

    def setup_args(self, provider: str) -> dict[str, Any]:
        """Return the arguments of the order that sets a provider up: which devices are whose."""


@dataclass(frozen=True)
class Shape:
    """A machine's sizes, from configs/testbed/*.toml: bytes, and the number of CPUs."""

    memory: int
    cpus: int
    disk: int
    cmb: int
    bar: int

    def pools(self) -> dict[str, int]:
        """Return the size of the pool of each provider of peer memory."""
        return {"cmb": self.cmb, "bar": self.bar}

    def with_bar(self, size: int) -> "Shape":
        """Return the shape with a BAR of that many bytes, and memory for the pages behind it.

        0 leaves it as it is. A struct page is 64 bytes for 4 KiB; a quarter as much again
        is left for what the kernel needs to register them. The largest BAR leaves no room
        for a CMB beside it.
        """
        if not size:
            return self
        return replace(self, bar=size, cmb=0, memory=self.memory + size // 64 * 5 // 4)


@dataclass
class Pace:
    """How fast this machine is: the first boot sets it, every deadline uses it.

    Boots that run beside each other share it.
    """

    scale: float = 1.0
    boots: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def boot_deadline_s(self) -> float:
        """Return how long a boot may take."""
        return BOOT_DEADLINE_S * self.scale if self.boots else _FIRST_BOOT_DEADLINE_S

    def booted(self, seconds: float) -> None:
        """Learn from a boot."""
        with self._lock:
            if not self.boots:
                self.scale = max(1.0, seconds / _NOMINAL_BOOT_S)
            self.boots += 1


@dataclass(frozen=True)
class Lost:
    """What is known of a machine that was lost."""

    stage: str
    reason: str
    console: list[str] = field(default_factory=list)


class LostMachine(Exception):
    """The machine panicked, hung or was killed: not the same as a step that failed."""

    def __init__(self, lost: Lost) -> None:
        self.lost = lost
        super().__init__(f'lost the machine in stage "{lost.stage}": {lost.reason}')
