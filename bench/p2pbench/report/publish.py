# SPDX-License-Identifier: GPL-2.0
"""What of a run is published: `p2pbench reference results/<run>`.

Its report in three forms, summary.json, a table for programs (summary.schema.json), and memory.svg,
the plot that the README shows, go to results/reference/<base>/; journal, consoles and fio's raw
output stay where they are.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from p2pbench.base import atomic
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import RESULTS, SCHEMAS
from p2pbench.base.repository import NO_COMMIT
from p2pbench.base.schema import validator
from p2pbench.records.metrics import METRICS
from p2pbench.records.runs import named
from p2pbench.report import render, report_file
from p2pbench.report.model import Report
from p2pbench.report.plots.all_plots import variants_of
from p2pbench.report.plots.curves import memory_svg
from p2pbench.report.standalone_svg import standalone

SCHEMA = "p2pbench-summary-1"
SCHEMA_FILE = SCHEMAS / "summary.schema.json"
# The two kernels whose comparison is published, and whom ordinary I/O is held against.
PAGE, PAGELESS, STOCK = "page", "pageless", "stock"

Record = Mapping[str, Any]


def summary(report: Report) -> dict[str, Any]:
    """The summary of a report; a part that the run did not measure is null."""
    base = report["provenance"].get("base", {})
    aa: Record | None = report["aa"]
    memory, static = report["memory"], report["static"]
    made = {
        "schema": SCHEMA,
        "environment_class": report["environment_class"],
        "base": f"{base.get('package', '?')} {base.get('version', '?')}",
        "cells": [
            _cell(report, compare, cell)
            for compare in report["compares"]
            if _is_published(compare)
            for cell in compare["cells"]
        ],
        "aa": aa and {key: aa[key] for key in ("cells", "alarms", "insn_spread")},
        "memory": memory and [_point(point) for point in memory["points"]],
        "ordinary": report["instructions"] and _ordinary(report["instructions"]["cells"]),
        "series": _series(static["series"]) if static else None,
    }
    validator(SCHEMA_FILE).validate(made)
    return made


def publish(run: Path, directory: Path | None = None) -> list[Path]:
    """Write what is published of a run's report; return the files."""
    report = report_file.read(run)
    _refuse(report)
    place = directory or RESULTS / "reference" / _release(report)
    texts = {
        "report.json": report_file.as_json(report),
        "report.md": render.markdown(report),
        "report.html": render.html(report),
        "summary.json": json.dumps(summary(report), indent=1, ensure_ascii=False) + "\n",
    }
    if report["memory"] and report["memory"]["points"]:
        texts["memory.svg"] = standalone(memory_svg(report["memory"], variants_of(report)))
    atomic.make_directory(place)
    atomic.replace_all(place, texts, f"run make reference RUN={named(run)} again")
    return [place / name for name in texts]


def _refuse(report: Report) -> None:
    """What is published is whole, can be run again, and was checked against itself."""
    aa, repository = report["aa"], report["provenance"].get("repository") or {}
    reasons = [*report["problems"]]
    if aa is None or aa["alarms"] or not aa["cells"]:
        reasons.append(aa["headline"] if aa else "it has no A/A check")
    if repository.get("commit", NO_COMMIT) == NO_COMMIT:
        reasons.append("it was run outside git, so that no commit is known to run again")
    if repository.get("dirty"):
        reasons.append("it was run with changes that no commit has")
    if reasons:
        raise BenchError(
            f"{report['run']} is no reference: {reasons[0]}; mend that, then "
            "resume it or run it again"
        )


def _release(report: Report) -> str:
    """The base's release: linux-source-6.1 -> 6.1."""
    return str(report["provenance"]["base"]["package"]).rpartition("-")[2]


def _is_published(compare: Record) -> bool:
    sides = compare["baseline"], compare["candidate"]
    return [side["variant"] for side in sides] == [PAGE, PAGELESS] and sides[0][
        "provider"
    ] == sides[1]["provider"]


def _cell(report: Report, compare: Record, cell: Record) -> dict[str, Any]:
    interval, metric = cell["interval"], cell["metric"]
    figure = METRICS[metric].figure
    counted = _counted(report, cell["workload"])
    return {
        "provider": counted["device"] if counted else compare["baseline"]["provider"],
        **{key: cell[key] for key in ("rw", "bs", "iodepth", "metric")},
        PAGE: _median(pair["baseline"].get(figure) for pair in cell["pairs"]),
        PAGELESS: _median(pair["candidate"].get(figure) for pair in cell["pairs"]),
        "ratio": cell["ratio"],
        "ci": interval and [interval["low"], interval["high"]],
        "verdict": cell["verdict"],
        "evidence": _both(counted["evidence"] or {})
        if counted
        else _evidence(report, compare, cell["workload"]),
    }


def _counted(report: Report, workload: str) -> Record | None:
    """What was counted of a P2P workload; None of a workload of fio's, and of older reports."""
    cells: Sequence[Record] = report["instructions"]["cells"] if report["instructions"] else []
    return next(
        (cell for cell in cells if cell["workload"] == workload and cell.get("device")), None
    )


def _both(evidence: Mapping[str, int | None]) -> dict[str, int | None]:
    """Evidence as the summary names it."""
    return {"p2p_requests": evidence.get("requests"), "fallbacks": evidence.get("fallbacks")}


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _evidence(report: Report, compare: Record, workload: str) -> dict[str, int | None]:
    """What both sides' boots counted, summed up; null where a kernel has no such counter."""
    sides = [
        (compare[side]["variant"], compare[side]["provider"]) for side in ("baseline", "candidate")
    ]
    found: list[Record] = [
        cell["evidence"]
        for cell in report["cells"]
        if cell["evidence"]
        and cell["workload"] == workload
        and (cell["variant"], cell["provider"]) in sides
    ]
    return _both({key: _sum(one[key] for one in found) for key in ("requests", "fallbacks")})


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _point(point: Record) -> dict[str, Any]:
    spreads = {
        key: (point[key] or {}).get("median")
        for key in ("overhead_bytes", "register_ns", "remove_ns")
    }
    return {
        "variant": point["variant"],
        "bar_bytes": point["bar_bytes"],
        **spreads,
        "device_zone_pages": point["device_zone_pages"],
    }


def _ordinary(cells: Iterable[Record]) -> list[dict[str, Any]]:
    rows = []
    for cell in cells:
        stock = cell["variants"].get(STOCK)
        for variant, figures in cell["variants"].items() if cell["kind"] == "ordinary" else ():
            ratio = figures["per_io"] / stock["per_io"] if stock and stock["per_io"] else None
            rows.append(
                {
                    "path": cell["path"],
                    "variant": variant,
                    "insn_per_io": figures["per_io"],
                    "ratio_to_stock": ratio,
                }
            )
    return rows


def _series(listed: Iterable[Record]) -> dict[str, int] | None:
    for one in listed:
        if one["name"] == PAGELESS:
            return {key: one[key] for key in ("patches", "insertions", "deletions")}
    return None
