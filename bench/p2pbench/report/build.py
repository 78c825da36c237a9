# SPDX-License-Identifier: GPL-2.0
"""The report of a run, made from its journal alone: report.json (the truth), .md, .html, and
junit.xml for a CI.

`p2pbench report results/<run>` makes it again and prints the summary.
"""

from __future__ import annotations

import itertools
import math
import os
import shlex
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

from rich.console import Console

from p2pbench.analysis import instructions, memory, timing, verdicts
from p2pbench.analysis.questions import compares_of, counted_sides, is_timed
from p2pbench.analysis.samples import Sample, Samples, value_of
from p2pbench.analysis.schedule import looks_of
from p2pbench.analysis.verdicts import Comparison
from p2pbench.base import atomic, units
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import RESULTS, ROOT
from p2pbench.base.repository import NO_COMMIT
from p2pbench.base.schema import problem
from p2pbench.records.journal import Journal
from p2pbench.records.kinds import COUNT, FIO, PATTERN, is_peer
from p2pbench.records.metrics import METRICS
from p2pbench.records.records import (
    BootRecord,
    CompareRecord,
    Header,
    Side,
    StepError,
    WorkloadRecord,
)
from p2pbench.records.runs import JOURNAL, named
from p2pbench.report import (
    aa,
    index,
    junit,
    render,
    report_file,
    stopping_notes,
    summary,
    terminal,
    wording,
)
from p2pbench.report.garbage import seldom_collected
from p2pbench.report.model import Report

SCHEMA = report_file.SCHEMA
SCHEMA_FILE = report_file.SCHEMA_FILE
FIGURES = ("bytes_per_s", "iops", "lat_mean_ns", "lat_p50_ns", "lat_p99_ns")


def build(journal_path: str | os.PathLike[str]) -> Report:
    """Return the report of a journal, as report.schema.json describes it.

    Bytes, nanoseconds and ratios (candidate / baseline); the formulas are in samples.py.
    Raises JournalError when the journal cannot be read.
    """
    return _of(Journal.open(journal_path))


def _of(journal: Journal) -> Report:
    header, boots = journal.header, journal.boots
    samples = Samples(header, boots, journal.skipped)
    found = verdicts.compare_all(header, boots, journal.looks, journal.skipped)
    cells = [_cell(samples, cell, workload) for cell, workload in _cells(header)]
    # Whether it is of this shape is for the schema to say, below.
    report = cast(
        Report,
        {
            "schema": SCHEMA,
            "run": header["run"],
            "created": header["created"],
            "seed": header["seed"],
            "environment_class": header["environment_class"],
            "matrix": _matrix(header),
            "totals": _totals(samples, boots, journal, cells),
            "compares": _compares(header, [one for one in found if not one.question.second]),
            "aa": aa.section([one for one in found if one.question.second], compared),
            "stopping": stopping_notes.section(journal, found),
            "cells": cells,
            "providers": _providers(header, boots),
            "instructions": instructions.section(header, boots),
            "virtual": timing.section(header, samples, found),
            "memory": memory.section(header, boots),
            "static": header.get("static"),
            "lost": _all_lost(journal),
            "not_run": _not_run(samples, boots),
            "provenance": header["provenance"],
            "qemu_commands": _commands(boots),
            "reproduce": _reproduce(header),
            "notes": aa.alarm(found)
            + journal.notes
            + _clock_jumps(boots)
            + stopping_notes.notes(journal)
            + _without_commit(header),
            "problems": [],
            "ok": False,
            "verdict": [],
        },
    )
    report["problems"] = _problems(report) + stopping_notes.disagreements(journal, found)
    report["ok"] = not report["problems"]
    report["verdict"] = summary.sentences(report)
    wrong = problem(SCHEMA_FILE, "", report)
    if wrong:
        raise BenchError(
            f"{journal.path}: the report that was made of it is not of schema "
            f"{SCHEMA}: {wrong}; this is a mistake of the program"
        )
    return report


class Made(NamedTuple):
    """A report, and the text of each file that goes with it."""

    report: Report
    texts: dict[str, str]


