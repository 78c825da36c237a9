"""A fio that fails in a real guest fails its cell, keeps what it said, and spares the boot."""

from pathlib import Path
from typing import Any

import pytest

from p2pbench import fio
from p2pbench.accel import Accelerator
from p2pbench.boot import BootRun
from p2pbench.kernel import Kernel
from p2pbench.matrix import Boot, Workload, find_matrix, read_matrix
from p2pbench.qemu import Pace, read_shape


@pytest.fixture
def record(page_kernel: Kernel, accelerator: Accelerator, tmp_path: Path,
           monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A smoke boot in which the jobs of randread name an engine that there is not."""
    real = fio.job_file

    def job_file(workload: Workload, seed: int) -> str:
        job = real(workload, seed)
        return job.replace("libaio", "nosuch") if workload.rw == "randread" else job

    monkeypatch.setattr(fio, "job_file", job_file)
    boot = Boot("b0-page-bar", 0, 0, "page", "bar")
    return BootRun(boot, read_matrix(find_matrix("smoke")), 1, tmp_path / "raw", print).run(
        page_kernel, accelerator, read_shape("qemu"), Pace(), tmp_path / "console.log")


def test_a_fio_error_fails_its_cell_alone_and_keeps_the_raw_output(
        record: dict[str, Any], tmp_path: Path) -> None:
    entries = {entry["name"]: entry for entry in record["workloads"]}
    failed = entries.pop("randread-16k-qd1")
    assert failed["status"] == "failed"
    assert "fio ended with exit status 1" in failed["error"]["got"]
    assert "nosuch" in (tmp_path / "raw/b0-page-bar/randread-16k-qd1.stderr").read_text()
    assert {entry["status"] for entry in entries.values()} == {"ok"}
    assert record["status"] == "ok"
    assert record["teardown"]["pool"]["available"] == record["teardown"]["pool"]["size"]
