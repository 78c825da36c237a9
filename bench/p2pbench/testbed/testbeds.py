# SPDX-License-Identifier: GPL-2.0
"""The testbeds there are, by name."""

from p2pbench.testbed.config import read_devices, read_shape
from p2pbench.testbed.local import LocalTestbed
from p2pbench.testbed.qemu_testbed import QemuTestbed
from p2pbench.testbed.testbed import Testbed


def open_testbed(name: str) -> Testbed:
    """Return the testbed of configs/testbed/<name>.toml. Raises BenchError if there is none."""
    devices = read_devices(name)
    if devices:
        return LocalTestbed(name, read_shape(name), devices)
    return QemuTestbed(name)