@seldom_collected()
def make(run_dir: Path) -> Made:
    """Make the report of the journal in `run_dir` in all its forms, and write none of them."""
    journal = Journal.open(run_dir / JOURNAL)
    report = _of(journal)
    return Made(
        report,
        {
            "report.json": report_file.as_json(report),
            "report.md": render.markdown(report),
            "report.html": render.html(report),
            "junit.xml": junit.text(journal, report["problems"]),
        },
    )


def keep(run_dir: Path, made: Made) -> None:
    """Write report.json, report.md, report.html and junit.xml, and list the run in results/.

    All of them are complete on the disk before the first takes its name; when the disk is full,
    WriteError is raised and older files stay as they are.
    """
    atomic.replace_all(run_dir, made.texts, f"run: make report RUN={named(run_dir)}")
    if run_dir.resolve().parent == RESULTS:
        try:
            index.write(RESULTS)
        except atomic.WriteError as error:
            print(f"note: {error}", file=sys.stderr)  # the run itself is whole


def write(run_dir: str | os.PathLike[str]) -> Report:
    """Make the report of a run and keep it; return it."""
    made = make(Path(run_dir))
    keep(Path(run_dir), made)
    return made.report


def conclude(run_dir: Path, console: Console) -> tuple[Report, str]:
    """Make the report of a run, keep it and show it; return it, and why it could not be kept.

    A report that cannot be written is shown all the same.
    """
    made = make(run_dir)
    refused = ""
    try:
        keep(run_dir, made)
    except atomic.WriteError as error:
        refused = str(error)
    render_terminal(made.report, console, run_dir)
    return made.report, refused


def exit_status(report: Report) -> int:
    """0 when every cell has valid evidence and data, and every boot is there; else 1."""
    return 0 if report["ok"] else 1


def render_terminal(report: Report, console: Console, directory: Path | None = None) -> None:
    """Print the report: the verdict in plain words first, then tables, then where the files are."""
    terminal.render(report, console, directory or RESULTS / str(report["run"]))


def remake(run_dir: Path) -> int:
    """Make the report of a run again, keep it and show it; return the exit status of the run.

    Raises BenchError if there is none to make, and when it was shown but could not be kept.
    """
    report, refused = conclude(run_dir, Console())
    if refused:
        raise BenchError(refused)
    return exit_status(report)


def _planned_sides(header: Header) -> list[Side]:
    """The sides of the matrix that have a boot in the plan (-k may have left some out)."""
    planned = {(boot["variant"], boot["provider"]) for boot in header["plan"]}
    return [
        cell for cell in header["matrix"]["boots"] if (cell["variant"], cell["provider"]) in planned
    ]


def _cells(header: Header) -> list[tuple[Side, WorkloadRecord]]:
    return [
        (cell, workload)
        for cell in _planned_sides(header)
        for workload in header["matrix"]["workloads"]
        if cell["provider"] in workload["providers"]
    ] + [
        (cell, workload)
        for workload in header["matrix"]["workloads"]
        if workload["kind"] in (COUNT, PATTERN)
        for cell in counted_sides(header, workload)
    ]


def _cell(samples: Samples, cell: Side, workload: WorkloadRecord) -> dict[str, Any]:
    device = workload.get("device")
    mine = samples.of_cell(cell, workload, COUNT if device else FIO)
    return {
        "variant": cell["variant"],
        "provider": device or cell["provider"],
        "workload": workload["name"],
        "kind": workload["kind"],
        "verify": workload["verify"],
        "states": {
            state: sum(s.state == state for s in mine)
            for state in ("ok", "invalid", "failed", "missing")
        },
        "samples": [_sample(sample) for sample in mine],
        "figures": _figures(mine) if is_timed(workload) else None,
        "evidence": _evidence(mine),
    }


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "boot": sample.boot["boot"],
        "block": sample.boot["block"],
        "state": sample.state,
        "reason": sample.reason,
        "bytes_per_s": sample.metrics["bytes_per_s"] if sample.metrics else None,
    }


