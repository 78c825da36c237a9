# SPDX-License-Identifier: GPL-2.0
"""Which plots a report has, drawn and ready for the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from p2pbench.base import units
from p2pbench.report.model import CountedPath, Report
from p2pbench.report.plots import bars, curves, svg
from p2pbench.report.plots.forest import forest_svg
from p2pbench.report.plots.latency import latency_svg
from p2pbench.report.select import of_kind, ratios

MOST_FUNCTIONS = 10
# Of ordinary I/O there are too many paths for a stack each: those that differ most.
_ORDINARY_STACKS = 4

Record = Mapping[str, Any]
Drawn = dict[str, Any]


def draw(report: Report) -> dict[str, Any]:
    """Every plot of the report as {"title", "svg"} by kind, their legends, and their tables."""
    variants = variants_of(report)
    peer, ordinary = of_kind(report, "p2p"), of_kind(report, "ordinary")
    stacked = peer + most_different(ordinary, _ORDINARY_STACKS)
    found = {
        "memory": _memory(report["memory"], variants),
        "forests": [
            _drawn(compare["title"], forest_svg(compare))
            for compare in report["compares"]
            if compare["cells"]
        ],
        "stacks": [_drawn("", bars.stacks_svg([cell], cell["path"])) for cell in stacked],
        "ordinary": [_drawn("", bars.ordinary_svg(ordinary, variants))] if ordinary else [],
        "latency": _latency(report["cells"], variants),
    }
    return {
        **found,
        "any": any(found.values()),
        "functions": functions(stacked),
        "subsystems": [(svg.subsystem_shade(name), name) for name in bars.parts_of(stacked)],
        "variants": _legend(variants, {cell["variant"] for cell in report["cells"]}),
        "candidates": _legend(variants, {name for cell in ordinary for name in cell["candidates"]}),
    }


def variants_of(report: Report) -> list[str]:
    """The variants of a report, in the order in which the run knows them."""
    names = list(report["provenance"].get("variants", {}))
    names += [cell["variant"] for cell in report["cells"]]
    names += [point["variant"] for point in (report["memory"] or {"points": []})["points"]]
    for cell in (report["instructions"] or {"cells": []})["cells"]:
        names += list(cell["variants"])
    return list(dict.fromkeys(names))


def most_different(cells: list[CountedPath], most: int) -> list[CountedPath]:
    """The paths whose candidates are furthest from the baseline, at most so many."""

    def distance(cell: CountedPath) -> float:
        return max(
            (abs(ratio - 1) for found in ratios([cell]).values() for _, ratio in found), default=0.0
        )

    return sorted(cells, key=distance, reverse=True)[:most]


def functions(cells: Iterable[Record]) -> list[Drawn]:
    """The ten functions of each path that differ most."""
    return [
        {
            "path": cell["path"],
            "baseline": cell["baseline"],
            "candidates": cell["candidates"],
            "variants": list(cell["variants"]),
            "functions": cell["functions"][:MOST_FUNCTIONS],
            "others": _others(cell, cell["functions"][:MOST_FUNCTIONS]),
        }
        for cell in cells
        if cell["functions"]
    ]


def _others(cell: Record, shown: Sequence[Record]) -> Drawn:
    """The rest of a path, so that its rows add up to what the path takes.

    Without a number in reports from before it was kept.
    """
    per_io = {
        variant: figures["per_io"] - sum(one["per_io"].get(variant) or 0.0 for one in shown)
        for variant, figures in cell["variants"].items()
    }
    number = cell["others"] + len(cell["functions"]) - len(shown) if "others" in cell else None
    return {
        "per_io": per_io,
        "name": "others" if number is None else units.plural(number, "other"),
        "difference": {one: per_io[one] - per_io[cell["baseline"]] for one in cell["candidates"]},
    }


def _memory(memory: Record | None, variants: list[str]) -> list[Drawn]:
    if not memory or not memory["points"]:
        return []
    return [
        _drawn("", curves.memory_svg(memory, variants)),
        _drawn("", curves.time_svg(memory, variants)),
    ]


def _latency(cells: Iterable[Record], variants: list[str]) -> list[Drawn]:
    timed: dict[str, list[Record]] = {}
    for cell in cells:
        if cell["figures"]:
            timed.setdefault(cell["provider"], []).append(cell)
    return [
        _drawn(f"provider {provider}", latency_svg(mine, provider, variants))
        for provider, mine in timed.items()
    ]


def _legend(variants: list[str], used: set[str]) -> list[tuple[str, str]]:
    return [(svg.variant_shade(variants, name), name) for name in variants if name in used]


def _drawn(title: str, element: str) -> Drawn:
    return {"title": title[:1].upper() + title[1:], "svg": Markup(element)}
