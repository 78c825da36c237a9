# SPDX-License-Identifier: GPL-2.0
"""QEMU as a testbed: guests with one set of devices, by the fastest accelerator that works."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from p2pbench.linux.kernel import Kernel
from p2pbench.plan.matrix import Boot
from p2pbench.records import virtual_time
from p2pbench.testbed import accelerators, instruments, limits, preflight
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.config import read_shape
from p2pbench.testbed.initramfs import build_image
from p2pbench.testbed.instruments import Counter, Instrument
from p2pbench.testbed.machine import Pace
from p2pbench.testbed.provenance import first_line
from p2pbench.testbed.qemu import Guest


class QemuTestbed:
    """Guests of this machine; their sizes are of configs/testbed/<name>.toml."""

    typical_boot_s = 6.0
    largest_bar = 1 << 39
    bar_limit = "TCG has 40 bits of physical address"

    def __init__(self, name: str, accelerator: Accelerator | None = None) -> None:
        self.name = name
        self.shape = read_shape(name)
        self.instrument: Instrument | None = None
        self._accelerator = accelerator
        self._pace = Pace()

    @property
    def environment_class(self) -> str:
        """The class of the accelerator."""
        assert self._accelerator
        return self._accelerator.environment_class

    @property
    def why(self) -> str:
        """Why this accelerator was chosen."""
        assert self._accelerator
        return self._accelerator.reason

    def at_once(self) -> int:
        """Return how many guests there are memory and CPUs for."""
        return preflight.guests_at_once(self.shape.memory, limits.cpus())

    def check(self, boots: Iterable[Boot], kernels: Iterable[Kernel]) -> None:
        """Raise BenchError for memory, tools, devices or room on the disk that is missing."""
        shapes = {boot.provider: self.shape.with_bar(boot.bar) for boot in boots}
        preflight.check_memory({provider: shape.memory for provider, shape in shapes.items()})
        # The disk and the BAR are files in memory, which `ulimit -f` limits as others.
        preflight.check_file_size(max(self.shape.disk, *(shape.bar for shape in shapes.values())))
        preflight.check(kernels)

    def choose_virtual_time(self) -> None:
        """Choose emulation, unless $ACCEL asks for something else, and what counts in it."""
        self._accelerator = accelerators.asked() or accelerators.EMULATION
        self.instrument = instruments.choose(self._accelerator)

    def choose(self, kernel: Kernel, counted: bool) -> None:
        """Choose the accelerator by booting a kernel, and what counts under it."""
        self._accelerator = accelerators.choose(kernel.bzimage)
        if counted:
            self.instrument = instruments.choose(self._accelerator)

    def image_of(self, kernel: Kernel) -> str:
        """Return the hash of a kernel's initramfs."""
        return build_image(kernel).stem

    def prepare(self, kernel: Kernel) -> None:
        """Make the initramfs: two boots at once would both make it."""
        build_image(kernel)

    def identity(self) -> dict[str, str]:
        """Return QEMU's version."""
        return {"qemu": first_line("qemu-system-x86_64", "--version")}

    def provenance(self) -> dict[str, Any]:
        """Return the accelerator, why it was chosen, and the sizes of the guest."""
        assert self._accelerator
        return {
            "qemu": {
                "accelerator": self._accelerator.name,
                "why": self._accelerator.reason,
                "shape": asdict(self.shape),
            }
        }

    def machine(
        self, boot: Boot, kernel: Kernel, cmdline: str, console: Path, counter: Counter | None
    ) -> Guest:
        """Return a guest; one that is counted has one CPU, on which the plugin counts exactly."""
        assert self._accelerator
        shape = self.shape.with_bar(boot.bar)
        if counter:
            shape = replace(shape, cpus=1)
        icount = counter.instrument.icount if counter else ""
        parameters = [cmdline, virtual_time.CMDLINE if icount else ""]
        return Guest(
            kernel,
            self._accelerator,
            shape,
            self._pace,
            console,
            " ".join(filter(None, parameters)),
            plugin=counter.argument if counter else "",
            icount=icount,
        )

    def terminal(self, kernel: Kernel, cmdline: str, console: Path) -> Guest:
        """Return a guest whose console is the user's terminal."""
        assert self._accelerator
        return Guest(
            kernel, self._accelerator, self.shape, self._pace, console, cmdline, interactive=True
        )
