# SPDX-License-Identifier: GPL-2.0
"""Virtual time: a guest whose clock counts its instructions, so that throughput itself repeats.

With -icount, QEMU's guest has a clock that goes on 2^SHIFT ns with every instruction and stands
still while the host does something else; sleep=off lets it jump to the next timer instead of
waiting for it. What is left of the host is the race between the virtual CPU and QEMU's own
threads, which the plugin ends (bench/insncount, sync=): after each store to the disk the guest
stands still until QEMU has done what that asked for. Then a workload takes as long as it has
instructions:

    duration_ns = instructions of the guest * 2^SHIFT

and where it took longer, the guest was idle and its clock went on by the host's whim. So the two
are held against each other in every cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHIFT = 0
ICOUNT = f"shift={SHIFT},sleep=off"
# Measuring how fast the local APIC counts is a loop of 0.1 s, which QEMU takes six for.
CMDLINE = "nolapic_timer"
# By how much the clock and the instructions may differ, as a fraction. Where the ordering fails
# they differ by 2 % and more.
TOLERANCE = 0.002
# With fewer I/Os, or bytes, a timer's tick and what is done once are a visible part of the time.
_LEAST_IOS = 32
_LEAST_BYTES = 16 << 20


def least_ios(block: int) -> int:
    """Return the fewest I/Os of so many bytes that are timed."""
    return min(_LEAST_IOS, max(1, _LEAST_BYTES // block))


def figures(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the agent measured of a count in virtual time, for the journal.

    answer is that to its order "count": duration_ns, bytes, ios, latency_ns (percentiles).
    """
    return {
        "duration_ns": int(answer["duration_ns"]),
        "bytes": int(answer["bytes"]),
        "latency_ns": dict(answer["latency_ns"]),
    }


def doubts(
    virtual: Mapping[str, Any], counts: Mapping[str, Any], ios: int, block: int
) -> list[str]:
    """Return why a cell's time cannot count.

    Its clock did not go by the guest's instructions, or what was counted and timed is not the
    workload: so many I/Os of so many bytes.
    """
    wanted = {"I/Os": (ios, counts.get("ios")), "bytes": (ios * block, virtual["bytes"])}
    wrong = [
        f"virtual time: expected {expected:,} {what}, got {got}"
        for what, (expected, got) in wanted.items()
        if got != expected
    ]
    latencies = [ns for ns in virtual["latency_ns"].values() if ns is not None]
    ascending = [*latencies, virtual["duration_ns"]]
    if ascending != sorted(ascending):
        wrong.append(
            f"virtual time: latencies of {latencies} ns do not ascend to "
            f"{virtual['duration_ns']} ns, which all of the I/Os took"
        )
    return wrong or _doubts_of_the_clock(virtual, counts)


def _doubts_of_the_clock(virtual: Mapping[str, Any], counts: Mapping[str, Any]) -> list[str]:
    """The time must be that of the instructions."""
    instructions = counts.get("total")
    if not instructions:
        return ["virtual time: no instructions were counted to hold the clock against"]
    ratio = virtual["duration_ns"] / (instructions << SHIFT)
    if abs(ratio - 1) <= TOLERANCE:
        return []
    return [
        f"virtual time: the guest's clock went {virtual['duration_ns']:,} ns on in "
        f"{instructions:,} instructions of {1 << SHIFT} ns ({(ratio - 1) * 100:+.2f} %, "
        f"{TOLERANCE * 100:g} % is allowed): the guest did not wait for QEMU, and the host "
        "decided when an I/O ended"
    ]
