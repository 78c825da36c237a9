# SPDX-License-Identifier: GPL-2.0
"""The forest plot: the ratios of one compare with their intervals, one row a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from p2pbench.records.metrics import FAMILIES, METRICS
from p2pbench.report.plots import svg
from p2pbench.report.plots.svg import COLOURS
from p2pbench.report.wording import change, change_range, label_of

_ROW_INCH = 0.5
_AXIS_INCH = 0.75
_MOST_TICKS = 7
# Steps of ln(ratio) that read well: 0.1 % ... 10 %; wider ranges have ticks of their own.
_STEPS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
_WIDE = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.3,
    0.5,
    0.7,
    0.8,
    0.9,
    1.0,
    1.1,
    1.2,
    1.5,
    2.0,
    3.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
)


# The characters of a row that fit a phone's width in full size.
_FULL_SIZE = 60


def forest_svg(compare: Mapping[str, Any]) -> str:
    """The ratios of a compare with their intervals, on a logarithmic axis, as an <svg> element.

    Each row: small dots are the pairs, the large mark their median, the line the interval; the
    band is the practical margin.
    """
    cells: Sequence[Mapping[str, Any]] = compare["cells"]
    height = _ROW_INCH * len(cells) + _AXIS_INCH
    said = f"{compare['title']}: ratios with their intervals. {compare['headline']}"
    with svg.plot(f"forest {compare['name']}", said, height) as made:
        axes = made.figure.add_axes(svg.box(height, 0.15, 0.15, 0.13, 0.62))
        _draw_axes(axes, cells)
        for row, cell in enumerate(cells):
            _draw_row(axes, row, cell)
    return made.svg


def _draw_axes(axes: Any, cells: Sequence[Mapping[str, Any]]) -> None:
    low, high = _range(cells)
    axes.set_xlim(low, high)
    axes.set_ylim(len(cells) - 0.35, -0.65)
    axes.set_yticks([])
    ticks = _ticks(low, high)
    axes.set_xticks([math.log(tick) for tick in ticks])
    axes.set_xticklabels([f"{(tick - 1) * 100:+.3g} %".replace("+0 %", "0") for tick in ticks])
    svg.bare(axes, "bottom")
    metric = METRICS[cells[0]["metric"]]
    axes.set_xlabel(
        f"{FAMILIES[metric.family]}: candidate against baseline ({metric.direction})",
        color=COLOURS["muted"],
    )
    for edge in {cell["margin"] for cell in cells}:
        axes.axvspan(-math.log1p(edge), math.log1p(edge), color=COLOURS["band"], linewidth=0)
    axes.axvline(0, color=COLOURS["muted"], linewidth=0.8)


def _draw_row(axes: Any, row: int, cell: Mapping[str, Any]) -> None:
    colour = COLOURS[cell["verdict"]]
    across = axes.get_yaxis_transform()
    figure = "" if cell["ratio"] is None else f"{change(cell['ratio'])} "
    interval = "" if cell["interval"] is None else f"{change_range(cell['interval'])} "
    words = f"{figure}{interval}{cell['verdict']}"
    size = 9 if len(label_of(cell)) + len(words) <= _FULL_SIZE else 7
    axes.text(0, row - 0.28, label_of(cell), transform=across, color=COLOURS["fg"], fontsize=size)
    axes.text(
        1,
        row - 0.28,
        words,
        transform=across,
        color=colour,
        fontsize=size,
        horizontalalignment="right",
    )
    if cell["ratio"] is None:
        return
    if cell["interval"]:
        bounds = [math.log(cell["interval"][key]) for key in ("low", "high")]
        axes.plot(bounds, [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
    dots = [math.log(pair["ratio"]) for pair in cell["pairs"]]
    axes.plot(
        dots, [row] * len(dots), "o", color=COLOURS["fg"], markersize=2.4, alpha=0.55, zorder=4
    )
    axes.plot([math.log(cell["ratio"])], [row], "D", color=colour, markersize=6, zorder=3)


def _range(cells: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The bounds of ln(ratio): all data, the margins twice over, and a little air."""
    points = [side * 2 * math.log1p(cell["margin"]) for cell in cells for side in (-1, 1)]
    for cell in cells:
        if cell["ratio"] is not None:
            points += [math.log(pair["ratio"]) for pair in cell["pairs"]]
            points += [math.log(cell["interval"][k]) for k in ("low", "high") if cell["interval"]]
    low, high = min(points, default=-0.04), max(points, default=0.04)
    air = 0.06 * (high - low)
    return low - air, high + air


def _ticks(low: float, high: float) -> list[float]:
    """Round ratios inside the range, no change among them, never more than fit side by side."""
    room = (high - low) / _MOST_TICKS
    inside = (low + room / 3, high - room / 3)  # a label must not stick out of the plot
    step = next((step for step in _STEPS if step >= room), 0.0)
    if step:
        count = math.ceil(max(-low, high) / step)
        candidates = [1 + step * i for i in range(-count, count + 1)]
        return [c for c in candidates if inside[0] <= math.log(c) <= inside[1]]
    chosen = [1.0]
    for tick in sorted(_WIDE, key=lambda one: abs(math.log(one))):
        if inside[0] <= math.log(tick) <= inside[1] and all(
            abs(math.log(tick / other)) >= room for other in chosen
        ):
            chosen.append(tick)
    return sorted(chosen)
