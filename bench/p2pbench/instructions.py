"""What the boots counted: instructions per I/O by variant, subsystem and function, for the report.

Made from the journal alone. A figure is the median over the boots of a variant; functions are
compared by their names in the source, so that one that a compiler cut in two counts as one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from .journal import Boot, Header, Workload, WorkloadResult
from .objects import plain_name
from .stats import doubts_about

KINDS = {"count": "p2p", "ordinary": "ordinary"}
MOST_FUNCTIONS = 40

Counts = Mapping[str, Any]


def section(header: Header, boots: Sequence[Boot]) -> dict[str, Any] | None:
    """Return the report's `instructions`, or None when the plan counts nothing."""
    workloads = [one for one in header["matrix"]["workloads"] if one["kind"] in KINDS]
    if not any(boot.get("kind") == "count" for boot in header["plan"]):
        return None
    results = [(boot, result) for boot in boots if boot.get("kind") == "count"
               for result in boot["workloads"]]
    counts = [cast(Counts, result.get("counts")) for _, result in results if result.get("counts")]
    counted = [one for one in counts if one["per_io"] is not None]
    reasons = [str(one["reason"]) for one in counts if one["reason"]]
    return {
        "instrument": ", ".join(sorted({str(one["instrument"]) for one in counted})),
        "absent": "" if counted else (reasons or ["no boot has counted yet"])[0],
        "cells": [cell for cell in (_cell(one, boots) for one in workloads) if cell],
        "symbols": list(header["provenance"].get("symbols", [])),
        "problems": [problem for workload in workloads for boot in boots
                     for problem in _problems(workload, boot)],
    }


def path_of(workload: Workload) -> str:
    """Return a counted workload in words: "bar randread 4k qd1", "nvme read 4k merge none"."""
    name = workload["name"].removeprefix("count-")
    scheduler = workload.get("scheduler", "")
    return f"{name.removesuffix(scheduler)}".replace("-", " ") + scheduler


def _cell(workload: Workload, boots: Sequence[Boot]) -> dict[str, Any] | None:
    """One workload in each variant that counted it."""
    found = {variant: counts for variant in workload.get("variants", [])
             if (counts := _counts(workload, variant, boots))}
    if not found:
        return None
    names = list(found)
    return {
        "kind": KINDS[workload["kind"]], "path": path_of(workload), "workload": workload["name"],
        "device": workload.get("device", ""), "evidence": _evidence(workload, boots),
        "variants": {variant: _figures(counts) for variant, counts in found.items()},
        "baseline": names[0], "candidates": names[1:], "functions": _functions(found),
    }


def _counts(workload: Workload, variant: str, boots: Iterable[Boot]) -> list[Counts]:
    """The counts of a workload in the boots of a variant."""
    return [cast(Counts, result["counts"]) for boot in boots if boot["variant"] == variant
            for result in _valid(workload, boot)]


def _valid(workload: Workload, boot: Boot) -> list[WorkloadResult]:
    """The results of a workload in a boot that count: whose path is proved."""
    return [result for result in _results(workload, boot)
            if result["status"] == "ok" and result.get("counts")
            and cast(Counts, result["counts"])["per_io"] is not None
            and not doubts_about(boot["provider"], workload, result)]


def _results(workload: Workload, boot: Boot) -> list[WorkloadResult]:
    return [result for result in boot["workloads"]
            if boot.get("kind") == "count" and result["name"] == workload["name"]]


def _evidence(workload: Workload, boots: Iterable[Boot]) -> dict[str, int] | None:
    """What nvmet counted of a P2P path in all boots that count; None of ordinary I/O."""
    found = [cast("dict[str, Any]", result["evidence"])["p2p"] for boot in boots
             for result in _valid(workload, boot) if workload["kind"] == "count"]
    return {key: sum(one[key] for one in found) for key in ("requests", "fallbacks")} \
        if found else None


def _figures(counts: Sequence[Counts]) -> dict[str, Any]:
    totals = [float(one["per_io"]) for one in counts]
    names = sorted({name for one in counts for name in one["subsystems"]})
    return {"n": len(totals), "per_io": statistics.median(totals), "min": min(totals),
            "max": max(totals),
            "subsystems": {name: statistics.median([one["subsystems"].get(name, 0.0)
                                                    for one in counts]) for name in names}}


def _functions(found: Mapping[str, Sequence[Counts]]) -> list[dict[str, Any]]:
    """The functions, those first that differ most from the first variant."""
    tables = {variant: _medians(counts) for variant, counts in found.items()}
    baseline, *candidates = tables
    rows = []
    for key in sorted(set().union(*tables.values())):
        per_io = {variant: table.get(key, 0.0) for variant, table in tables.items()}
        rows.append({"function": key[0], "object": key[1], "subsystem": key[2], "per_io": per_io,
                     "difference": {name: round(per_io[name] - per_io[baseline], 4)
                                    for name in candidates}})
    rows.sort(key=lambda row: -max((abs(value) for value in cast(
        "dict[str, float]", row["difference"]).values()), default=0.0))
    return rows[:MOST_FUNCTIONS]


def _medians(counts: Sequence[Counts]) -> dict[tuple[str, str, str], float]:
    """Per function (name, object, subsystem) the median over the boots; 0 where it did not run."""
    boots = []
    for one in counts:
        table: dict[tuple[str, str, str], float] = {}
        for row in one["functions"]:
            key = (plain_name(row["function"]), row["object"], row["subsystem"])
            table[key] = table.get(key, 0.0) + float(row["per_io"])
        boots.append(table)
    return {key: statistics.median([table.get(key, 0.0) for table in boots])
            for key in set().union(*boots)}


def _problems(workload: Workload, boot: Boot) -> list[str]:
    """A counted workload that failed, or whose path is not proved, in one line each."""
    found = []
    for result in _results(workload, boot):
        error, doubts = result["error"], doubts_about(boot["provider"], workload, result)
        if error:
            found.append(f"{boot['boot']} {result['name']}: {result['status']}: "
                         f"expected {error['expected']}, got {error['got']}")
        elif doubts:
            found.append(f"{boot['boot']} {result['name']}: invalid: {'; '.join(doubts)}")
    return found
