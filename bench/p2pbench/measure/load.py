# SPDX-License-Identifier: GPL-2.0
"""What the workloads of a matrix ask of their guest: refused where it cannot be, told where it
cannot be valid."""

from p2pbench.base.errors import BenchError
from p2pbench.base.units import amount, plural, short
from p2pbench.plan.matrix import Matrix, Workload
from p2pbench.records.kinds import COUNT, FIO
from p2pbench.records.virtual_time import least_ios
from p2pbench.testbed.machine import Shape
from p2pbench.testbed.testbed import Testbed

# What the kernel, the tools and the target take of the guest's memory.
_REST = 256 << 20


def check(matrix: Matrix, shape: Shape) -> None:
    """Raise BenchError for the first workload that the guest's disk or memory cannot hold."""
    for workload in matrix.workloads:
        where = f"{matrix.file}: {workload.name}"
        if workload.size > shape.disk:
            raise BenchError(
                f"{where} wants {short(workload.size)}, the disk of testbed "
                f"{matrix.testbed} has {short(shape.disk)}"
            )
        if in_flight(workload) > shape.memory - _REST:
            raise BenchError(
                f"{where} needs {amount(in_flight(workload))} for its requests "
                f"(numjobs x iodepth x bs), the guest of testbed {matrix.testbed} has "
                f"{amount(shape.memory)} in all; {amount(shape.memory - _REST)} is "
                "allowed"
            )


def check_bars(matrix: Matrix, testbed: Testbed) -> None:
    """Raise BenchError for the first BAR that is larger than the testbed can make one."""
    for entry in matrix.memory:
        if entry["bar"] > testbed.largest_bar:
            raise BenchError(
                f"{matrix.file}: a BAR of {short(entry['bar'])}: testbed "
                f"{testbed.name} has BARs of at most {short(testbed.largest_bar)} "
                f"({testbed.bar_limit})"
            )


def pool_notes(matrix: Matrix, shape: Shape) -> list[str]:
    """Return a line for each workload whose requests do not all fit into a pool of peer memory.

    nvmet then takes host memory for some of them, and its cell becomes invalid.
    """
    notes = []
    for workload in matrix.workloads:
        if workload.kind != FIO:
            continue
        for provider, pool in shape.pools().items():
            if provider in workload.providers and in_flight(workload) > pool:
                notes.append(
                    f"{workload.name} has {amount(in_flight(workload))} in flight, the "
                    f"pool of {provider} is {amount(pool)}: nvmet may fall back to host "
                    "memory, and the cell is then invalid"
                )
    return notes


def count_notes(matrix: Matrix) -> list[str]:
    """Return a line for each workload that is counted, and has too few I/Os to be timed."""
    return [
        f"{workload.name} has {plural(workload.ios, 'I/O')}: with fewer than "
        f"{least_ios(workload.bs)} it is counted, and not timed in virtual time"
        for workload in matrix.workloads
        if workload.kind == COUNT and workload.ios < least_ios(workload.bs)
    ]


def in_flight(workload: Workload) -> int:
    """Return the bytes of all requests of a workload that are in flight at once."""
    return workload.numjobs * workload.iodepth * workload.bs
