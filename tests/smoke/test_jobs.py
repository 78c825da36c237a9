# SPDX-License-Identifier: GPL-2.0
"""Workloads of several jobs in a real guest: their figures are the sum of the jobs, once."""

import json
from pathlib import Path
from typing import Any

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.measure.boot import BootRun, cmdline_of
from p2pbench.plan.matrix import Boot
from p2pbench.plan.matrix_file import read_matrix
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.qemu_testbed import QemuTestbed

JOBS = (2, 8, 64)
MATRIX = f"""\
blocks = 1
[[boots]]
variant = "page"
providers = "bar"
[[workloads]]
rw = "randrw"
bs = "4k"
numjobs = {list(JOBS)}
runtime = "500ms"
"""


@pytest.fixture(scope="module")
def boot(
    page_kernel: Kernel, accelerator: Accelerator, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """The record of a boot of the matrix, and its raw files."""
    directory = tmp_path_factory.mktemp("jobs")
    (directory / "jobs.toml").write_text(MATRIX)
    planned = Boot("b0-page-bar", 0, 0, "page", "bar")
    matrix = read_matrix(directory / "jobs.toml")
    machine = QemuTestbed("qemu", accelerator).machine(
        planned, page_kernel, cmdline_of(planned, matrix), directory / "console.log", None
    )
    record = BootRun(planned, matrix, 1, directory / "raw", print).run(machine)
    return record, directory / "raw" / planned.boot


@pytest.mark.parametrize("jobs", JOBS)
def test_the_figures_are_those_of_all_jobs_in_the_time_of_one(
    boot: tuple[dict[str, Any], Path], jobs: int
) -> None:
    record, raw = boot
    name = f"randrw-4k-qd1-j{jobs}"
    (entry,) = (entry for entry in record["workloads"] if entry["name"] == name)
    assert entry["status"] == "ok", entry
    (group,) = json.loads((raw / f"{name}.json").read_text())["jobs"]
    device, metrics = entry["evidence"]["device"], entry["metrics"]
    assert metrics["bytes"] == device["read_bytes"] + device["write_bytes"]
    assert metrics["runtime_s"] == group["mixed"]["runtime"] / 1000
    assert group["job_runtime"] >= jobs * 500
