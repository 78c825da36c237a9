# SPDX-License-Identifier: GPL-2.0
"""fio: the job file of a workload, the figures of its JSON output, and what makes them wrong."""

import json
import re
from typing import Any

from p2pbench.base import program
from p2pbench.plan.matrix import Workload

# By how much two clocks may differ that both go evenly; fio rounds to milliseconds.
_CLOCK_TOLERANCE = 0.1
# A stall falsifies a figure when it is longer than this part of the time that was asked for, and
# longer than a busy machine with two cores lets a short run wait.
_STALL_PART = 0.5
_STALL_LEAST_S = 0.25
# How often each place of the queue must have been used for the longest request to mean something.
_TURNS = 20
# A request that is overtaken in so many turns of the others takes as many times what is usual, on a
# machine that is only slow: 11 times was seen with 64 jobs on two busy cores.
_UNUSUAL = 20


class FioError(Exception):
    """fio failed, or printed what cannot be used: one line that says which."""


def job_file(workload: Workload, seed: int) -> str:
    """Return the job file; the agent sets DEV to the fabric's block device."""
    options: dict[str, object] = {
        "filename": "${DEV}",
        "ioengine": "libaio",
        "direct": 1,
        "rw": workload.rw,
        "bs": workload.bs,
        "iodepth": workload.iodepth,
        "numjobs": workload.numjobs,
        "size": workload.size,
        "randseed": seed,
        "group_reporting": 1,
        "unified_rw_reporting": "mixed",
        "thread": 1,
        "norandommap": 1,
        # A device that is gone must not become a file in /dev.
        "allow_file_create": 0,
        # Of the whole latency: under TCG much of an I/O may be done inside io_submit(),
        # which completion latency leaves out.
        "lat_percentiles": 1,
        "clat_percentiles": 0,
    }
    if workload.verify:
        del options["norandommap"]
        options |= {
            "verify": workload.verify,
            "do_verify": 1,
            "verify_fatal": 1,
            "verify_state_save": 0,
        }
    else:
        options |= {"time_based": 1, "runtime": f"{workload.runtime_s * 1000:.0f}ms"}
    lines = [f"{key}={value}" for key, value in options.items()]
    return "\n".join([f"[{workload.name}]", *lines]) + "\n"


