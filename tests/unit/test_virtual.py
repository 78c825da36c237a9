# SPDX-License-Identifier: GPL-2.0
"""Virtual time counts only where the guest's clock went by its instructions."""

from pathlib import Path
from typing import Any

import pytest

from p2pbench.analysis.samples import doubts_about
from p2pbench.measure.boot import BootRun
from p2pbench.plan.matrix import Boot
from p2pbench.plan.matrix_file import read_matrix
from p2pbench.records import virtual_time

MATRIX = """\
blocks = 1
[[boots]]
variant = "page"
providers = "host"
[[workloads]]
rw = "randread"
bs = "4k"
runtime = "1s"
[[counts]]
variants = ["page", "pageless"]
rw = "randread"
bs = "4k"
ios = 100
[[ordinary]]
variants = ["page", "pageless"]
devices = "null_blk"
rw = "randread"
bs = "4k"
ios = 100
"""
IOS, MOVED = 100, 409600
EVIDENCE = {
    "p2p": {"requests": IOS, "bytes": MOVED, "fallbacks": 0},
    "device": {"reads": IOS, "read_bytes": MOVED, "writes": 0, "write_bytes": 0},
    "pool": {"size": 99, "before": 99, "low": 9, "after": 99, "samples": 5},
}


def timed(duration_ns: int) -> dict[str, Any]:
    return {
        "duration_ns": duration_ns,
        "bytes": MOVED,
        "latency_ns": {"p50": 9000, "p99": None, "p999": None, "max": 9999},
    }


@pytest.mark.parametrize(
    "duration_ns, percent",
    [
        (997_990, "-0.20"),
        (998_010, ""),
        (1_000_000, ""),
        (1_001_990, ""),
        (1_002_010, "+0.20"),
        (2_000_000, "+100.00"),
    ],
)
def test_a_clock_may_be_off_by_two_thousandths_either_way(duration_ns: int, percent: str) -> None:
    doubts = virtual_time.doubts(timed(duration_ns), {"total": 1_000_000, "ios": IOS}, IOS, 4096)
    assert bool(doubts) == bool(percent)
    for doubt in doubts:
        assert doubt.startswith(
            f"virtual time: the guest's clock went {duration_ns:,} ns on in "
            f"1,000,000 instructions of 1 ns ({percent} %, 0.2 % is allowed)"
        )


@pytest.mark.parametrize("counts", [{}, {"total": 0}, {"per_io": 90.0}])
def test_without_instructions_there_is_nothing_to_hold_a_clock_against(
    counts: dict[str, Any]
) -> None:
    (doubt,) = virtual_time.doubts(timed(1_000_000), counts | {"ios": IOS}, IOS, 4096)
    assert "no instructions were counted" in doubt


@pytest.mark.parametrize(
    "counts, measured, said",
    [
        ({"ios": 2 * IOS}, {}, "expected 100 I/Os, got 200"),
        ({}, {"bytes": MOVED + 1}, "expected 409,600 bytes, got 409601"),
        (
            {},
            {"latency_ns": {"p50": 9000, "p99": 8999, "p999": None, "max": 9999}},
            "do not ascend",
        ),
        (
            {},
            {"latency_ns": {"p50": 9000, "p99": None, "p999": None, "max": 1_000_001}},
            "do not ascend to 1000000 ns",
        ),
    ],
)
def test_what_was_timed_is_the_workload(
    counts: dict[str, Any], measured: dict[str, Any], said: str
) -> None:
    whole = {"total": 1_000_000, "ios": IOS}
    assert virtual_time.doubts(timed(1_000_000), whole, IOS, 4096) == []
    (doubt,) = virtual_time.doubts(timed(1_000_000) | measured, whole | counts, IOS, 4096)
    assert said in doubt


@pytest.mark.parametrize("kind", ["count", "ordinary"])
def test_a_cell_whose_clock_ran_on_is_invalid_in_the_boot_and_again_from_the_journal(
    kind: str, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text(MATRIX)
    matrix = read_matrix(tmp_path / "own.toml")
    (workload,) = [one for one in matrix.workloads if one.kind == kind]
    as_json = next(one for one in matrix.as_json()["workloads"] if one["name"] == workload.name)
    boot = Boot("b0-page-count", 0, 0, "page", "count", kind="count")
    run = BootRun(boot, matrix, 1, tmp_path, print)
    for duration_ns, said in ((1_000_000, ""), (1_003_000, "+0.30 %"), (997_000, "-0.30 %")):
        entry: dict[str, Any] = {
            "name": workload.name,
            "status": "ok",
            "error": None,
            "reasons": [],
            "metrics": None,
            "evidence": EVIDENCE,
            "virtual": timed(duration_ns),
            "counts": {"total": 1_000_000, "ios": IOS},
        }
        reasons = run._judge(workload, entry)
        assert len(reasons) == bool(said) and said in "".join(reasons)
        # The journal's word may be that all was well.
        assert doubts_about("count", as_json, entry) == reasons  # type: ignore[arg-type]


def test_a_clock_of_the_wall_is_not_held_against_instructions(tmp_path: Path) -> None:
    """Nor is a journal from before virtual time."""
    work: Any = {"kind": "count", "device": "bar", "ios": IOS, "bs": 4096}
    result: Any = {
        "status": "ok",
        "reasons": [],
        "metrics": None,
        "evidence": EVIDENCE,
        "counts": {"total": 1_000_000},
    }
    assert doubts_about("count", work, result) == []
    assert doubts_about("count", work, result | {"virtual": None}) == []
