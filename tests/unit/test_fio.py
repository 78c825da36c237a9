"""fio's job files and output: real fio runs the jobs; what cannot be used fails the cell."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from p2pbench.fio import FioError, check_clock, job_file, metrics
from p2pbench.matrix import Workload


def workload(**changes: Any) -> Workload:
    values: dict[str, Any] = {
        "name": "t", "kind": "fio", "rw": "randrw", "bs": 4096, "iodepth": 4, "numjobs": 2,
        "verify": "", "size": 1 << 20, "runtime_s": 0.2, "providers": ("host",)}
    return Workload(**(values | changes))


def run_fio(job: str, directory: Path) -> dict[str, Any]:
    disk = directory / "disk"
    disk.write_bytes(bytes(1 << 20))
    (directory / "job.fio").write_text(job)
    done = subprocess.run(["fio", "--output-format=json", "job.fio"], cwd=directory, text=True,
                          capture_output=True, env={"DEV": str(disk), "PATH": "/usr/bin:/bin"})
    return {"exit": done.returncode, "signal": 0, "stdout": done.stdout, "stderr": done.stderr}


def test_real_fio_runs_the_job_and_its_figures_are_read(tmp_path: Path) -> None:
    started = time.monotonic()
    figures = metrics(workload(), run_fio(job_file(workload(), 1), tmp_path))
    check_clock(workload(), figures["runtime_s"], time.monotonic() - started)
    assert figures["bytes"] == figures["ios"] * 4096
    assert figures["lat_p99_ns"] >= figures["lat_p50_ns"] > 0
    assert figures["bytes_per_s"] > 0


def test_a_verify_job_reads_back_every_byte_that_it_wrote(tmp_path: Path) -> None:
    job = workload(rw="randwrite", numjobs=1, verify="crc32c", runtime_s=0.0)
    assert metrics(job, run_fio(job_file(job, 1), tmp_path))["bytes"] == 2 << 20


def test_a_fio_error_is_told_in_its_own_words(tmp_path: Path) -> None:
    answer = run_fio(job_file(workload(), 1).replace("rw=randrw", "rw=sideways"), tmp_path)
    with pytest.raises(FioError, match="exit status 1"):
        metrics(workload(), answer)


@pytest.mark.parametrize("stdout", ["", "not json", "{}", '{"jobs": []}',
                                    '{"jobs": [{"error": 0, "mixed": {}, "job_runtime": 1}]}'])
def test_output_that_cannot_be_used_fails(stdout: str) -> None:
    with pytest.raises(FioError, match="fio's output cannot be used"):
        metrics(workload(), {"exit": 0, "signal": 0, "stdout": stdout, "stderr": ""})


def test_an_error_inside_a_job_fails(tmp_path: Path) -> None:
    answer = run_fio(job_file(workload(), 1), tmp_path)
    output = json.loads(answer["stdout"])
    output["jobs"][0]["error"] = 5
    with pytest.raises(FioError, match="fio reports error 5"):
        metrics(workload(), answer | {"stdout": json.dumps(output)})


@pytest.mark.parametrize(("runtime_s", "took_s"), [(0.003, 0.5), (90.0, 0.5)])
def test_a_clock_that_jumps_fails_the_run(runtime_s: float, took_s: float) -> None:
    with pytest.raises(FioError, match="the clock of the machine under test jumped"):
        check_clock(workload(), runtime_s, took_s)


def test_a_run_that_takes_longer_than_asked_is_no_jump() -> None:
    check_clock(workload(), 0.9, 1.5)
    check_clock(workload(verify="crc32c", runtime_s=0.0), 0.001, 0.5)
