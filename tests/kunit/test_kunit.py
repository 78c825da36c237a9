# SPDX-License-Identifier: GPL-2.0
"""The tests that live in the kernel, read by the kernel's own parser.

On the flavour that is measured they take seconds, under every checker minutes.
"""

import re
import sys
from collections import Counter
from types import ModuleType
from typing import Any

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.config import read_shape
from p2pbench.testbed.machine import Pace
from p2pbench.testbed.qemu import Guest

SUITES = {
    "blk-dma-direct",
    "blk-dma-users",
    "nvme-pci",
    "nvmet",
    "nvmet-p2pmem",
    "nvmet-rdma",
    "pci-p2pdma",
    "pci-p2pdma-map",
}

# At how many places of each file a case provokes a warning; a place warns once. The cases say
# "warns", but for p2pdma-test.c's of a mapping that fails (ioremap.c).
PROVOKED = {
    "arch/x86/mm/ioremap.c": 1,
    "block/bio.c": 10,
    "block/blk-crypto.c": 1,
    "block/blk-map.c": 1,
    "block/blk-merge.c": 1,
    "block/blk-settings.c": 2,
    "drivers/nvme/host/pci.c": 1,
    "include/linux/bio.h": 3,
}
PLACE = re.compile(r"WARNING: CPU: \d+ PID: \d+ at (?:\./)?(\S+):(\d+) ")


@pytest.fixture(scope="module")
def log(
    kunit_kernel: Kernel, accelerator: Accelerator, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The kernel's log of a boot in which the tests ran."""
    console = tmp_path_factory.mktemp("kunit") / "console.log"
    # Thousands of cases under every checker take as long as many ordinary boots.
    pace = Pace(scale=30.0, boots=1)
    with Guest(
        kunit_kernel, accelerator, read_shape("qemu"), pace, console, "log_buf_len=8M"
    ) as guest:
        lines: list[str] = guest.channel.order("kernel-log")["lines"]
    return lines


@pytest.fixture(scope="module")
def parser(kunit_kernel: Kernel) -> ModuleType:
    """The kernel's own KTAP parser."""
    sys.path.insert(0, str(kunit_kernel.devel / "tools" / "testing" / "kunit"))
    try:
        import kunit_parser
    finally:
        sys.path.pop(0)
    return kunit_parser


@pytest.fixture(scope="module")
def result(parser: ModuleType, log: list[str]) -> Any:
    return parser.parse_run_tests(line.split("> ", 1)[-1] for line in log)


def test_every_suite_ran(result: Any) -> None:
    assert {suite.name for suite in result.subtests} >= SUITES


def test_every_case_passed(result: Any, parser: ModuleType) -> None:
    failed = [
        f"{suite.name}.{case.name}: {' '.join(case.log)}"
        for suite in result.subtests
        for case in suite.subtests
        if case.status != parser.TestStatus.SUCCESS
    ]
    assert failed == []
    assert result.counts.passed > 0 and result.counts.crashed == 0 and result.counts.errors == 0


def test_only_the_warnings_that_a_test_provokes_are_in_the_log(log: list[str]) -> None:
    from p2pbench.measure.boot import COMPLAINT

    # The task that boots the kernel waits for each case; thousands of twins take their time.
    bad = [
        line
        for line in log
        if COMPLAINT.search(line)
        and not PLACE.search(line)
        and "task swapper/0:1 blocked" not in line
    ]
    assert bad == []
    places = {place.groups() for place in map(PLACE.search, log) if place}
    assert Counter(file for file, _line in places) == PROVOKED, sorted(places)
