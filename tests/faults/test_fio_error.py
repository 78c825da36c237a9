# SPDX-License-Identifier: GPL-2.0
"""A fio that fails in a real guest fails its cell, keeps what it said, and spares the boot."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.measure import fio
from p2pbench.measure.boot import BootRun, cmdline_of
from p2pbench.plan.matrix import Boot, Workload
from p2pbench.plan.matrix_file import find_matrix, read_matrix
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.qemu_testbed import QemuTestbed
from support import qemu_children

# What is changed in the jobs of one direction, and the record of a smoke boot with that.
Run = Callable[[str, str, str], dict[str, Any]]


@pytest.fixture
def run_with(
    page_kernel: Kernel, accelerator: Accelerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Return what runs a smoke boot in which the jobs of a direction say something else."""
    real = fio.job_file

    def run(rw: str, old: str, new: str) -> dict[str, Any]:
        def job_file(workload: Workload, seed: int) -> str:
            job = real(workload, seed)
            return job.replace(old, new) if workload.rw == rw else job

        monkeypatch.setattr(fio, "job_file", job_file)
        boot = Boot("b0-page-bar", 0, 0, "page", "bar")
        matrix = read_matrix(find_matrix("smoke"))
        machine = QemuTestbed("qemu", accelerator).machine(
            boot, page_kernel, cmdline_of(boot, matrix), tmp_path / "console.log", None
        )
        return BootRun(boot, matrix, 1, tmp_path / "raw", print).run(machine)

    return run


def test_a_fio_error_fails_its_cell_alone_and_keeps_the_raw_output(
    run_with: Run, tmp_path: Path
) -> None:
    record = run_with("randread", "libaio", "nosuch")
    entries = {entry["name"]: entry for entry in record["workloads"]}
    failed = entries.pop("randread-16k-qd1")
    assert failed["status"] == "failed"
    assert "fio ended with exit status 1" in failed["error"]["got"]
    assert "nosuch" in (tmp_path / "raw/b0-page-bar/randread-16k-qd1.stderr").read_text()
    assert {entry["status"] for entry in entries.values()} == {"ok"}
    assert record["status"] == "ok"
    assert record["teardown"]["pool"]["available"] == record["teardown"]["pool"]["size"]


def test_a_clock_that_ran_unevenly_leaves_its_cell_without_figures(run_with: Run) -> None:
    """A run that is shorter than asked is what such a clock looks like."""
    record = run_with("randread", "runtime=", "runtime=20ms\n#")
    (failed,) = [one for one in record["workloads"] if one["name"] == "randread-16k-qd1"]
    assert (failed["status"], failed["metrics"]) == ("failed", None)
    assert "the clock of the machine under test jumped" in failed["error"]["got"]


LONG = """\
blocks = 1
[[boots]]
variant = "page"
providers = "bar"
[[workloads]]
rw = ["randread", "randwrite"]
bs = "4k"
runtime = "6s"
"""


def test_a_guest_that_stands_still_in_a_cell_leaves_it_without_figures(
    page_kernel: Kernel, accelerator: Accelerator, tmp_path: Path
) -> None:
    (tmp_path / "long.toml").write_text(LONG)

    def stop_for_five_seconds() -> None:
        time.sleep(3)  # fio has started by then, and has not ended
        (qemu,) = qemu_children(os.getpid())
        os.kill(qemu, signal.SIGSTOP)
        time.sleep(5)
        os.kill(qemu, signal.SIGCONT)

    stopping = threading.Thread(target=stop_for_five_seconds)

    def stage(name: str) -> None:
        if name == "randread-4k-qd1":
            stopping.start()

    boot = Boot("b0-page-bar", 0, 0, "page", "bar")
    matrix = read_matrix(tmp_path / "long.toml")
    machine = QemuTestbed("qemu", accelerator).machine(
        boot, page_kernel, cmdline_of(boot, matrix), tmp_path / "console.log", None
    )
    record = BootRun(boot, matrix, 1, tmp_path / "raw", stage).run(machine)
    stopping.join()
    stood, after = record["workloads"]
    assert (stood["status"], stood["metrics"]) == ("failed", None)
    assert "the machine stood still for 5." in stood["error"]["got"]
    assert after["status"] == "ok"
