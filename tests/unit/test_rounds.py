# SPDX-License-Identifier: GPL-2.0
"""A boot's rounds give one result: sums over the time of all, and what was bad in any."""

from typing import Any

import pytest

from p2pbench.measure.rounds import merged
from p2pbench.records.evidence import judge

Record = dict[str, Any]


def result(ios: int, runtime_s: float, latency_ns: float, low: int = 100) -> Record:
    moved = ios * 4096
    return {
        "name": "randread-4k-qd1",
        "status": "ok",
        "error": None,
        "reasons": [],
        "metrics": {
            "bytes_per_s": moved / runtime_s,
            "iops": ios / runtime_s,
            "lat_mean_ns": latency_ns,
            "lat_p50_ns": latency_ns,
            "lat_p99_ns": 2 * latency_ns,
            "lat_max_ns": 3 * latency_ns,
            "lat_usual_ns": 2 * latency_ns,
            "ios": ios,
            "bytes": moved,
            "runtime_s": runtime_s,
        },
        "evidence": {
            "p2p": {"requests": ios, "bytes": moved, "fallbacks": 0},
            "device": {"reads": ios, "read_bytes": moved, "writes": 0, "write_bytes": 0},
            "pool": {"size": 200, "before": 200, "low": low, "after": 200, "samples": 10},
        },
    }


ROUNDS = [result(1000, 1.0, 100.0), result(200, 1.0, 500.0, low=50), result(600, 2.0, 300.0)]


def test_throughput_is_all_bytes_over_the_time_of_all_rounds() -> None:
    metrics = merged(ROUNDS)["metrics"]
    assert metrics["bytes_per_s"] == pytest.approx(1800 * 4096 / 4.0)
    assert metrics["iops"] == pytest.approx(450)
    assert metrics["lat_mean_ns"] == pytest.approx((100_000 + 100_000 + 180_000) / 1800)


def test_percentiles_are_medians_and_the_longest_is_the_longest() -> None:
    metrics = merged(ROUNDS)["metrics"]
    assert (metrics["lat_p50_ns"], metrics["lat_p99_ns"]) == (300.0, 600.0)
    assert metrics["lat_max_ns"] == 1500.0


def test_evidence_of_all_rounds_proves_all_bytes() -> None:
    whole = merged(ROUNDS)
    assert whole["evidence"]["p2p"]["requests"] == 1800
    assert whole["evidence"]["pool"]["low"] == 50
    assert judge("bar", whole["evidence"], whole["metrics"]["bytes"]) == []


def test_a_round_that_is_not_ok_is_the_result() -> None:
    bad = result(10, 1.0, 100.0) | {"status": "invalid", "reasons": ["3 requests fell back"]}
    assert merged([ROUNDS[0], bad, ROUNDS[2]]) is bad


def test_a_kernel_without_counters_has_none_of_all_rounds() -> None:
    plain = [one | {"evidence": one["evidence"] | {"p2p": None, "pool": None}} for one in ROUNDS]
    assert merged(plain)["evidence"]["p2p"] is None and merged(plain)["evidence"]["pool"] is None
    assert merged(plain)["evidence"]["device"]["reads"] == 1800
