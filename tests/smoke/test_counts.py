# SPDX-License-Identifier: GPL-2.0
"""Counted boots of a real kernel: the same figure in each boot, and exact ones by function."""

from pathlib import Path
from typing import Any

import pytest

from counted import counted_boot
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.symbols import read_functions
from p2pbench.plan.matrix import Matrix
from p2pbench.plan.matrix_file import read_matrix
from p2pbench.records import kinds
from p2pbench.testbed import instruments
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.instruments import Counter

MATRIX = """\
blocks = 1
[[boots]]
variant = "page"
providers = ["host"]
[[workloads]]
rw = "randread"
bs = "4k"
runtime = "1s"
[[counts]]
variants = ["page"]
rw = "randread"
bs = "16k"
ios = 200
[[ordinary]]
variants = ["page"]
devices = ["null_blk", "nvme"]
rw = "read"
bs = "4k"
merge = true
ios = 800
[[ordinary]]
variants = ["page"]
devices = ["null_blk", "nvme"]
rw = "randwrite"
bs = ["512b", "128k"]
scheduler = ["none", "mq-deadline"]
ios = 400
"""


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    path = tmp_path_factory.mktemp("matrix") / "counts.toml"
    path.write_text(MATRIX)
    return read_matrix(path)


def run(
    name: str, kernel: Kernel, matrix: Matrix, instrument: instruments.Instrument, directory: Path
) -> dict[str, Any]:
    counter = Counter(instrument, "page", read_functions(kernel.directory, "6.1"), directory / name)
    entries = counted_boot(name, kernel, matrix, counter, directory)
    assert {entry["status"] for entry in entries.values()} == {"ok"}, entries
    return entries


@pytest.fixture(scope="module")
def boots(
    page_kernel: Kernel, matrix: Matrix, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Two boots of the same kernel."""
    instrument = instruments.choose(Accelerator("tcg", ""))
    directory = tmp_path_factory.mktemp("raw")
    return [run(name, page_kernel, matrix, instrument, directory) for name in ("one", "two")]


def test_the_paths_sum_repeats_between_boots_of_one_kernel(boots: list[dict[str, Any]]) -> None:
    one, two = boots
    assert len(one) == 11
    for name, entry in one.items():
        ratio = entry["counts"]["per_io"] / two[name]["counts"]["per_io"]
        assert abs(ratio - 1) < 0.005, name


def test_a_function_that_runs_once_an_io_has_the_same_whole_number_everywhere(
    boots: list[dict[str, Any]]
) -> None:
    found = {
        row["per_io"]
        for boot in boots
        for name, entry in boot.items()
        if "512b" in name
        for row in entry["counts"]["functions"]
        if row["function"] == "__bio_add_page"
    }
    assert len(found) == 1 and found.pop() % 1 == 0


def test_each_path_runs_through_its_own_subsystems(boots: list[dict[str, Any]]) -> None:
    on = {name: set(entry["counts"]["subsystems"]) for name, entry in boots[0].items()}
    assert {"block", "null_blk"} <= on["null_blk-randwrite-512b-none"]
    assert "nvme" not in on["null_blk-randwrite-512b-none"]
    assert {"block", "nvme", "dma"} <= on["nvme-randwrite-512b-none"]
    assert {"block", "nvme", "nvmet", "rdma core", "rxe", "p2pdma", "genalloc"} <= on[
        "count-bar-randread-16k-qd1"
    ]


def test_the_checksum_of_rxe_does_not_hide_the_path(boots: list[dict[str, Any]]) -> None:
    """With tables instead of PCLMULQDQ it would be more than half of all instructions."""
    counts = boots[0]["count-bar-randread-16k-qd1"]["counts"]
    checksum = {
        row["function"]: row["per_io"]
        for row in counts["functions"]
        if "crc32" in row["function"] or row["function"] == "loop_64"
    }
    assert "loop_64" in checksum
    assert sum(checksum.values()) < 0.4 * counts["total"] / counts["ios"]


def test_neighbouring_ios_were_merged_and_a_scheduler_costs(boots: list[dict[str, Any]]) -> None:
    device = boots[0]["null_blk-read-4k-merge-none"]["evidence"]["device"]
    assert device["reads"] == 800 // 16 and device["read_bytes"] == 800 * 4096
    none, deadline = (
        boots[0][f"null_blk-randwrite-512b-{name}"]["counts"] for name in ("none", "mq-deadline")
    )
    assert deadline["per_io"] > 1.2 * none["per_io"]
    assert any(row["object"] == "block/mq-deadline.o" for row in deadline["functions"])
    assert not any(row["object"] == "block/mq-deadline.o" for row in none["functions"])


def test_without_the_instrument_the_boot_still_proves_its_path_and_says_why(
    page_kernel: Kernel, matrix: Matrix, tmp_path: Path
) -> None:
    record = run(
        "bare", page_kernel, matrix, instruments.Instrument("", None, "QEMU 5 cannot"), tmp_path
    )
    entry = record["count-bar-randread-16k-qd1"]
    assert entry["evidence"]["p2p"]["requests"] == 200
    assert {one["counts"]["reason"] for one in record.values()} == {"QEMU 5 cannot"}
    assert {one["counts"]["per_io"] for one in record.values()} == {None}


def test_cpus_without_counters_are_said(
    page_kernel: Kernel, matrix: Matrix, tmp_path: Path
) -> None:
    """The CPU of TCG counts nothing: as a KVM guest without a PMU."""
    record = run("perf", page_kernel, matrix, instruments.Instrument(kinds.PERF), tmp_path)
    reasons = {one["counts"]["reason"] for one in record.values()}
    assert len(reasons) == 1 and "a counter of the kernel's instructions" in reasons.pop()
