# SPDX-License-Identifier: GPL-2.0
"""What the boots counted: instructions per I/O by variant, subsystem and function, for the report.

Made from the journal alone. A figure is the median over the boots of a variant; functions are
compared by their names in the source, so that one that a compiler cut in two counts as one.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from p2pbench.analysis.samples import doubts_about
from p2pbench.records.counts import OTHER, Name, pairs, plain_name
from p2pbench.records.kinds import COUNT, FIO, ORDINARY
from p2pbench.records.records import BootRecord, Header, WorkloadRecord, WorkloadResult

KINDS = {COUNT: "p2p", ORDINARY: "ordinary"}
MOST_FUNCTIONS = 40
# Instructions per I/O of a function that is missed where it has none.
_ONCE = 1.0

Counts = Mapping[str, Any]
# Function as the source names it, object and subsystem.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Result:
    """A counted workload in one boot, and why it cannot count."""

    boot: BootRecord
    result: WorkloadResult
    doubts: list[str]

    @property
    def counts(self) -> Counts:
        return cast(Counts, self.result.get("counts") or {"per_io": None})

    @property
    def is_valid(self) -> bool:
        """Whether it counts: its path is proved."""
        return (
            self.result["status"] == "ok" and self.counts["per_io"] is not None and not self.doubts
        )


def section(header: Header, boots: Sequence[BootRecord]) -> dict[str, Any] | None:
    """Return the report's `instructions`, or None when the plan counts nothing."""
    workloads = {one["name"]: one for one in header["matrix"]["workloads"] if one["kind"] in KINDS}
    if not any(boot.get("kind") == COUNT for boot in header["plan"]):
        return None
    results = [
        (boot, result)
        for boot in boots
        if boot.get("kind") == COUNT
        for result in boot["workloads"]
    ]
    counts = [cast(Counts, result.get("counts")) for _, result in results if result.get("counts")]
    counted = [one for one in counts if one["per_io"] is not None]
    reasons = [str(one["reason"]) for one in counts if one["reason"]]
    symbols = list(header["provenance"].get("symbols", []))
    absent = _absent(symbols)
    found: dict[str, list[_Result]] = {name: [] for name in workloads}
    for boot, result in results:
        if result["name"] in workloads:
            doubts = doubts_about(boot["provider"], workloads[result["name"]], result)
            found[result["name"]].append(_Result(boot, result, doubts))
    return {
        "instrument": ", ".join(sorted({str(one["instrument"]) for one in counted})),
        "absent": "" if counted else (reasons or ["no boot has counted yet"])[0],
        "boot_s": _boot_times(boots),
        "cells": [
            cell for name, one in workloads.items() if (cell := _cell(one, found[name], absent))
        ],
        "symbols": symbols,
        # Those of the fabric's paths are told with the cells of the report.
        "problems": [
            problem
            for name, workload in workloads.items()
            if workload["kind"] == ORDINARY
            for one in found[name]
            for problem in _problems(one)
        ],
    }


def path_of(workload: WorkloadRecord) -> str:
    """Return a counted workload in words: "bar randread 4k qd1", "nvme read 4k merge none"."""
    name = workload["name"].removeprefix("count-")
    scheduler = workload.get("scheduler", "")
    if not name.endswith(scheduler):
        scheduler = ""
    return name.removesuffix(scheduler).replace("-", " ") + scheduler


def _absent(symbols: Iterable[Mapping[str, Any]]) -> set[tuple[str, str, str]]:
    """Variant, object and name of the functions that a build does not have by any name."""
    return {
        (variant, str(one.get("object")), plain_name(one["function"]))
        for one in symbols
        for variant in one["absent"]
        if variant not in one.get("as", {})
    }


def _boot_times(boots: Sequence[BootRecord]) -> dict[str, float] | None:
    """What a boot to a ready agent takes with the instrument loaded and without, medians in s.

    Of the kernels that are booted both ways, and not with the large BARs of the memory curve.
    """
    times: dict[str, dict[str, list[float]]] = {COUNT: {}, FIO: {}}
    for boot in boots:
        if boot["boot_s"] and boot.get("kind") in times:
            times[boot["kind"]].setdefault(boot["variant"], []).append(boot["boot_s"])
    both = times[COUNT].keys() & times[FIO].keys()
    if not both:
        return None
    return {
        name: statistics.median([one for variant in both for one in times[kind][variant]])
        for name, kind in (("counted", COUNT), ("plain", FIO))
    }


