# SPDX-License-Identifier: GPL-2.0
"""A place where kernels boot: what a run asks of one, whatever it is.

Nothing outside this package knows another testbed than this protocol. configs/testbed/*.toml have
the sizes of their machines, testbeds.py their names.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from p2pbench.linux.kernel import Kernel
from p2pbench.plan.matrix import Boot
from p2pbench.testbed.instruments import Counter, Instrument
from p2pbench.testbed.machine import Machine, Shape


class Testbed(Protocol):
    """A testbed, from the first check of a run to its last machine.

    instrument is what counts on it, None before that is chosen; typical_boot_s what a boot with
    setup and teardown takes; largest_bar, in bytes, what a BAR may have at most, and bar_limit why.
    """

    name: str
    shape: Shape
    typical_boot_s: float
    largest_bar: int
    bar_limit: str
    instrument: Instrument | None

    @property
    def environment_class(self) -> str:
        """The class that results of this testbed belong to; figures of two do not compare."""

    @property
    def why(self) -> str:
        """Why its machines run in the way that makes the class, in words."""

    def at_once(self) -> int:
        """Return how many machines there is room for at once."""

    def check(self, boots: Iterable[Boot], kernels: Iterable[Kernel]) -> None:
        """Raise BenchError for the first thing that would stop these boots, or their builds."""

    def choose_virtual_time(self) -> None:
        """Choose what gives virtual time, and what counts, before any kernel is built."""

    def choose(self, kernel: Kernel, counted: bool) -> None:
        """Choose how machines run, by a kernel that is built, and if so what counts."""

    def image_of(self, kernel: Kernel) -> str:
        """Return a hash of what a machine boots beside its kernel."""

    def prepare(self, kernel: Kernel) -> None:
        """Make what a machine boots beside its kernel."""

    def identity(self) -> dict[str, str]:
        """Return what a resumed run must find again, by the tool's name in its provenance."""

    def provenance(self) -> dict[str, Any]:
        """Return what the header of a run keeps of the testbed."""

    def machine(
        self, boot: Boot, kernel: Kernel, cmdline: str, console: Path, counter: Counter | None
    ) -> Machine:
        """Return the machine of a boot, not booted yet; a counter counts in it."""

    def terminal(self, kernel: Kernel, cmdline: str, console: Path) -> Machine:
        """Return a machine whose console is the user's terminal, not booted yet."""
