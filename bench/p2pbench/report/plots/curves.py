# SPDX-License-Identifier: GPL-2.0
"""Memory and time to register against the size of the BAR, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from p2pbench.base import units
from p2pbench.base.units import GIB
from p2pbench.report import wording
from p2pbench.report.plots import svg
from p2pbench.report.plots.svg import COLOURS, MARKERS, variant_shade

_HEIGHT_INCH = 3.4
Points = Sequence[Mapping[str, Any]]


def memory_svg(memory: Mapping[str, Any], variants: list[str]) -> str:
    """What registering took of the memory, with the line of 64 bytes for every 4 KiB."""
    points = memory["points"]
    sizes = _sizes(points)
    line = [size / GIB * memory["page_line_bytes_per_gib"] for size in sizes]
    said = (
        "Memory that registering a BAR takes, against its size, by variant; the broad line "
        "is a struct page of 64 bytes for every 4 KiB."
    )
    with svg.plot("memory", said, _HEIGHT_INCH) as made:
        axes = _axes(made.figure, points, ["overhead_bytes"], line)
        axes.set_title("memory taken by registering", loc="left", color=COLOURS["fg"], fontsize=10)
        # Broad and below the curves: where struct pages are all that it takes, one lies on it.
        axes.plot(sizes, line, color=COLOURS["muted"], alpha=0.35, linewidth=6, zorder=1)
        # Named in the middle, below the line: the curves' own names stand at the right.
        middle = len(sizes) // 2
        axes.annotate(
            "64 B per 4 KiB",
            (sizes[middle], line[middle]),
            (10, -18),
            textcoords="offset points",
            color=COLOURS["muted"],
            fontsize=9,
        )
        for variant, mine in _by_variant(points).items():
            _curve(axes, mine, "overhead_bytes", variant, variant_shade(variants, variant))
        _size_ticks(axes.yaxis, _powers(*axes.get_ylim()))
    return made.svg


def time_svg(memory: Mapping[str, Any], variants: list[str]) -> str:
    """How long registering took (filled, solid) and removing (hollow, dotted)."""
    points = memory["points"]
    said = "Time to register a BAR (solid) and to remove it (dotted), against its size, by variant."
    with svg.plot("time", said, _HEIGHT_INCH) as made:
        axes = _axes(made.figure, points, ["register_ns", "remove_ns"], [])
        axes.set_title(
            "time to register (solid) and to remove (dotted)",
            loc="left",
            color=COLOURS["fg"],
            fontsize=10,
        )
        for variant, mine in _by_variant(points).items():
            shade = variant_shade(variants, variant)
            _curve(axes, mine, "remove_ns", "", shade)
            _curve(axes, mine, "register_ns", variant, shade)
        ticks = _decades(*axes.get_ylim())
        axes.set_yticks(ticks)
        axes.set_yticklabels([_short(wording.span(tick)) for tick in ticks])
    return made.svg


def _axes(figure: Any, points: Points, keys: Sequence[str], also: Sequence[float]) -> Any:
    axes = figure.add_axes(svg.box(_HEIGHT_INCH, 0.72, 0.75, 0.32, 0.68))
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = _sizes(points)
    axes.set_xlim(sizes[0] / 1.6, sizes[-1] * 1.6)
    values = [value for key in keys for value in _values(points, key)]
    values = [value for value in [*values, *also] if value > 0] or [1.0]
    axes.set_ylim(min(values) / 2.5, max(values) * 2)
    svg.bare(axes, "bottom", "left")
    axes.minorticks_off()
    _size_ticks(axes.xaxis, _up_to_last(_powers(sizes[0], sizes[-1]), sizes[-1]), "\n")
    axes.set_xlabel("size of the BAR", color=COLOURS["muted"])
    axes.grid(True, color=COLOURS["line"], linewidth=0.4)
    axes.set_axisbelow(True)
    return axes


def _curve(axes: Any, mine: Points, key: str, name: str, shade: str) -> None:
    """One variant: medians with their range; a point too small to be seen lies on the floor."""
    floor = axes.get_ylim()[0] * 1.15
    there = [point for point in mine if point[key]]
    if not there:
        return
    sizes = [point["bar_bytes"] for point in there]
    spreads = [
        {edge: max(point[key][edge], floor) for edge in ("median", "min", "max")} for point in there
    ]
    removing = key == "remove_ns"
    axes.plot(
        sizes,
        [spread["median"] for spread in spreads],
        ":" if removing else "-",
        color=COLOURS[shade],
        linewidth=1.6,
    )
    for size, spread in zip(sizes, spreads):
        _point(axes, size, spread, floor, shade, removing)
    if name:
        axes.annotate(
            name,
            (sizes[-1], spreads[-1]["median"]),
            (9, -3),
            annotation_clip=False,
            textcoords="offset points",
            color=COLOURS[shade],
        )


def _point(
    axes: Any, size: int, spread: Mapping[str, float], floor: float, shade: str, hollow: bool
) -> None:
    axes.plot([size, size], [spread["min"], spread["max"]], color=COLOURS[shade], linewidth=1)
    seen = spread["median"] > floor
    axes.plot(
        [size],
        [spread["median"]],
        MARKERS[shade] if seen else "v",
        color=COLOURS[shade],
        markersize=5,
        markerfacecolor=COLOURS["page" if hollow or not seen else shade],
    )


def _by_variant(points: Points) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for point in sorted(points, key=lambda one: float(one["bar_bytes"])):
        found.setdefault(point["variant"], []).append(point)
    return found


def _values(points: Points, key: str) -> list[float]:
    return [
        float(point[key][edge])
        for point in points
        if point[key]
        for edge in ("median", "min", "max")
    ]


def _sizes(points: Points) -> list[int]:
    return sorted({point["bar_bytes"] for point in points})


def _powers(low: float, high: float) -> list[int]:
    """Powers of four, or every second, third, ... where there would be too many."""
    first, last = math.ceil(math.log(max(low, 1), 4)), math.floor(math.log(high, 4) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / 7))
    return [4**power for power in range(first, last + 1, step)]


def _up_to_last(powers: Sequence[int], last: int) -> list[int]:
    """The ticks of an axis that ends with `last`, which has one; what is close to it has none."""
    return [power for power in powers if 4 * power <= last] + [last]


def _size_ticks(axis: Any, ticks: Sequence[int], before_unit: str = " ") -> None:
    axis.set_ticks(ticks)
    axis.set_ticklabels([_short(units.amount(tick)).replace(" ", before_unit) for tick in ticks])


def _decades(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    step = max(1, math.ceil((last - first + 1) / 8))
    return [10.0**power for power in range(first, last + 1, step)]


def _short(text: str) -> str:
    """ "64.0 MiB" -> "64 MiB": a tick is exact."""
    number, unit = text.split()
    return f"{float(number.replace(',', '')):g} {unit}"
