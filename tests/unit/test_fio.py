# SPDX-License-Identifier: GPL-2.0
"""fio's job files and output: real fio runs the jobs; what cannot be used fails the cell."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from p2pbench.measure.fio import FioError, check_clock, check_stall, job_file, metrics
from p2pbench.plan.matrix import Workload

DATA = Path(__file__).parents[1] / "data" / "fio"
# What was kept of fio, and how its job differs from workload()'s.
SHAPES: dict[str, dict[str, Any]] = {
    **{f"randrw-4k-qd4-j{jobs}": {"numjobs": jobs} for jobs in (1, 2, 4, 8, 64)},
    **{
        f"{rw}-4k-qd4-verify": {"rw": rw, "numjobs": 1, "verify": "crc32c", "runtime_s": 0.0}
        for rw in ("randwrite", "randrw")
    },
    "deep-randrw-1m-qd128": {
        "numjobs": 1,
        "iodepth": 128,
        "bs": 1 << 20,
        "size": 64 << 20,
        "runtime_s": 0.3,
    },
    # In a guest, on two cores with much else to do.
    "slow-randread-4k-qd4-j64": {
        "rw": "randread",
        "numjobs": 64,
        "size": 64 << 20,
        "runtime_s": 0.5,
    },
}
# The same with SIGSTOP for 2 s while it ran.
STALLED: dict[str, dict[str, Any]] = {
    "stalled-randrw-4k-qd1": {"numjobs": 1, "iodepth": 1, "runtime_s": 0.5},
    "stalled-randrw-4k-qd4-j8": {"numjobs": 8, "runtime_s": 0.5},
    "stalled-randread-64k-qd16": {
        "rw": "randread",
        "numjobs": 1,
        "iodepth": 16,
        "bs": 65536,
        "size": 16 << 20,
        "runtime_s": 0.5,
    },
}
SHAPES |= STALLED


def workload(**changes: Any) -> Workload:
    values: dict[str, Any] = {
        "name": "t",
        "kind": "fio",
        "rw": "randrw",
        "bs": 4096,
        "iodepth": 4,
        "numjobs": 2,
        "verify": "",
        "size": 1 << 20,
        "runtime_s": 0.2,
        "providers": ("host",),
    }
    return Workload(**(values | changes))


def run_fio(job: str, directory: Path) -> dict[str, Any]:
    disk = directory / "disk"
    disk.write_bytes(bytes(1 << 20))
    (directory / "job.fio").write_text(job)
    done = subprocess.run(
        ["fio", "--output-format=json", "job.fio"],
        cwd=directory,
        text=True,
        capture_output=True,
        env={"DEV": str(disk), "PATH": "/usr/bin:/bin"},
    )
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


@pytest.mark.parametrize(
    "stdout",
    [
        "",
        "not json",
        "{}",
        '{"jobs": []}',
        '{"jobs": [{"error": 0, "mixed": {}, "job_runtime": 1}]}',
    ],
)
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


def kept(name: str) -> dict[str, Any]:
    """What fio 3.33 printed for a job of job_file(), as the agent answers with it."""
    return {"exit": 0, "signal": 0, "stdout": (DATA / f"{name}.json").read_text(), "stderr": ""}


def group_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The one group of jobs that fio printed."""
    text = answer["stdout"]
    (group,) = json.loads(text[text.index("{\n") :])["jobs"]
    assert isinstance(group, dict)
    return group


@pytest.mark.parametrize(("name", "changes"), SHAPES.items())
def test_the_kept_outputs_are_of_the_jobs_that_are_written_today(
    name: str, changes: dict[str, Any]
) -> None:
    job = group_of(kept(name))["job options"]
    lines = job_file(workload(**changes), 1).splitlines()[1:]
    assert job | {"filename": "${DEV}"} == dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("jobs", [1, 2, 4, 8, 64])
