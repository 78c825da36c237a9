# SPDX-License-Identifier: GPL-2.0
"""What virtual time showed, for the report: each cell's figures, what a slower disk would leave of
a difference, and which functions a difference comes from.

Everything is per I/O. In virtual time an instruction takes 2^SHIFT ns, so that a difference of
time is one of instructions, of all of the guest's, and the functions that were counted in the same
boots explain it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from p2pbench.analysis.instructions import Counts, Key, medians, path_of
from p2pbench.analysis.questions import (
    counted_sides,
    environment_of,
    has_virtual_time,
    virtual_metrics,
)
from p2pbench.analysis.samples import Pair, Sample, Samples, value_of
from p2pbench.analysis.verdicts import Comparison
from p2pbench.records.kinds import COUNT
from p2pbench.records.metrics import VIRTUAL
from p2pbench.records.records import Header, WorkloadRecord
from p2pbench.records.virtual_time import SHIFT

# What a disk takes for an I/O, added by arithmetic: a fast SSD's reads, and a usual one's.
DISKS_US = (10, 80)
# The most of a difference that the listed functions may leave unexplained, and that a function may
# be which is left out.
_LEFT_OUT = 0.1


def section(
    header: Header, samples: Samples, answers: Sequence[Comparison]
) -> dict[str, Any] | None:
    """Return the report's `virtual`, or None where nothing is planned that could be timed."""
    workloads = [
        one
        for one in header["matrix"]["workloads"]
        if virtual_metrics(one) and counted_sides(header, one)
    ]
    if not workloads:
        return None
    instrument = header["provenance"].get("instrument", {})
    timed = [one for one in answers if one.question.metric == VIRTUAL and not one.question.second]
    return {
        "icount": instrument.get("icount", ""),
        "absent": "" if has_virtual_time(header) else _why_not(instrument),
        "environment_class": environment_of(header, VIRTUAL),
        "ns_per_instruction": 1 << SHIFT,
        "cells": [cell for workload in workloads for cell in _cells(header, samples, workload)],
        "disks": [
            _disks(one)
            for one in timed
            if one.pairs and one.ratio and one.question.workload["iodepth"] == 1
        ],
        "differences": [_difference(one) for one in timed if one.verdict in ("better", "worse")],
    }


def _why_not(instrument: Mapping[str, Any]) -> str:
    return str(
        instrument.get("real_time")
        or instrument.get("reason")
        or "this run is from before it was measured"
    )


def _cells(header: Header, samples: Samples, workload: WorkloadRecord) -> Iterable[dict[str, Any]]:
    """A workload in each variant: medians over the boots that count."""
    for cell in counted_sides(header, workload):
        boots = [
            sample
            for sample in samples.of_cell(cell, workload, COUNT)
            if sample.state == "ok" and _virtual(sample)
        ]
        if not boots:
            continue
        latency = [_virtual(sample)["latency_ns"] for sample in boots]
        yield {
            "workload": workload["name"],
            "path": path_of(workload),
            "variant": cell["variant"],
            "device": workload.get("device", ""),
            "n": len(boots),
            "ns_per_io": statistics.median(map(_ns_per_io, boots)),
            "bytes_per_s": statistics.median(value_of(one, VIRTUAL) for one in boots),
            "latency_ns": {
                name: statistics.median(one[name] for one in latency)
                for name in latency[0]
                if all(one[name] is not None for one in latency)
            },
        }


def _virtual(sample: Sample) -> dict[str, Any]:
    return cast("dict[str, Any]", cast("dict[str, Any]", sample.result).get("virtual") or {})


def _ns_per_io(sample: Sample) -> float:
    return float(_virtual(sample)["duration_ns"] / _counts(sample)["ios"])


def _sides(pairs: Sequence[Pair]) -> tuple[list[Sample], list[Sample]]:
    return [pair.baseline for pair in pairs], [pair.candidate for pair in pairs]


def _disks(comparison: Comparison) -> dict[str, Any]:
    """The ratio of throughput with a disk that takes some time, by arithmetic.

    At depth 1 nothing overlaps: an I/O takes t + L, with t what it takes here and L the disk's
    time, so that throughput is (t_baseline + L) / (t_candidate + L) times the baseline's.
    """
    baseline, candidate = (
        statistics.median(map(_ns_per_io, side)) for side in _sides(comparison.pairs)
    )
    workload = comparison.question.workload
    return {
        "compare": comparison.question.compare["name"],
        "workload": workload["name"],
        "path": path_of(workload),
        "ratio": comparison.ratio,
        "with_disk_us": {
            str(us): (baseline + us * 1000) / (candidate + us * 1000) for us in DISKS_US
        },
    }


def _difference(comparison: Comparison) -> dict[str, Any]:
    """Which functions a difference comes from, in instructions per I/O, the largest first."""
    sides = _sides(comparison.pairs)
    tables = [medians([_counts(sample) for sample in side]) for side in sides]
    before, after = (
        statistics.median(_counts(sample)["total"] / _counts(sample)["ios"] for sample in side)
        for side in sides
    )
    rows = explanation(tables[0], tables[1], after - before)
    workload = comparison.question.workload
    return {
        "compare": comparison.question.compare["name"],
        "workload": workload["name"],
        "path": path_of(workload),
        "verdict": comparison.verdict,
        "ratio": comparison.ratio,
        "instructions": after - before,
        "functions": rows,
        "unexplained": after - before - sum(row["difference"] for row in rows),
    }


def _counts(sample: Sample) -> Counts:
    return cast(Counts, cast("dict[str, Any]", sample.result)["counts"])


def explanation(
    before: Mapping[Key, float], after: Mapping[Key, float], difference: float
) -> list[dict[str, Any]]:
    """Return the functions that explain a difference of instructions per I/O, the largest first.

    before and after have instructions per I/O by function. The list ends when what it leaves is at
    most a tenth of the difference, and so is each function that it leaves out: two of opposite
    signs do not hide each other.
    """
    changes = {key: after.get(key, 0.0) - before.get(key, 0.0) for key in {**before, **after}}
    rows = []
    left = difference
    for key, change in sorted(changes.items(), key=lambda one: (-abs(one[1]), one[0])):
        small = abs(change) <= _LEFT_OUT * abs(difference)
        if small and abs(left) <= _LEFT_OUT * abs(difference) or not change:
            break
        left -= change
        rows.append(
            {
                "function": key[0],
                "object": key[1],
                "subsystem": key[2],
                "before": before.get(key, 0.0),
                "after": after.get(key, 0.0),
                "difference": change,
            }
        )
    return rows
