"""The testbeds there are, by name."""

from p2pbench.testbed.qemu_testbed import QemuTestbed
from p2pbench.testbed.testbed import Testbed


def open_testbed(name: str) -> Testbed:
    """Return the testbed of configs/testbed/<name>.toml. Raises BenchError if there is none."""
    return QemuTestbed(name)
