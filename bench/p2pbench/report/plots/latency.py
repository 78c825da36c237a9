# SPDX-License-Identifier: GPL-2.0
"""Latency: the median and the 99th percentile of each cell, one plot a provider."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from p2pbench.report import wording
from p2pbench.report.plots import svg
from p2pbench.report.plots.svg import COLOURS, variant_shade

_LINE_INCH = 0.17
# How far p50 lies above the middle of its line, and p99 below it: their ranges often overlap.
_APART_INCH = 0.03
_HEAD_INCH = 0.3
_AXIS_INCH = 0.62
Cells = Sequence[Mapping[str, Any]]


def latency_svg(cells: Cells, provider: str, variants: list[str]) -> str:
    """Of one provider's cells: filled marks are p50, hollow ones p99 below, each with its range."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        groups.setdefault(cell["workload"], []).append(cell)
    height = sum(_HEAD_INCH + _LINE_INCH * len(mine) for mine in groups.values()) + _AXIS_INCH
    said = f"Latency with provider {provider}, median and 99th percentile by workload and variant."
    with svg.plot(f"latency {provider}", said, height) as made:
        axes = made.figure.add_axes(svg.box(height, 0.15, 0.15, 0.05, 0.55))
        axes.set_xscale("log")
        y = 0.0
        for workload, mine in groups.items():
            axes.text(
                0,
                y + _HEAD_INCH * 0.55,
                wording.label(workload),
                fontsize=9,
                transform=axes.get_yaxis_transform(),
                color=COLOURS["fg"],
                verticalalignment="center",
            )
            y += _HEAD_INCH
            for cell in mine:
                _row(axes, y, cell, COLOURS[variant_shade(variants, cell["variant"])])
                y += _LINE_INCH
        axes.set_ylim(y + 0.02, 0)
        axes.set_yticks([])
        _time_axis(axes, cells)
    return made.svg


def _row(axes: Any, y: float, cell: Mapping[str, Any], colour: str) -> None:
    p50, p99 = cell["figures"]["lat_p50_ns"], cell["figures"]["lat_p99_ns"]
    for spread, at, inside in (
        (p50, y - _APART_INCH, colour),
        (p99, y + _APART_INCH, COLOURS["page"]),
    ):
        axes.plot(
            [max(spread["min"], 1), max(spread["max"], 1)],
            [at, at],
            color=colour,
            linewidth=2.2,
            alpha=0.35,
            solid_capstyle="butt",
        )
        axes.plot(
            [spread["median"]], [at], "o", color=colour, markersize=4.5, markerfacecolor=inside
        )


def _time_axis(axes: Any, cells: Cells) -> None:
    values = [
        max(cell["figures"][key][edge], 1)
        for cell in cells
        for key in ("lat_p50_ns", "lat_p99_ns")
        for edge in ("min", "max")
    ]
    low, high = min(values) / 1.4, max(values) * 1.4
    axes.set_xlim(low, high)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if len(decades) > 4 else (1, 3)
    ticks = [step * 10.0**power for power in decades for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(ticks)
    axes.set_xticklabels(
        [wording.span(tick).replace(".00", "").replace(".0", "") for tick in ticks]
    )
    axes.minorticks_off()
    svg.bare(axes, "bottom")
    axes.grid(True, axis="x", color=COLOURS["line"], linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("latency: filled p50, hollow p99 (less is better)", color=COLOURS["muted"])
