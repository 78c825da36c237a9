# SPDX-License-Identifier: GPL-2.0
"""The memory curve: fits find the line they are given, and nothing is counted that was not seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from p2pbench.analysis import memory
from p2pbench.report import build

GIB = 1 << 30
SIZES = [64 << 20 << 2 * step for step in range(7)]  # 64 MiB to 256 GiB


def planted(rng: Any, boots: int, noise: float = 0.03) -> tuple[Any, Any]:
    """Boots of a BAR of each size that take 20 ms and 45 ms for each GiB, give or take a share."""
    x = np.repeat(np.array(SIZES) / GIB, boots)
    return x, (20e6 + 45e6 * x) * np.exp(rng.normal(0, noise, len(x)))


def test_a_line_is_found_again_exactly() -> None:
    x = np.array(SIZES) / GIB
    line = memory.fit_line(x, 4096 + 32768 * x, 1.0)
    assert line["slope"] == pytest.approx(32768, rel=1e-6)
    assert line["intercept"] == pytest.approx(4096, rel=1e-3)
    assert line["low"] <= line["slope"] <= line["high"]


@pytest.mark.parametrize("boots", [1, 5])
def test_the_interval_holds_the_true_slope_in_95_of_100_runs(boots: int) -> None:
    rng = np.random.default_rng(5)
    runs = 600
    held = 0
    for _ in range(runs):
        line = memory.fit_line(*planted(rng, boots), 1e4)
        held += line["low"] <= 45e6 <= line["high"]
    assert scipy.stats.binomtest(held, runs, 0.95).pvalue > 0.001, held / runs


def test_small_bars_count_as_much_as_large_ones() -> None:
    rng = np.random.default_rng(6)
    found = [memory.fit_line(*planted(rng, 1), 1e4)["intercept"] for _ in range(50)]
    assert max(abs(intercept / 20e6 - 1) for intercept in found) < 0.15


def test_the_interval_says_when_boots_disagree() -> None:
    widths = []
    for noise in (0.01, 0.2):
        line = memory.fit_line(*planted(np.random.default_rng(3), 3, noise), 1e4)
        widths.append(line["high"] - line["low"])
    assert widths[1] > 5 * widths[0]


@pytest.mark.parametrize(
    "pool, granule, pages",
    [
        (64 << 30, 4096, 513),  # 2 MiB of bits, and a page for the header
        (64 << 30, 128 << 10, 17),
        (64 << 20, 4096, 1),
        (127 << 20, 4096, 2),  # 4064 bytes of bits, and no room for the header
    ],
)
def test_a_bitmap_is_a_bit_a_granule_behind_a_header(pool: int, granule: int, pages: int) -> None:
    assert memory.bitmap_bytes(pool, granule) == pages * 4096


def add_boots(run: Any, variant: str, sizes: list[int], overhead: Any, zone: bool) -> None:
    """Append boots that register and remove a BAR of each size, in three blocks."""
    for block in range(3):
        for size in sizes:
            planned = {
                "boot": f"b{block}-{variant}-memory-{size >> 20}m",
                "block": block,
                "variant": variant,
                "provider": f"memory-{size >> 20}m",
                "bar": size,
                "index": len(run.header["plan"]),
            }
            run.header["plan"].append(planned)
            pages = overhead(size) // 4096 + block - 1
            run.boots.append(
                run.boots[0]
                | planned
                | {
                    "workloads": [],
                    "setup": {
                        "pool": {"size": size, "available": size},
                        "register": {
                            "ns": 1000000 + size // 1000,
                            "free_pages_before": 10**9,
                            "free_pages_after": 10**9 - pages,
                            "granule": 4096,
                            "page_tables": 1,
                            "device_zone_pages": size // 4096 if zone else 0,
                        },
                    },
                    "teardown": {"pool": None, "remove_ns": 30000000 + block},
                }
            )


@pytest.fixture
def run(synthetic: Any) -> Any:
    """A run with the whole curve for page, and a bitmap, a page table and 3 pages for pageless."""
    made = synthetic({"page/host": 1e8, "pageless/host": 1e8})
    add_boots(made, "page", SIZES, lambda size: size // 64 + 8192, True)
    add_boots(
        made, "pageless", SIZES, lambda size: memory.bitmap_bytes(size, 4096) + 4 * 4096, False
    )
    return made


def section(run: Any) -> dict[str, Any]:
    """The report's section."""
    made = memory.section(run.header, run.boots)
    assert made
    return made


def test_every_size_is_a_point_with_the_range_of_its_boots(run: Any) -> None:
    points = section(run)["points"]
    assert [(p["variant"], p["bar_bytes"]) for p in points] == [
        (variant, size) for variant in ("page", "pageless") for size in SIZES
    ]
    first = points[0]
    assert first["n"] == 3
    assert first["overhead_bytes"] == {
        "median": (1 << 20) + 8192,
        "min": (1 << 20) + 4096,
        "max": (1 << 20) + 12288,
    }
    assert first["remove_ns"] == {"median": 30000001, "min": 30000000, "max": 30000002}
    assert (first["device_zone_pages"], first["items"]) == (16384, None)


def test_what_remains_without_struct_pages_is_itemised_to_the_last_byte(run: Any) -> None:
    for point in section(run)["points"][len(SIZES) :]:
        items = point["items"]
        assert items == {
            "bitmap": memory.bitmap_bytes(point["bar_bytes"], 4096),
            "page_tables": 4096,
            "rest": 3 * 4096,
        }
        assert sum(items.values()) == point["overhead_bytes"]["median"]


def test_the_fits_give_bytes_and_time_for_each_gib(run: Any) -> None:
    fits = {(fit["variant"], fit["what"]): fit for fit in section(run)["fits"]}
    assert len(fits) == 6
    assert fits["page", "overhead_bytes"]["per_gib"]["value"] == pytest.approx(1 << 24, rel=1e-3)
    assert fits["pageless", "overhead_bytes"]["per_gib"]["value"] == pytest.approx(32768, rel=0.02)
    assert fits["page", "register_ns"]["per_gib"]["value"] == pytest.approx(GIB / 1000, rel=1e-3)
    assert fits["page", "register_ns"]["n"] == 3 * len(SIZES)
    assert section(run)["page_line_bytes_per_gib"] == 1 << 24


def test_a_curve_that_is_no_line_says_so(synthetic: Any) -> None:
    made = synthetic({"page/host": 1e8, "page/bar": 1e8})
    add_boots(made, "pageless", SIZES, lambda size: min(size // 32768, 512 << 10) + 16384, False)
    fits = {fit["what"]: fit["worst"] for fit in section(made)["fits"]}
    assert fits["overhead_bytes"] > 0.3 > fits["register_ns"]


def test_a_lost_boot_is_no_sample(run: Any) -> None:
    run.lose("b0-page-memory-64m")
    assert section(run)["points"][0]["n"] == 2


def test_two_sizes_make_points_but_no_line(synthetic: Any) -> None:
    made = synthetic({"page/host": 1e8, "page/bar": 1e8})
    add_boots(made, "page", SIZES[:2], lambda size: size // 64, True)
    assert len(section(made)["points"]) == 2 and section(made)["fits"] == []


def test_a_run_that_measures_no_memory_has_no_section(synthetic: Any) -> None:
    made = synthetic({"page/host": 1e8, "page/bar": 1e8})
    assert memory.section(made.header, made.boots) is None


def test_the_report_holds_the_curve(run: Any, tmp_path: Path) -> None:
    run.write(tmp_path)
    made = build.write(tmp_path)
    assert made["memory"] == section(run)
    assert made["static"] is None