def _cell(
    workload: WorkloadRecord, results: Iterable[_Result], absent: Container[tuple[str, str, str]]
) -> dict[str, Any] | None:
    """One workload in each variant that counted it."""
    valid = [one for one in results if one.is_valid]
    found = {
        variant: counts
        for variant in workload.get("variants", [])
        if (counts := [one.counts for one in valid if one.boot["variant"] == variant])
    }
    if not found:
        return None
    names, functions = list(found), _functions(found, absent)
    return {
        "kind": KINDS[workload["kind"]],
        "path": path_of(workload),
        "workload": workload["name"],
        "device": workload.get("device", ""),
        "evidence": _evidence(workload, valid),
        "variants": {variant: _figures(counts) for variant, counts in found.items()},
        "baseline": names[0],
        "candidates": names[1:],
        "functions": functions[:MOST_FUNCTIONS],
        "others": max(0, len(functions) - MOST_FUNCTIONS),
    }


def _evidence(workload: WorkloadRecord, valid: Sequence[_Result]) -> dict[str, int] | None:
    """What nvmet counted of a path in all boots that count; None of ordinary I/O.

    A kernel without the counters has no peer memory.
    """
    if workload["kind"] != COUNT or not valid:
        return None
    counters = [cast("dict[str, Any]", one.result["evidence"])["p2p"] for one in valid]
    return {key: sum(one[key] for one in counters if one) for key in ("requests", "fallbacks")}


def _figures(counts: Sequence[Counts]) -> dict[str, Any]:
    totals = [float(one["per_io"]) for one in counts]
    names = sorted({name for one in counts for name in one["subsystems"]})
    return {
        "n": len(totals),
        "per_io": statistics.median(totals),
        "min": min(totals),
        "max": max(totals),
        "subsystems": {
            name: statistics.median([one["subsystems"].get(name, 0.0) for one in counts])
            for name in names
        },
    }


def _functions(
    found: Mapping[str, Sequence[Counts]], absent: Container[tuple[str, str, str]]
) -> list[dict[str, Any]]:
    """The functions, those first that differ most from the first variant.

    `unseen` are variants that have a function and did not run it, where another one did: they
    took another way, or the compiler has put it into all of its callers and kept the symbol.
    """
    tables = {
        variant: {key: value for key, value in medians(counts).items() if key[2] != OTHER}
        for variant, counts in found.items()
    }
    baseline, *candidates = tables
    rows = []
    for key in sorted(set().union(*tables.values())):
        per_io = {variant: table.get(key, 0.0) for variant, table in tables.items()}
        rows.append(
            {
                "function": key[0],
                "object": key[1],
                "subsystem": key[2],
                "per_io": per_io,
                "difference": {
                    name: round(per_io[name] - per_io[baseline], 4) for name in candidates
                },
                "unseen": [
                    name
                    for name, value in per_io.items()
                    if value == 0
                    and max(per_io.values()) >= _ONCE
                    and (name, key[1], key[0]) not in absent
                ],
            }
        )
    rows.sort(
        key=lambda row: -max(
            (abs(value) for value in cast("dict[str, float]", row["difference"]).values()),
            default=0.0,
        )
    )
    return rows


def medians(counts: Sequence[Counts]) -> dict[Key, float]:
    """Per function the median over the boots; 0 where it did not run."""
    found: dict[Key, list[float]] = {}
    for number, one in enumerate(counts):
        for name, per_io in pairs(one["functions"]):
            key = _plain(name)
            if key not in found:
                found[key] = [0.0] * len(counts)
            found[key][number] += per_io
    return {key: statistics.median(values) for key, values in found.items()}


@functools.cache
def _plain(name: Name) -> Key:
    """The function without what the compiler appended to its name."""
    return (plain_name(name[0]), name[1], name[2])


def _problems(one: _Result) -> list[str]:
    """A counted workload that failed, or whose path is not proved, in one line each."""
    error, named = one.result["error"], f"{one.boot['boot']} {one.result['name']}"
    if error:
        return [
            f"{named}: {one.result['status']}: expected {error['expected']}, got {error['got']}"
        ]
    return [f"{named}: invalid: {'; '.join(one.doubts)}"] if one.doubts else []
