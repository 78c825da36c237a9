# SPDX-License-Identifier: GPL-2.0
"""A boot that counts, as a run makes it, and what it counted."""

from pathlib import Path
from typing import Any

from p2pbench.linux.kernel import Kernel
from p2pbench.measure.boot import BootRun, cmdline_of
from p2pbench.plan.matrix import Boot, Matrix
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.instruments import Counter
from p2pbench.testbed.qemu_testbed import QemuTestbed

Entries = dict[str, dict[str, Any]]


def counted_boot(
    name: str,
    kernel: Kernel,
    matrix: Matrix,
    counter: Counter,
    directory: Path,
    provider: str = "count",
) -> Entries:
    """Return the workloads of one boot by name; it must come to its end."""
    boot = Boot(name, 0, 0, "page", provider, kind="count")
    testbed = QemuTestbed("qemu", Accelerator("tcg", ""))
    machine = testbed.machine(
        boot, kernel, cmdline_of(boot, matrix), directory / f"{name}.log", counter
    )
    record = BootRun(boot, matrix, 1, directory, print, counter).run(machine)
    assert record["status"] == "ok", record
    return {entry["name"]: entry for entry in record["workloads"]}


def by_function(entry: dict[str, Any]) -> dict[str, float]:
    """Return the instructions that a workload took, by function."""
    counts = entry["counts"]
    return {row["function"]: row["per_io"] * counts["ios"] for row in counts["functions"]}


def differences(entry: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the ten functions in which two counts of a workload differ most, and by how much."""
    left, right = by_function(entry), by_function(other)
    each = [(name, left.get(name, 0.0) - right.get(name, 0.0)) for name in left | right]
    return sorted(each, key=lambda row: -abs(row[1]))[:10]
