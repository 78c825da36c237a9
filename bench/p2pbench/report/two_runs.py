# SPDX-License-Identifier: GPL-2.0
"""Two runs against each other: `p2pbench compare results/a results/b`.

Every cell that both reports have is compared, B against A (unpaired.py has the statistics), and
written as JSON, Markdown and HTML into results/compare/, but for those whose metric something else
decides in which the runs differ, as another compiler (comparable.py). Only reports are read, so
that a published reference can be compared with too.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup
from rich.console import Console

from p2pbench.analysis import significance, unpaired
from p2pbench.analysis.estimate import verdict_of
from p2pbench.base import atomic, units
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import RESULTS, shown
from p2pbench.records.kinds import FIO
from p2pbench.records.metrics import METRICS, THROUGHPUT
from p2pbench.records.runs import find_run
from p2pbench.report import (
    comparable,
    index,
    provenance_rows,
    render,
    report_file,
    summary,
    terminal,
    wording,
)
from p2pbench.report.plots.forest import forest_svg

SCHEMA = "p2pbench-compare-1"
_BASE = ("package", "version", "sha256")

Report = Mapping[str, Any]


class Key(NamedTuple):
    """What a cell is, in any run."""

    metric: str
    variant: str
    provider: str
    workload: str


class Figures(NamedTuple):
    """The boots' figures of a cell, and why it has none that count."""

    values: list[float]
    reasons: list[str]


def compare(a: Report, b: Report) -> dict[str, Any]:
    """The comparison of two reports; raises BenchError when they cannot be compared."""
    _refuse(a, b)
    left, right = figures_of(a), figures_of(b)
    common = [key for key in left if key in right]
    if not common:
        raise BenchError(
            f"{a['run']} and {b['run']} have no cell in common (variant, provider and "
            "workload): nothing to compare"
        )
    decided = _decided_otherwise(a, b, common)
    refused = _refusals(decided)
    keys = [key for key in common if key not in decided]
    if not keys:
        raise BenchError(
            f"nothing of A, {a['run']}, and B, {b['run']}, can be compared: "
            f"{' | '.join(refused)}; run one of them again as the other was"
        )
    cells = _cells(a, b, keys, left, right)
    a_named, b_named = _named(a), _named(b)
    return {
        "schema": SCHEMA,
        "doubts": _doubts("A", a_named) + _doubts("B", b_named),
        "a": a_named,
        "b": b_named,
        "environment_class": a["environment_class"],
        "base": _base(a),
        "refused": refused,
        "compares": _grouped(keys, cells),
        "too_few": _too_few(cells),
        "only_a": [_said(key) for key in left if key not in right],
        "only_b": [_said(key) for key in right if key not in left],
        "differences": _differences(a, b),
    }


def figures_of(report: Report) -> dict[Key, Figures]:
    """Every measured cell of a report with one figure a boot."""
    found: dict[Key, Figures] = {}
    for cell in report["cells"]:
        if cell["figures"] or cell["kind"] == FIO and not cell["verify"]:
            key = Key(THROUGHPUT, cell["variant"], cell["provider"], cell["workload"])
            found[key] = _figures(cell["samples"], "bytes_per_s")
    for key, samples in _counted(report["compares"]).items():
        found[key] = _figures(samples.values(), METRICS[key.metric].figure)
    return {key: one for key, one in found.items() if one.values or one.reasons}


def write(made: Report, directory: Path) -> list[Path]:
    """Write a comparison as JSON, Markdown and HTML; return the files."""
    name = f"{made['a']['run']}--{made['b']['run']}"
    plots = [{"title": one["title"], "svg": Markup(forest_svg(one))} for one in made["compares"]]
    atomic.make_directory(directory)
    atomic.replace_all(
        directory,
        {
            f"{name}.json": json.dumps(made, indent=1, ensure_ascii=False) + "\n",
            f"{name}.md": render.page("compare.md.j2", made=made),
            f"{name}.html": render.page("compare.html.j2", made=made, plots=plots),
        },
        "run make compare again",
    )
    return [directory / f"{name}.{ending}" for ending in ("html", "md", "json")]


