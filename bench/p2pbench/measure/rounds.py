# SPDX-License-Identifier: GPL-2.0
"""The rounds of a boot: its timed workloads run several times in turn, each result is of them all.

Most of the noise of the clock on the wall is of seconds (a neighbour on the host that wakes up), so
that the time of a boot is better spent on runs that lie apart than on one long one.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Record = dict[str, Any]


def merged(results: Sequence[Record]) -> Record:
    """Return one result of a workload's rounds in a boot; one that is not ok stands for all."""
    bad = [result for result in results if result["status"] != "ok"]
    if bad or len(results) == 1:
        return (bad or results)[0]
    return results[0] | {
        "metrics": _metrics([result["metrics"] for result in results]),
        "evidence": _evidence([result["evidence"] for result in results]),
    }


def _metrics(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Bytes and I/Os over the time of all rounds; percentiles are medians of the rounds'."""
    time_s = sum(one["runtime_s"] for one in rounds)
    ios, moved = (sum(one[key] for one in rounds) for key in ("ios", "bytes"))
    return {
        "bytes_per_s": moved / time_s,
        "iops": ios / time_s,
        "lat_mean_ns": sum(one["lat_mean_ns"] * one["ios"] for one in rounds) / ios,
        **{
            key: statistics.median(one[key] for one in rounds)
            for key in ("lat_p50_ns", "lat_p99_ns", "lat_usual_ns")
        },
        "lat_max_ns": max(one["lat_max_ns"] for one in rounds),
        "ios": ios,
        "bytes": moved,
        "runtime_s": time_s,
    }


def _evidence(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {part: _sums([one[part] for one in rounds]) for part in ("p2p", "device")} | {
        "pool": _pool([one["pool"] for one in rounds])
    }


def _sums(counters: Sequence[Mapping[str, int] | None]) -> dict[str, int] | None:
    known = [one for one in counters if one]
    return {key: sum(one[key] for one in known) for key in known[0]} if known else None


def _pool(pools: Sequence[Mapping[str, int] | None]) -> dict[str, int] | None:
    """The pool over all rounds: what was free at the lowest, and how often somebody looked."""
    known = [one for one in pools if one]
    if not known:
        return None
    return {
        **known[-1],
        "before": known[0]["before"],
        "low": min(one["low"] for one in known),
        "samples": sum(one["samples"] for one in known),
    }