def _figures(samples: Iterable[Sample]) -> dict[str, Any] | None:
    """Median, least and most over the boots that count."""
    counted = [cast(dict[str, float], s.metrics) for s in samples if s.state == "ok" and s.metrics]
    if not counted:
        return None
    return {"n": len(counted)} | {
        key: _spread([metrics[key] for metrics in counted]) for key in FIGURES
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _evidence(samples: Iterable[Sample]) -> dict[str, Any] | None:
    """Sums over the boots; of the pool's use the least peak: the weakest boot proves least."""
    found = [s.result["evidence"] for s in samples if s.result and s.result["evidence"]]
    if not found:
        return None
    counters = [evidence["p2p"] for evidence in found if evidence["p2p"]]
    pools = [evidence["pool"] for evidence in found if evidence["pool"]]
    device = [evidence["device"] for evidence in found]
    return {
        "boots": len(found),
        "requests": sum(p2p["requests"] for p2p in counters) if counters else None,
        "bytes": sum(p2p["bytes"] for p2p in counters) if counters else None,
        "fallbacks": sum(p2p["fallbacks"] for p2p in counters) if counters else None,
        "device_ios": sum(d["reads"] + d["writes"] for d in device),
        "device_bytes": sum(d["read_bytes"] + d["write_bytes"] for d in device),
        "pool_size": max((pool["size"] for pool in pools), default=None),
        "pool_used": min((pool["before"] - pool["low"] for pool in pools), default=None),
    }


def _compares(header: Header, found: Sequence[Comparison]) -> list[dict[str, Any]]:
    return [
        compared(compare, [one for one in found if one.question.compare == compare])
        for compare in compares_of([one.question for one in found], header)
    ]


def compared(compare: CompareRecord, found: Sequence[Comparison]) -> dict[str, Any]:
    """A compare with its cells, as the report shows it."""
    entry = _picked(compare, "name", "title", "baseline", "candidate")
    entry["cells"] = [_comparison(comparison) for comparison in found]
    entry["headline"] = wording.headline(entry)
    return entry


def _comparison(comparison: Comparison) -> dict[str, Any]:
    interval, question = comparison.interval, comparison.question
    return {
        "workload": question.workload["name"],
        **_picked(question.workload, "rw", "bs", "iodepth", "numjobs"),
        "device": question.workload.get("device", ""),
        "metric": question.metric,
        "environment_class": comparison.environment_class,
        "margin": comparison.margin,
        "verdict": comparison.verdict,
        "ratio": comparison.ratio,
        "interval": interval and interval.in_report(),
        "p": comparison.p,
        "p_holm": comparison.p_holm,
        "look": comparison.look,
        "blocks_needed": comparison.blocks_needed,
        "latency": {key: comparison.latency(f"lat_{key}_ns") for key in ("p50", "p99")},
        "pairs": [
            {
                "block": pair.block,
                "baseline": _paired(pair.baseline, question.metric),
                "candidate": _paired(pair.candidate, question.metric),
                "ratio": math.exp(pair.log_ratio),
            }
            for pair in comparison.pairs
        ],
        "missing": [vars(gap) for gap in comparison.missing],
        "reasons": comparison.reasons,
        "notes": comparison.notes,
    }


def _paired(sample: Sample, metric: str) -> dict[str, Any]:
    """A sample of a pair, with the figure that was compared."""
    return _sample(sample) | {METRICS[metric].figure: value_of(sample, metric)}


def _providers(header: Header, boots: Sequence[BootRecord]) -> list[dict[str, Any]]:
    """What providing memory cost, per variant and provider: medians over the boots."""
    rows = []
    planned = dict.fromkeys(
        (boot["variant"], boot["provider"]) for boot in header["plan"] if boot.get("kind") != COUNT
    )
    for cell in (Side(variant=variant, provider=provider) for variant, provider in planned):
        mine = [
            b for b in boots if (b["variant"], b["provider"]) == (cell["variant"], cell["provider"])
        ]
        before = _values(mine, "setup", "register", "free_pages_before")
        after = _values(mine, "setup", "register", "free_pages_after")
        taken = [(b - a) * units.PAGE for b, a in zip(before, after)]
        rows.append(
            {
                **cell,
                "n": sum(boot["setup"] is not None for boot in mine),
                "p2p_devices": sorted(
                    {
                        str(boot["setup"]["p2p_device"])
                        for boot in mine
                        if boot["setup"] and boot["setup"].get("p2p_device")
                    }
                ),
                "pool_bytes": _median(_values(mine, "setup", "pool", "size")),
                "register_ns": _median(_values(mine, "setup", "register", "ns")),
                "register_bytes": _median(taken),
                "device_zone_pages": _median(
                    _values(mine, "setup", "register", "device_zone_pages")
                ),
                "remove_ns": _median(_values(mine, "teardown", "remove_ns")),
                "memory_available_bytes": _kib(
                    _median(_values(mine, "memory", "mem_available_kb"))
                ),
                "pools_whole": sum(_is_whole(boot) for boot in mine),
                "pools_seen": len(_values(mine, "teardown", "pool", "size")),
            }
        )
    return rows


def _values(boots: Iterable[BootRecord], *path: str) -> list[float]:
    """The numbers at this place of the boots' records; boots that have none are left out."""
    found = []
    for boot in boots:
        value: Any = boot
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (int, float)):
            found.append(value)
    return found