def show(a: str, b: str) -> None:
    """Compare two runs, the baseline first, write the comparison and print it.

    Each is a run by name or path, or the file of a report. Raises BenchError when they cannot be
    compared.
    """
    made = compare(report_file.read(_place(a)), report_file.read(_place(b)))
    written = write(made, RESULTS / "compare")
    index.write(RESULTS)
    console = Console()
    terminal.render_comparison(made, console)
    console.print(
        "\nFiles      " + ", ".join(shown(path) for path in written),
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _place(given: str) -> Path:
    """Where a report is: of a run, or a file of whatever name."""
    path = Path(given)
    return path if path.suffix == ".json" and path.is_file() else find_run(given)


def _refuse(a: Report, b: Report) -> None:
    """Reports of different kinds of machines or bases say nothing about each other."""
    if a["environment_class"] != b["environment_class"]:
        raise BenchError(
            f"{a['run']} is of environment class {a['environment_class']}, {b['run']} of "
            f"{b['environment_class']}: such figures do not compare, whatever the kernel; compare "
            "runs of one class"
        )
    if _base(a) != _base(b):
        raise BenchError(
            f"{a['run']} is built on {_base(a)}, {b['run']} on {_base(b)}: a difference would be "
            "that of the bases; compare runs on one base"
        )
    if (a["run"], a["created"]) == (b["run"], b["created"]):
        raise BenchError(f"{a['run']} is the same run twice: there is nothing to compare")


def _decided_otherwise(a: Report, b: Report, keys: Iterable[Key]) -> dict[Key, list[str]]:
    """The cells whose figures a difference between the runs decides, with these differences."""
    differing = {
        key: comparable.differences(key.metric, key.variant, a["provenance"], b["provenance"])
        for key in keys
    }
    return {key: reasons for key, reasons in differing.items() if reasons}


def _refusals(decided: Mapping[Key, list[str]]) -> list[str]:
    """Which cells are not compared and why, in words: one for each metric and its differences."""
    groups: dict[tuple[str, str], list[Key]] = {}
    for key, reasons in decided.items():
        groups.setdefault((key.metric, "; ".join(reasons)), []).append(key)
    sentences = []
    for (metric, why), keys in groups.items():
        variants = ", ".join(dict.fromkeys(key.variant for key in keys))
        sentences.append(
            f"{METRICS[metric].shown} of {variants} "
            f"({units.plural(len(keys), 'cell')}), since the runs differ in what "
            f"decides it: {why}"
        )
    return sentences


def _base(report: Report) -> str:
    base = report["provenance"].get("base", {})
    return " ".join(str(base.get(key, "?"))[:24] for key in _BASE)


def _named(report: Report) -> dict[str, Any]:
    """What a comparison says of each run, and whether that one can be trusted."""
    return {key: report[key] for key in ("run", "created", "seed", "ok", "problems")} | {
        "matrix": report["matrix"]["name"],
        "aa": _checked(report["aa"]),
    }


def _checked(aa: Report | None) -> str:
    """What the A/A check of a run showed."""
    if aa is None:
        return "no A/A check"
    alarms = aa["alarms"]
    return aa.get("headline") or (
        f"{summary.ALARM} in {alarms} of {units.plural(aa['cells'], 'cell')}"
        if alarms
        else f"A/A: no alarm in {units.plural(aa['cells'], 'cell')}"
    )


def _doubts(name: str, run: Report) -> list[str]:
    """Why a run is not to be trusted, so that a comparison with it is not either."""
    found = [run["aa"]] if run["aa"].startswith(summary.ALARM) else []
    if run["problems"] or not run["ok"]:
        found.append(": ".join([summary.NOT_WHOLE, *filter(None, ["; ".join(run["problems"])])]))
    return [f"{name}, {run['run']}, is in doubt: {doubt}" for doubt in found]


def _too_few(cells: Sequence[Mapping[str, Any]]) -> str:
    """That no difference, however large, could have been called one with so few boots."""
    boots = [cell["boots"] for cell in cells if cell["p"] is not None]
    if not boots:
        return ""
    most = min(boots, key=unpaired.least_p)
    if len(boots) * unpaired.least_p(most) <= significance.ALPHA:
        return ""
    return (
        f"{most[0]} and {most[1]} boots cannot call any of {units.plural(len(boots), 'cell')} "
        f"better or worse, which takes {unpaired.fewest_boots(len(boots))} in each run"
    )


def _counted(compares: Iterable[Mapping[str, Any]]) -> dict[Key, dict[str, Mapping[str, Any]]]:
    """The boots of each counted cell: they stand in the pairs, some in the pairs of several."""
    found: dict[Key, dict[str, Mapping[str, Any]]] = {}
    for one in compares:
        for cell in one["cells"]:
            for side in ("baseline", "candidate") if cell["metric"] != THROUGHPUT else ():
                key = Key(
                    cell["metric"], one[side]["variant"], one[side]["provider"], cell["workload"]
                )
                mine = found.setdefault(key, {})
                mine.update({pair[side]["boot"]: pair[side] for pair in cell["pairs"]})
                mine.update(_invalid(cell["reasons"], one[side]))
    return found


def _invalid(reasons: Iterable[str], side: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    """The boots of a side that are invalid, in no pair, and named only in a cell's reasons."""
    name = re.compile(rf"b\d+-{re.escape(side['variant'])}-{re.escape(side['provider'])}(-aa)?")
    parts = (reason.partition(": ") for reason in reasons)
    return {
        boot: {"boot": boot, "state": "invalid", "reason": why}
        for boot, _, why in parts
        if name.fullmatch(boot)
    }


def _figures(samples: Iterable[Mapping[str, Any]], name: str) -> Figures:
    listed = list(samples)
    return Figures(
        [sample[name] for sample in listed if sample["state"] == "ok" and sample[name]],
        [
            f"{sample['boot']}: {sample['reason']}"
            for sample in listed
            if sample["state"] == "invalid"
        ],
    )


def _cells(
    a: Report,
    b: Report,
    keys: Sequence[Key],
    left: Mapping[Key, Figures],
    right: Mapping[Key, Figures],
) -> list[dict[str, Any]]:
    """The cells with their verdicts; Holm needs all of them at once."""
    resamples = significance.resamples_for(len(keys))
    found = [
        None
        if _reasons(a, b, key, left[key], right[key])
        else unpaired.difference(left[key].values, right[key].values, _seed(a, b, key), resamples)
        for key in keys
    ]
    tested = [one.p for one in found if one]
    adjusted = iter(significance.holm(tested))
    made = []
    for key, one in zip(keys, found):
        margin = max(
            report["matrix"]["margins"].get(METRICS[key.metric].family, 0.0) for report in (a, b)
        )
        p_holm = next(adjusted) if one else None
        called = (
            "invalid"
            if one is None or p_holm is None
            else verdict_of(
                one.interval,
                margin,
                METRICS[key.metric].less_is_better,
                p_holm <= significance.ALPHA,
            )
        )
        made.append(
            {
                "workload": key.workload,
                "metric": key.metric,
                "margin": margin,
                "verdict": called,
                "ratio": math.exp(one.log_ratio) if one else None,
                "interval": one.interval.in_report() if one and one.interval else None,
                "p": one.p if one else None,
                "p_holm": p_holm,
                "boots": [len(left[key].values), len(right[key].values)],
                "reasons": _reasons(a, b, key, left[key], right[key]),
                "notes": [one.note] if one and one.note else [],
                "blocks_needed": unpaired.boots_needed(
                    left[key].values, right[key].values, margin, len(tested)
                )
                if called == "inconclusive"
                else None,
                "pairs": [],
                "missing": [],
                "latency": {},
            }
        )
    return made


def _reasons(a: Report, b: Report, key: Key, left: Figures, right: Figures) -> list[str]:
    """Why a cell has no number: another length, invalid evidence in either run, or no figure."""
    lengths = [report["matrix"].get("workloads", {}).get(key.workload) for report in (a, b)]
    found = []
    if all(lengths) and lengths[0] != lengths[1]:
        found.append(
            "the runs differ in "
            + ", ".join(
                f"{name}: {lengths[0][name]:g} and {lengths[1][name]:g}"
                for name in lengths[0]
                if lengths[0][name] != lengths[1][name]
            )
        )
    for report, figures in ((a, left), (b, right)):
        found += [f"{report['run']} {reason}" for reason in figures.reasons]
        if not figures.values and not figures.reasons:
            found.append(f"{report['run']} has no figure")
    return found


def _seed(a: Report, b: Report, key: Key) -> list[int]:
    """A seed of its own for each cell, so that one more changes no other."""
    return [a["seed"], b["seed"], zlib.crc32("/".join(key).encode())]


def _grouped(keys: Sequence[Key], cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells as compares of the report's shape, one a metric, variant and provider."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for key, cell in zip(keys, cells):
        groups.setdefault((key.metric, key.variant, key.provider), []).append(cell)
    made = []
    for (metric, variant, provider), mine in groups.items():
        side = {"variant": variant, "provider": provider}
        one = {
            "name": f"{metric} {variant}/{provider}",
            "cells": mine,
            "title": f"{variant}/{provider}, {METRICS[metric].shown}",
            "baseline": side,
            "candidate": side,
        }
        made.append(one | {"headline": wording.headline(one)})
    return made


def _said(key: Key) -> str:
    return f"{key.variant}/{key.provider} {wording.label(key.workload)} ({key.metric})"


def _differences(a: Report, b: Report) -> list[dict[str, str]]:
    """What the provenance of the runs does not have in common, patches included."""
    sides = [dict(provenance_rows.every(report["provenance"])) for report in (a, b)]
    return [
        {"what": what, "a": sides[0].get(what, "–"), "b": sides[1].get(what, "–")}
        for what in dict.fromkeys([*sides[0], *sides[1]])
        if sides[0].get(what) != sides[1].get(what)
    ]
