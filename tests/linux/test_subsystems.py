"""A kernel's functions lie in the subsystems that the harness counts by."""

from p2pbench.linux.kernel import Kernel
from p2pbench.linux.symbols import SUBSYSTEMS, read_functions


def test_every_subsystem_of_the_path_has_objects_in_a_real_kernel(page_kernel: Kernel) -> None:
    functions = read_functions(page_kernel.directory)
    assert {function.subsystem for function in functions} == \
        {name for name, _ in SUBSYSTEMS} | {"other"}