def test_the_figures_of_a_group_are_the_sums_of_its_jobs_over_the_time_of_the_longest(
    jobs: int,
) -> None:
    name, job = f"randrw-4k-qd4-j{jobs}", workload(numjobs=jobs)
    mixed = group_of(kept(name))["mixed"]
    figures = metrics(job, kept(name))
    assert figures["runtime_s"] == mixed["runtime"] / 1000
    assert figures["bytes_per_s"] == pytest.approx(mixed["bw_bytes"], rel=1e-6)
    assert figures["iops"] == pytest.approx(mixed["iops"], rel=1e-6)
    assert figures["lat_max_ns"] == mixed["lat_ns"]["max"]
    check_clock(job, figures["runtime_s"], 0.3)
    check_stall(job, figures)


@pytest.mark.parametrize("rw", ["randwrite", "randrw"])
def test_the_time_of_a_verify_job_is_that_of_both_halves(rw: str) -> None:
    job = workload(rw=rw, numjobs=1, verify="crc32c", runtime_s=0.0)
    name = f"{rw}-4k-qd4-verify"
    figures = metrics(job, kept(name))
    both_s = group_of(kept(name))["job_runtime"] / 1000
    assert figures["runtime_s"] == both_s
    assert figures["bytes_per_s"] == figures["bytes"] / both_s
    check_stall(job, figures)


def test_a_note_before_the_json_is_no_part_of_it() -> None:
    answer = kept("note-randrw-4k-qd4-j2")
    assert answer["stdout"].startswith("note: both iodepth >= 1 and synchronous I/O engine")
    assert metrics(workload(), answer)["ios"] == group_of(answer)["mixed"]["total_ios"]


def test_a_note_after_the_json_is_no_part_of_it() -> None:
    answer = kept("randrw-4k-qd4-j2")
    noted = answer | {"stdout": answer["stdout"] + "fio: file hash not empty on exit\n"}
    assert metrics(workload(), noted) == metrics(workload(), answer)


def test_a_json_object_that_is_not_whole_or_not_alone_fails() -> None:
    answer = kept("randrw-4k-qd4-j2")
    for text in (answer["stdout"][:-3], answer["stdout"][20:], 2 * answer["stdout"]):
        with pytest.raises(FioError, match="fio's output cannot be used"):
            metrics(workload(), answer | {"stdout": text})


def test_a_job_of_a_group_that_ends_early_fails() -> None:
    answer = kept("randrw-4k-qd4-j4")
    output = json.loads(answer["stdout"])
    output["jobs"][0]["job_runtime"] = 650
    with pytest.raises(FioError, match=r"0\.650 s in all, expected 4 of 0.2 s each"):
        metrics(workload(numjobs=4), answer | {"stdout": json.dumps(output)})


def test_a_job_that_did_no_io_is_told_so() -> None:
    output = {"jobs": [{"error": 0, "job_runtime": 400, "mixed": {"total_ios": 0}}]}
    with pytest.raises(FioError, match="fio did no I/O in workload t"):
        metrics(workload(), {"exit": 0, "signal": 0, "stdout": json.dumps(output), "stderr": ""})


def test_the_fio_of_this_machine_prints_what_the_kept_outputs_have(tmp_path: Path) -> None:
    answer = run_fio(job_file(workload(), 1), tmp_path)
    group = group_of(answer)
    assert set(group_of(kept("randrw-4k-qd4-j2"))) <= set(group)
    assert metrics(workload(), answer)["runtime_s"] == group["mixed"]["runtime"] / 1000
    assert group["job_runtime"] >= 2 * 200, "fio no longer sums the time of a group's jobs"


@pytest.mark.parametrize(("name", "changes"), STALLED.items())
def test_a_machine_that_stood_still_fails_the_cell(name: str, changes: dict[str, Any]) -> None:
    job = workload(**changes)
    figures = metrics(job, kept(name))
    check_clock(job, figures["runtime_s"], 3.0)
    with pytest.raises(FioError, match=r"the machine stood still for 2\.[01] s in a run of 0\.5 s"):
        check_stall(job, figures)


@pytest.mark.parametrize("name", ["deep-randrw-1m-qd128", "slow-randread-4k-qd4-j64"])
def test_a_deep_queue_or_many_jobs_on_a_slow_machine_are_no_stall(name: str) -> None:
    job = workload(**SHAPES[name])
    check_stall(job, metrics(job, kept(name)))


