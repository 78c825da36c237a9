"""fio: the job file of a workload, and the figures of its JSON output."""

import json
from typing import Any

from .matrix import Workload


# By how much two clocks may differ that both go evenly; fio rounds to milliseconds.
_CLOCK_TOLERANCE = 0.1


class FioError(Exception):
    """fio failed, or printed what cannot be used: one line that says which."""


def job_file(workload: Workload, seed: int) -> str:
    """Return the job file; the agent sets DEV to the fabric's block device."""
    options: dict[str, object] = {
        "filename": "${DEV}", "ioengine": "libaio", "direct": 1, "rw": workload.rw,
        "bs": workload.bs, "iodepth": workload.iodepth, "numjobs": workload.numjobs,
        "size": workload.size, "randseed": seed, "group_reporting": 1,
        "unified_rw_reporting": "mixed", "thread": 1, "norandommap": 1,
        # Of the whole latency: under TCG much of an I/O may be done inside io_submit(),
        # which completion latency leaves out.
        "lat_percentiles": 1, "clat_percentiles": 0,
    }
    if workload.verify:
        del options["norandommap"]
        options |= {"verify": workload.verify, "do_verify": 1, "verify_fatal": 1,
                    "verify_state_save": 0}
    else:
        options |= {"time_based": 1, "runtime": f"{workload.runtime_s * 1000:.0f}ms"}
    lines = [f"{key}={value}" for key, value in options.items()]
    return "\n".join([f"[{workload.name}]", *lines]) + "\n"


def metrics(workload: Workload, answer: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a fio run: bytes/s, I/Os per second, latencies in ns.

    answer is the agent's: exit, signal, stdout (fio's JSON) and stderr. Raises
    FioError when fio failed or its output does not hold what it should.
    """
    words = str(answer.get("stderr", "")).strip().splitlines()
    if answer["exit"] or answer.get("signal"):
        raise FioError(f"fio ended with exit status {answer['exit']}, signal "
                       f"{answer.get('signal')}: {words[-1] if words else 'no message'}")
    try:
        jobs = json.loads(answer["stdout"])["jobs"]
        errors = [job["error"] for job in jobs if job["error"]]
        figures = jobs[0]["mixed"]
        result = _figures(figures, float(jobs[0]["job_runtime"]))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise FioError(f"fio's output cannot be used: {type(error).__name__}: {error}") from None
    if errors:
        raise FioError(f"fio reports error {errors[0]}: {words[-1] if words else 'no message'}")
    if len(jobs) != 1:
        raise FioError(f"fio reports {len(jobs)} groups of jobs, expected 1")
    if not result["ios"]:
        raise FioError(f"fio did no I/O in workload {workload.name}")
    return result


def check_clock(workload: Workload, runtime_s: float, took_s: float) -> None:
    """Raise FioError if the clock that fio read cannot have gone evenly: no figure is right then.

    runtime_s is fio's own, took_s the time from the order to its answer by our own clock. A timed
    run is never shorter than asked, and no run is longer than the time it took.
    """
    asked_s = 0.0 if workload.verify else workload.runtime_s
    if asked_s * (1 - _CLOCK_TOLERANCE) <= runtime_s <= took_s * (1 + _CLOCK_TOLERANCE):
        return
    raise FioError(f"the clock of the machine under test jumped: fio says {runtime_s:.3f} s for a "
                   f"run of {asked_s:g} s or more that took {took_s:.3f} s by the clock here")


def _figures(mixed: dict[str, Any], runtime_ms: float) -> dict[str, float]:
    percentiles = mixed["lat_ns"]["percentile"]
    return {
        "bytes_per_s": float(mixed["bw_bytes"]), "iops": float(mixed["iops"]),
        "lat_mean_ns": float(mixed["lat_ns"]["mean"]),
        "lat_p50_ns": float(percentiles["50.000000"]),
        "lat_p99_ns": float(percentiles["99.000000"]),
        "ios": int(mixed["total_ios"]), "bytes": int(mixed["io_bytes"]),
        "runtime_s": runtime_ms / 1000,
    }
