# SPDX-License-Identifier: GPL-2.0
"""The report's section of virtual time: medians, slower disks, and what a difference is made of."""

from typing import Any

import pytest

from p2pbench.analysis import timing
from p2pbench.analysis.samples import Samples
from p2pbench.analysis.verdicts import compare_all

IOS, BLOCKS = 1000, 8
# Instructions per I/O by function; what else ran was too little to be listed.
PAGE = {"nvme_map_data.isra.0": 150.0, "blk_mq_run_hw_queue": 400.0, "schedule": 8000.0}
PAGELESS = PAGE | {"blk_mq_run_hw_queue": 1400.0}
REST = 91_450.0


def workload(iodepth: int = 1, ios: int = IOS) -> dict[str, Any]:
    return {
        "name": f"count-bar-randread-4k-qd{iodepth}",
        "rw": "randread",
        "bs": 4096,
        "iodepth": iodepth,
        "numjobs": 1,
        "verify": "",
        "kind": "count",
        "device": "bar",
        "scheduler": "none",
        "providers": ["count"],
        "variants": ["page", "pageless"],
        "ios": ios,
    }


def header(*workloads: dict[str, Any], **instrument: str) -> Any:
    """A run that counts, in virtual time unless the instrument says otherwise."""
    plan = [
        {
            "boot": f"b{block}-{variant}-count{again}",
            "index": 3 * block + place,
            "block": block,
            "variant": variant,
            "provider": "count",
            "kind": "count",
            "aa": bool(again),
        }
        for block in range(BLOCKS)
        for place, (variant, again) in enumerate((("page", ""), ("pageless", ""), ("page", "-aa")))
    ]
    return {
        "seed": 1,
        "environment_class": "qemu-tcg",
        "plan": plan,
        "matrix": {
            "workloads": list(workloads or [workload()]),
            "compare": [],
            "margins": {},
            "blocks": BLOCKS,
        },
        "provenance": {"instrument": instrument or {"icount": "shift=0,sleep=off"}},
    }


def boots(run: Any, **functions: dict[str, float]) -> list[Any]:
    """Every boot of the plan; functions are those of each variant, else page's."""
    return [
        planned
        | {
            "status": "ok",
            "lost": None,
            "error": None,
            "workloads": [
                result(work, functions.get(planned["variant"], PAGE))
                for work in run["matrix"]["workloads"]
            ],
        }
        for planned in run["plan"]
    ]


def result(work: dict[str, Any], functions: dict[str, float]) -> dict[str, Any]:
    ios, moved = work["ios"], work["ios"] * work["bs"]
    rows = [
        {"function": name, "object": "block/blk-mq.o", "subsystem": "block", "per_io": value}
        for name, value in functions.items()
    ]
    total = round(ios * (sum(functions.values()) + REST))
    return {
        "name": work["name"],
        "status": "ok",
        "error": None,
        "reasons": [],
        "metrics": None,
        "evidence": {
            "p2p": {"requests": ios, "bytes": moved, "fallbacks": 0},
            "device": {"reads": ios, "read_bytes": moved, "writes": 0, "write_bytes": 0},
            "pool": {"size": 99, "before": 99, "low": 9, "after": 99, "samples": 5},
        },
        "counts": {
            "instrument": "insncount",
            "ios": ios,
            "total": total,
            "per_io": 550.0,
            "subsystems": {},
            "functions": rows,
            "reason": "",
        },
        "virtual": {
            "duration_ns": total,
            "bytes": moved,
            "latency_ns": {
                "p50": total // ios - 500,
                "p99": total // ios + 3000,
                "p999": None,
                "max": total // ios + 40_000,
            },
        },
    }


def section(run: Any, ran: list[Any]) -> Any:
    return timing.section(run, Samples(run, ran), compare_all(run, ran))


def test_a_cell_has_the_medians_of_the_boots_that_count() -> None:
    run = header()
    ran = boots(run)
    for number, more in enumerate((10_000, 20_000, 20_000, 20_000)):
        figures = ran[number]["workloads"][0]["virtual"]
        figures["duration_ns"] += more  # within 0.2 % of 100,000,000
        figures["latency_ns"]["p50"] += more // 10
    ran[7]["workloads"][0]["virtual"]["duration_ns"] *= 2  # of pageless; it is no result
    page, pageless = section(run, ran)["cells"]
    assert (page["variant"], page["n"], page["device"], page["path"]) == (
        "page",
        16,
        "bar",
        "bar randread 4k qd1",
    )
    assert (pageless["variant"], pageless["n"]) == ("pageless", 7)
    assert page["ns_per_io"] == pageless["ns_per_io"] == 100_000
    assert page["bytes_per_s"] == pytest.approx(4096 / 100e-6)
    assert page["latency_ns"] == {"p50": 99_500, "p99": 103_000, "max": 140_000}
    for boot in ran[:18]:
        if boot["variant"] == "page":
            boot["workloads"][0]["virtual"]["duration_ns"] = 100_080_000
    assert section(run, ran)["cells"][0]["ns_per_io"] == 100_080