def seen(
    runtime_s: float, ios: int, mean_s: float, usual_s: float, longest_s: float
) -> dict[str, float]:
    return {
        "runtime_s": runtime_s,
        "ios": ios,
        "lat_mean_ns": mean_s * 1e9,
        "lat_usual_ns": usual_s * 1e9,
        "lat_max_ns": longest_s * 1e9,
    }


@pytest.mark.parametrize(
    ("asked_s", "depth", "figures", "stood"),
    [
        # QEMU stopped for 12 s in a run of 2 s, 1.2 s in one of 2 s, and 5 s in one of 0.3 s.
        (2, 1, seen(13.455, 4430, 0.00303, 0.00088, 12.0), "12.0 s in a run of 2 s"),
        (2, 1, seen(2.001, 2640, 0.00075, 0.00088, 1.21), "1.2 s in a run of 2 s"),
        (0.3, 1, seen(5.302, 1000, 0.0053, 0.0009, 5.0), "5.0 s in a run of 0.3 s"),
        # The queue was empty then: fio itself, between two requests, or after the last one.
        (2, 1, seen(2.001, 1400, 0.0005, 0.00088, 0.003), "1.3 s in a run of 2 s"),
        (2, 1, seen(7.001, 6000, 0.0003, 0.00088, 0.003), "5.0 s in a run of 2 s"),
        # Few turns of a deep queue: what goes beyond the time tells.
        (0.3, 128, seen(13.2, 256, 1.2, 0.5, 12.9), "12.9 s in a run of 0.3 s"),
    ],
)
def test_a_stall_is_seen_wherever_it_comes(
    asked_s: float, depth: int, figures: dict[str, float], stood: str
) -> None:
    with pytest.raises(FioError, match=f"the machine stood still for {stood}"):
        check_stall(workload(numjobs=1, iodepth=depth, runtime_s=asked_s), figures)


@pytest.mark.parametrize(
    ("asked_s", "depth", "figures"),
    [
        # 1 MiB at a depth of 128, all in flight at once: through the BAR, and through the CMB.
        (0.3, 128, seen(0.83, 150, 0.5, 0.42, 0.83)),
        (0.3, 128, seen(1.18, 140, 0.6, 0.58, 1.18)),
        # A disk that lets its first requests wait for all later ones (fio on a file).
        (0.3, 128, seen(0.379, 465, 0.0991, 0.0104, 0.364)),
        # One request of 64 MiB; two, of which the first reads what was never read before.
        (0.5, 1, seen(1.1, 1, 1.1, 1.1, 1.1)),
        (0.5, 1, seen(1.1, 2, 0.55, 0.2, 0.9)),
        # A machine that is only slow: its usual request takes long as well.
        (0.5, 16, seen(2.1, 40, 0.8, 0.7, 1.9)),
        # A hiccup of a machine with much else to do.
        (2, 1, seen(2.001, 3000, 0.00066, 0.00088, 0.4)),
        (0.1, 1, seen(0.3, 200, 0.0015, 0.00088, 0.2)),
    ],
)
def test_what_is_in_flight_or_only_slow_is_no_stall(
    asked_s: float, depth: int, figures: dict[str, float]
) -> None:
    check_stall(workload(numjobs=1, iodepth=depth, runtime_s=asked_s), figures)


def test_what_verify_proves_is_true_however_long_it_took() -> None:
    check_stall(
        workload(numjobs=1, verify="crc32c", runtime_s=0.0), seen(12.1, 256, 0.05, 0.0009, 12.0)
    )


def test_a_device_that_is_gone_does_not_become_a_file(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    job = job_file(workload(), 1).replace("${DEV}", str(tmp_path / "dev" / "nvme9n9"))
    with pytest.raises(FioError, match="file creation disallowed by allow_file_create=0"):
        metrics(workload(), run_fio(job, tmp_path))
    assert not list((tmp_path / "dev").iterdir())
