# SPDX-License-Identifier: GPL-2.0
"""A kernel's functions lie in the subsystems that the harness counts by."""

from p2pbench.linux.kernel import Kernel
from p2pbench.linux.probe import read_probe
from p2pbench.linux.symbols import read_functions


def test_every_subsystem_of_the_path_has_objects_in_a_real_kernel(page_kernel: Kernel) -> None:
    functions = read_functions(page_kernel.directory, "6.1")
    assert {function.subsystem for function in functions} == {
        *read_probe("6.1").subsystems.values(),
        "other",
    }
