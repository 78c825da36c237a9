"""The kernel under test and real guests of it."""

from pathlib import Path

import pytest

from p2pbench import accel
from p2pbench.accel import Accelerator
from p2pbench.kernel import Kernel, build
from p2pbench.qemu import Guest, Pace, read_shape
from p2pbench.variants import find_variant

from support import GuestMaker

@pytest.fixture(scope="session")
def page_kernel() -> Kernel:
    """The page-backed kernel, from the cache or built now."""
    return build(find_variant("page"), "bench")


@pytest.fixture(scope="session")
def accelerator(page_kernel: Kernel) -> Accelerator:
    """What QEMU can use here."""
    return accel.choose(page_kernel.bzimage)


@pytest.fixture
def make_guest(page_kernel: Kernel, accelerator: Accelerator, tmp_path: Path) -> GuestMaker:
    """Return a maker of guests: kernel parameters, and what a test needs otherwise."""
    def make(cmdline: str = "", pace: Pace | None = None, kernel: Kernel | None = None,
             namespace: str = "") -> Guest:
        return Guest(kernel or page_kernel, accelerator, read_shape("qemu"), pace or Pace(),
                     tmp_path / "console.log", cmdline, namespace=namespace)
    return make
