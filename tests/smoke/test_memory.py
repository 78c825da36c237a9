# SPDX-License-Identifier: GPL-2.0
"""Boots that register and remove a BAR of some size: what the report says of them is exact."""

import json
from pathlib import Path
from typing import Any

import pytest

from p2pbench.analysis import memory
from p2pbench.linux.kernel import Kernel, build
from p2pbench.linux.variants import find_variant
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.config import read_shape
from p2pbench.testbed.machine import Pace
from p2pbench.testbed.qemu import Guest
from support import start_bench

MATRIX = """\
blocks = 1
[[boots]]
variant = "page"
providers = ["host"]
[[workloads]]
rw = "randread"
bs = "4k"
runtime = "1s"
[[memory]]
variants = ["page", "pageless"]
bars = ["64m", "1g", "16g"]
"""
SIZES = (64 << 20, 1 << 30, 16 << 30)
# What a kernel that does other things too adds to a difference of free memory.
NOISE = 16 * 4096


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, page_kernel: Kernel) -> Path:
    """The directory of a run of the memory boots alone."""
    results = tmp_path_factory.mktemp("results")
    matrix = results / "curve.toml"
    matrix.write_text(MATRIX)
    text, _ = start_bench(results, f"--matrix={matrix}", "--seed=1", "-k", "memory").communicate()
    made = [path for path in results.iterdir() if path.is_dir()]
    assert len(made) == 1, text
    return made[0]


@pytest.fixture(scope="module")
def report(directory: Path) -> dict[str, Any]:
    """Its report."""
    made: dict[str, Any] = json.loads((directory / "report.json").read_text())
    assert made["ok"], made["problems"]
    return made


def point(report: dict[str, Any], variant: str, size: int) -> dict[str, Any]:
    """The point of a variant and a size."""
    (found,) = [
        one
        for one in report["memory"]["points"]
        if (one["variant"], one["bar_bytes"]) == (variant, size)
    ]
    return dict(found)


@pytest.mark.parametrize("size", SIZES)
def test_page_backed_memory_takes_64_bytes_for_each_page(report: dict[str, Any], size: int) -> None:
    made = point(report, "page", size)
    assert made["device_zone_pages"] == size // 4096
    bitmap = size // 4096 // 8
    assert made["overhead_bytes"]["median"] == pytest.approx(size // 64 + bitmap, abs=NOISE)


@pytest.mark.parametrize("size", SIZES)
def test_pageless_memory_takes_its_bitmap_and_little_else(
    report: dict[str, Any], size: int
) -> None:
    made = point(report, "pageless", size)
    assert made["device_zone_pages"] == 0
    items = made["items"]
    assert items["bitmap"] >= size // made["granule"] // 8
    assert abs(items["rest"]) <= NOISE and items["page_tables"] <= NOISE
    assert sum(items.values()) == made["overhead_bytes"]["median"]


def test_all_of_it_comes_back(directory: Path, report: dict[str, Any]) -> None:
    boots = [
        json.loads(line) for line in (directory / "journal.jsonl").read_text().splitlines()[1:]
    ]
    assert len(boots) == 2 * len(SIZES)
    for boot in boots:
        register, remove = boot["setup"]["register"], boot["teardown"]["remove"]
        taken = register["free_pages_before"] - register["free_pages_after"]
        back = remove["free_pages_after"] - remove["free_pages_before"]
        assert back * 4096 == pytest.approx(taken * 4096, abs=NOISE), boot["boot"]
        assert 0 < boot["teardown"]["remove_ns"] < remove["unbind_ns"]


def test_page_tables_are_counted_where_there_are_any(
    accelerator: Accelerator, tmp_path: Path
) -> None:
    """Without huge pages 1 GiB needs a table for each 2 MiB, and one above them."""
    with Guest(
        build(find_variant("pageless"), "bench"),
        accelerator,
        read_shape("qemu").with_bar(1 << 30),
        Pace(),
        tmp_path / "console.log",
        "nohugeiomap",
    ) as guest:
        register = guest.channel.order("setup", guest.setup_args("memory-1g"), 120)["register"]
    assert register["page_tables"] == 513
    taken = (register["free_pages_before"] - register["free_pages_after"]) * 4096
    bitmap = memory.bitmap_bytes(1 << 30, register["granule"])
    assert taken - bitmap == pytest.approx(513 * 4096, abs=NOISE)


def test_three_sizes_make_a_line_for_each_figure(report: dict[str, Any]) -> None:
    fits = {(fit["variant"], fit["what"]): fit["per_gib"] for fit in report["memory"]["fits"]}
    assert set(fits) == {
        (variant, what)
        for variant in ("page", "pageless")
        for what in ("overhead_bytes", "register_ns", "remove_ns")
    }
    assert fits["page", "overhead_bytes"]["value"] == pytest.approx(64 << 18, rel=0.02)
    assert report["memory"]["page_line_bytes_per_gib"] == 64 << 18


def test_the_kernels_are_described_too(report: dict[str, Any]) -> None:
    sizes = {row["name"]: row["bytes"] for row in report["static"]["structs"]}
    assert sizes["page"] == {"page": 64, "pageless": 64}
    assert [(code["from"], code["to"]) for code in report["static"]["code"]] == [
        ("page", "pageless")
    ]