def _is_whole(boot: BootRecord) -> bool:
    """Whether everything had come back to the pool when it was taken down.

    What a disk with its queues in the CMB holds of it is gone before, and stays.
    """
    before, after = ((one or {}).get("pool") or {} for one in (boot["setup"], boot["teardown"]))
    return bool(after) and after.get("available") == before.get("available")


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _matrix(header: Header) -> dict[str, Any]:
    """What was asked for. Workloads of one name can be longer in another matrix."""
    lengths = {
        workload["name"]: {
            "runtime_s": workload.get("runtime_s", 0.0),
            "size": workload.get("size", 0),
            "ios": workload.get("ios", 0),
        }
        for workload in header["matrix"]["workloads"]
    }
    return _picked(header["matrix"], "name", "file", "blocks", "margins") | {"workloads": lengths}


def _kib(value: float | None) -> float | None:
    return None if value is None else value * 1024


def _all_lost(journal: Journal) -> list[dict[str, Any]]:
    """The boots that count and are not ok, then those that were run again."""
    final = [_lost(boot, False) for boot in journal.boots if boot["status"] != "ok"]
    return final + [
        _lost(boot, True) if boot["status"] != "ok" else _unused(boot) for boot in journal.repeated
    ]


def _unused(boot: BootRecord) -> dict[str, Any]:
    """A boot of which nothing was lost: there is a later result of it, which counts."""
    return _lost(boot, True) | {
        "stage": "",
        "console": [],
        "reason": "a second result of the same boot, not used",
    }


def _lost(boot: BootRecord, repeated: bool) -> dict[str, Any]:
    error, lost = _first_error(boot), boot["lost"]
    said = f"expected {error['expected']}, got {error['got']}" if error else "no error was given"
    return {
        **_picked(boot, "boot", "block", "variant", "provider", "status"),
        "repeated": repeated,
        "stage": lost["stage"] if lost else error["step"] if error else "unknown",
        "reason": lost["reason"] if lost else said,
        "console": lost["console"] if lost else [],
    }


def _first_error(boot: BootRecord) -> StepError | None:
    errors = [boot["error"], *(result["error"] for result in boot["workloads"])]
    return next((error for error in errors if error), None)


def _not_run(samples: Samples, boots: Iterable[BootRecord]) -> list[str]:
    run = {boot["boot"] for boot in boots}
    return [boot["boot"] for boot in samples.plan if boot["boot"] not in run]