def test_a_disk_that_takes_time_is_added_to_both_sides_at_depth_1() -> None:
    run = header(workload(), workload(16))
    made = section(run, boots(run, pageless=PAGELESS))
    (one,) = made["disks"]
    assert (one["compare"], one["path"]) == ("virtual-bar", "bar randread 4k qd1")
    assert one["ratio"] == pytest.approx(100_000 / 101_000)
    assert one["with_disk_us"] == {"10": 110_000 / 111_000, "80": 180_000 / 181_000}


def test_a_difference_is_explained_by_the_functions_that_it_comes_from() -> None:
    run = header()
    changed = {"nvme_map_data": 150.0, "blk_mq_run_hw_queue": 1400.0, "schedule": 8000.0}
    ran = boots(run, pageless=changed)
    for boot in ran:
        if boot["variant"] == "pageless":  # of functions that are not listed
            for figures, key in (("counts", "total"), ("virtual", "duration_ns")):
                boot["workloads"][0][figures][key] += 40 * IOS
    (one,) = section(run, ran)["differences"]
    assert (one["compare"], one["verdict"]) == ("virtual-bar", "worse")
    # What a compiler appended to a name makes no other function of it.
    assert [row["function"] for row in one["functions"]] == ["blk_mq_run_hw_queue"]
    assert {key: one["functions"][0][key] for key in ("before", "after", "difference")} == {
        "before": 400,
        "after": 1400,
        "difference": 1000,
    }
    assert one["instructions"] == 1040 and one["unexplained"] == 40


def test_what_is_equivalent_needs_no_explanation() -> None:
    run = header()
    made = section(run, boots(run, pageless=PAGE | {"schedule": 8100.0}))
    assert made["differences"] == [] and len(made["disks"]) == 1


@pytest.mark.parametrize(
    "changes, listed",
    [
        ((60, 25, 10, 5), (60, 25, 10)),  # 15 would be left: more than a tenth
        ((90, 10), (90,)),
        ((89, 11), (89, 11)),
        ((100, 90, -90), (100, 90, -90)),  # what is left is nothing, and both are large
        ((120, -20), (120, -20)),
        ((55, 50, -5), (55, 50)),
        ((-60, -30, -10), (-60, -30)),
        ((100, 0, 0), (100,)),
    ],
)
def test_functions_are_listed_until_nine_tenths_are_explained(
    changes: tuple[int, ...], listed: tuple[int, ...]
) -> None:
    keys = [(f"f{i}", "block/bio.o", "block") for i in range(len(changes))]
    before = {key: 1000.0 for key in keys}
    after = {key: 1000.0 + change for key, change in zip(keys, changes)}
    rows = timing.explanation(before, after, sum(changes))
    assert [row["difference"] for row in rows] == list(listed)
    unexplained = sum(changes) - sum(row["difference"] for row in rows)
    assert abs(unexplained) <= 0.1 * abs(sum(changes))


def test_a_function_that_one_side_does_not_have_has_none_of_its_instructions_there() -> None:
    gone, came = ("gone", "a.o", "block"), ("came", "b.o", "block")
    rows = timing.explanation({gone: 700.0}, {came: 300.0}, -400.0)
    assert [(row["function"], row["before"], row["after"]) for row in rows] == [
        ("gone", 700, 0),
        ("came", 0, 300),
    ]


@pytest.mark.parametrize(
    "instrument, why",
    [
        (
            {"real_time": "QEMU 5 does not take -icount", "icount": ""},
            "QEMU 5 does not take -icount",
        ),
        ({"reason": "it is broken", "icount": ""}, "it is broken"),
        ({"name": "insncount"}, "this run is from before it was measured"),
    ],
)
def test_where_there_is_no_virtual_time_the_section_says_why(
    instrument: dict[str, str], why: str
) -> None:
    run = header(**instrument)
    ran = boots(run)
    for boot in ran:
        del boot["workloads"][0]["virtual"]
    made = section(run, ran)
    assert (made["absent"], made["icount"], made["environment_class"]) == (why, "", "qemu-tcg")
    assert made["cells"] == made["disks"] == made["differences"] == []
    assert section(header(), boots(header()))["absent"] == ""


def test_a_run_that_plans_too_few_ios_to_be_timed_has_no_section() -> None:
    run = header(workload(ios=31))
    assert section(run, boots(run)) is None
    assert section(header(workload(ios=32)), []) is not None