def metrics(workload: Workload, answer: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a fio run: bytes/s, I/Os per second, latencies in ns, times in s.

    lat_usual_ns is what the requests took that one stall cannot have touched. answer is the
    agent's: exit, signal, stdout (notes, then fio's JSON) and stderr. Raises FioError when fio
    failed or its output does not hold what it should.
    """
    notes, text = _split(str(answer["stdout"]))
    words = program.why(f"{answer.get('stderr', '')}\n{notes}")
    if answer["exit"] or answer.get("signal"):
        raise FioError(
            f"fio ended with exit status {answer['exit']}, signal "
            f"{answer.get('signal')}: {words}"
        )
    try:
        jobs = _object(text)["jobs"]
        errors = [job["error"] for job in jobs if job["error"]]
        if errors:
            raise FioError(f"fio reports error {errors[0]}: {words}")
        if len(jobs) > 1:
            raise FioError(f"fio reports {len(jobs)} groups of jobs, expected 1")
        _check_jobs(workload, jobs[0])
        return _figures(workload, jobs[0])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise FioError(f"fio's output cannot be used: {type(error).__name__}: {error}") from None


def check_clock(workload: Workload, runtime_s: float, took_s: float) -> None:
    """Raise FioError if the clock that fio read cannot have gone evenly: no figure is right then.

    runtime_s is fio's own, took_s the time from the order to its answer by our own clock. A timed
    run is never shorter than asked, and no run is longer than the time it took.
    """
    asked_s = 0.0 if workload.verify else workload.runtime_s
    if asked_s * (1 - _CLOCK_TOLERANCE) <= runtime_s <= took_s * (1 + _CLOCK_TOLERANCE):
        return
    raise FioError(
        f"the clock of the machine under test jumped: fio says {runtime_s:.3f} s for a "
        f"run of {asked_s:g} s or more that took {took_s:.3f} s by the clock here"
    )


def check_stall(workload: Workload, figures: dict[str, float]) -> None:
    """Raise FioError if the machine, or its disk, stood still for much of a timed run.

    figures are those of metrics(). What a workload with verify proves is true however long it
    takes, and its throughput is no result: no stall makes it wrong.
    """
    if workload.verify:
        return
    stood_s = _stood_still_s(workload, figures)
    if stood_s <= max(_STALL_PART * workload.runtime_s, _STALL_LEAST_S):
        return
    raise FioError(
        f"the machine stood still for {stood_s:.1f} s in a run of "
        f"{workload.runtime_s:g} s: its longest request took "
        f"{figures['lat_max_ns'] / 1e9:.3f} s, the usual ones at most "
        f"{figures['lat_usual_ns'] / 1e9:.6f} s"
    )


def _stood_still_s(workload: Workload, figures: dict[str, float]) -> float:
    """Return the longest time in which a timed run did nothing, as far as its figures show it.

    A request that the others overtake all the time looks like one that waited for the machine.
    Where each place of the queue had few turns there are such: only what goes beyond the time
    that was asked for tells then.
    """
    longest_s = figures["lat_max_ns"] / 1e9
    stuck_s = longest_s if longest_s > _UNUSUAL * figures["lat_usual_ns"] / 1e9 else 0.0
    beyond_s = figures["runtime_s"] - workload.runtime_s
    if figures["ios"] < _TURNS * workload.iodepth * workload.numjobs:
        return min(stuck_s, beyond_s)
    # When its time is up, fio only waits for what is in flight.
    return max(stuck_s, beyond_s - longest_s, _idle_s(workload, figures))


def _idle_s(workload: Workload, figures: dict[str, float]) -> float:
    """Return how long a job had nothing in flight: until its time is up it asks again at once."""
    busy_s = figures["ios"] * figures["lat_mean_ns"] / 1e9 / workload.numjobs
    return workload.runtime_s - busy_s


def _split(stdout: str) -> tuple[str, str]:
    """Return the notes that fio prints before its JSON, and the rest, from the first brace on."""
    start = re.search(r"^\{", stdout, re.M)
    place = start.start() if start else len(stdout)
    return stdout[:place], stdout[place:]


def _object(text: str) -> Any:
    """Return the one JSON object that a text begins with; notes may follow. Raises ValueError."""
    result, end = json.JSONDecoder().raw_decode(text)
    if re.search(r"^\{", text[end:], re.M):
        raise ValueError("more than one report, as fio prints before its end when it is asked to")
    return result


def _check_jobs(workload: Workload, group: dict[str, Any]) -> None:
    """Raise FioError if a group did no I/O, or its jobs did not all run for their time."""
    if not group["mixed"]["total_ios"]:
        raise FioError(f"fio did no I/O in workload {workload.name}")
    together_s = float(group["job_runtime"]) / 1000
    each_s = min(workload.runtime_s, float(group["mixed"]["runtime"]) / 1000)
    if together_s < workload.numjobs * each_s * (1 - _CLOCK_TOLERANCE):
        raise FioError(
            f"fio's jobs ran for {together_s:.3f} s in all, expected {workload.numjobs} "
            f"of {each_s:g} s each: one ended early"
        )


def _figures(workload: Workload, group: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a group of jobs: sums over the jobs, and latencies of all requests.

    fio's runtime of a group is that of its longest job, and job_runtime is the sum over all of
    them. Where one job writes and then verifies, runtime is that of the longer half, and fio's
    own bandwidth all bytes over that.
    """
    mixed = group["mixed"]
    latency = mixed["lat_ns"]
    ios, moved = int(mixed["total_ios"]), int(mixed["io_bytes"])
    runtime_ms = float(group["job_runtime"] if workload.verify else mixed["runtime"])
    runtime_s = max(runtime_ms, 1) / 1000
    return {
        "bytes_per_s": moved / runtime_s,
        "iops": ios / runtime_s,
        "lat_mean_ns": float(latency["mean"]),
        "lat_p50_ns": float(latency["percentile"]["50.000000"]),
        "lat_p99_ns": float(latency["percentile"]["99.000000"]),
        "lat_max_ns": float(latency["max"]),
        "lat_usual_ns": _usual_ns(workload, latency["percentile"], ios),
        "ios": ios,
        "bytes": moved,
        "runtime_s": runtime_s,
    }


def _usual_ns(workload: Workload, percentiles: dict[str, float], ios: int) -> float:
    """Return the highest percentile up to the 99th without the requests of one moment.

    In a stall every request in flight takes as long as the stall, and no other does. Of a few
    requests, half or more in flight at once, it is the median.
    """
    at_once = 100 * workload.iodepth * workload.numjobs / max(ios, 1)
    limit = max(50.0, min(99.0, 100 - at_once))
    return float(percentiles[f"{max(p for p in map(float, percentiles) if p <= limit):f}"])