def _totals(
    samples: Samples,
    boots: Sequence[BootRecord],
    journal: Journal,
    cells: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    status = [boot["status"] for boot in boots]
    peer = [cell for cell in cells if is_peer(cell["provider"])]
    evidence = [cell["evidence"] for cell in peer if cell["evidence"]]
    return {
        "boots": {
            "planned": len(journal.header["plan"]),
            **{key: status.count(key) for key in ("ok", "failed", "lost")},
            "not_run": len(samples.plan) - len(boots),
            "skipped": len(journal.skipped),
            "repeated": len(journal.repeated),
        },
        "cells": {
            "all": len(cells),
            "peer": len(peer),
            "peer_proved": sum(c["states"]["ok"] > 0 and not c["states"]["invalid"] for c in peer),
            "invalid": sum(cell["states"]["invalid"] > 0 for cell in cells),
        },
        "p2p": {
            key: sum(one[key] or 0 for one in evidence)
            for key in ("requests", "bytes", "fallbacks")
        },
        "duration_s": journal.spent_s,
    }


def _problems(report: Report) -> list[str]:
    """What keeps the run from being whole, one line each; an empty list is exit status 0."""
    problems = []
    for cell in report["cells"]:
        name = f"{cell['variant']}/{cell['provider']} {wording.label(cell['workload'])}"
        for state in ("invalid", "failed"):
            mine = [sample for sample in cell["samples"] if sample["state"] == state]
            if mine:
                what = "data NOT proved" if wording.proves_data(cell) else state
                problems.append(
                    f"{name}: {what} in {units.plural(len(mine), 'boot')} "
                    f"({mine[0]['boot']}: {mine[0]['reason']})"
                )
    told = {
        sample["boot"]
        for cell in report["cells"]
        for sample in cell["samples"]
        if sample["state"] == "failed"
    }
    for boot in report["lost"]:
        if not boot["repeated"] and boot["boot"] not in told:
            problems.append(
                f"boot {boot['boot']} {boot['status']} at {boot['stage']}: {boot['reason']}"
            )
    if report["not_run"]:
        problems.append(
            f"{units.plural(len(report['not_run']), 'boot')} of the plan not run: "
            + ", ".join(report["not_run"][:5])
            + (" …" if len(report["not_run"]) > 5 else "")
        )
    counted = report["instructions"]["problems"] if report["instructions"] else []
    return problems + counted + _silent_gaps(report)


def _clock_jumps(boots: Iterable[BootRecord]) -> list[str]:
    """Where the calendar went backwards from one boot to the next; no figure is made of it.

    A boot is written when it ends, and another one may have begun before it. Dates are of seconds.
    """
    return [
        f"the clock was set back between {earlier['boot']} ({earlier['started']}) and "
        f"{later['boot']} ({later['started']}): durations are by a clock that does not jump, "
        "so only these dates are wrong"
        for earlier, later in itertools.pairwise(boots)
        if _end(later) < _end(earlier) - timedelta(seconds=1)
    ]


def _end(boot: BootRecord) -> datetime:
    return datetime.fromisoformat(boot["started"]) + timedelta(seconds=boot["duration_s"])


def _silent_gaps(report: Report) -> list[str]:
    """Results that are absent although nothing is known against their boot."""
    told = {boot["boot"] for boot in report["lost"]} | set(report["not_run"])
    return [
        f"{sample['boot']}: no result for {wording.label(cell['workload'])}"
        for cell in report["cells"]
        for sample in cell["samples"]
        if sample["state"] == "missing" and sample["boot"] not in told
    ]


def _commands(boots: Iterable[BootRecord]) -> list[dict[str, str]]:
    """The command line of the first boot of each variant and provider."""
    first: dict[tuple[str, str], dict[str, str]] = {}
    for boot in boots:
        if boot["qemu_command"]:
            first.setdefault(
                (boot["variant"], boot["provider"]),
                {"boot": boot["boot"], "command": shlex.join(boot["qemu_command"])},
            )
    return list(first.values())


def _reproduce(header: Header) -> str:
    """The commit and the one command; a matrix outside of configs/matrix is named by its file."""
    name, file = header["matrix"]["name"], header["matrix"]["file"]
    known = Path(file).parent in (Path("configs/matrix"), ROOT / "configs" / "matrix")
    budget = looks_of(header).budget_s
    selection = header.get("selection", [])
    commit = _repository(header).get("commit", NO_COMMIT)
    words_of_it = [
        f"git checkout {commit} &&" if commit != NO_COMMIT else "",
        f"make bench MATRIX={_for_shell(name if known or not file else file)}",
        f"SEED={header['seed']}",
        f"BUDGET={budget:.15g}s" if budget else "",
        f"PYTEST_ARGS={_for_shell(_for_make(shlex.join(selection)))}" if selection else "",
    ]
    return " ".join(word for word in words_of_it if word)


def _for_make(value: str) -> str:
    """The value of PYTEST_ARGS, in which make reads a dollar of its own; it is words of a shell."""
    return value.replace("$", "$$")


def _for_shell(value: str) -> str:
    """The value of a variable, quoted for a shell."""
    plain = "'" in value and not any(character in value for character in '"$`\\!')
    return f'"{value}"' if plain else shlex.quote(value)


def _repository(header: Header) -> Mapping[str, Any]:
    return header["provenance"].get("repository") or {}


def _without_commit(header: Header) -> list[str]:
    note = _repository(header).get("note")
    return [f"the commit of the sources is not known: {note}"] if note else []


def _picked(record: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: record[key] for key in keys}
